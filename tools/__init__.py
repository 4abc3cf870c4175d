"""Host programs of Pilotwire; nothing in here runs on a board."""
