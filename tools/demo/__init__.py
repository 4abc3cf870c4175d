"""`make demo`: simulated charger and energy manager, end to end, with timeline and plot."""
