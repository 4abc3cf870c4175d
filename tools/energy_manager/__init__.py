"""An energy manager for the desk: the client side of SHIP and SPINE, written a second time.

It shares no code with the firmware under `lib/`, so that one misreading of the protocol cannot
hide on both sides of a test, and it talks to chargers of other makers as well. `python -m
tools.energy_manager --help` is the command line, `manager.EnergyManager` the Python interface.
"""
