"""One folder per board; see README.md beside this file."""
