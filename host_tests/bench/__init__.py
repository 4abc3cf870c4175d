"""`make bench`: the figures of the budget table, measured and written by command."""
