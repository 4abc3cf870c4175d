"""The official test cases and how we fare."""
