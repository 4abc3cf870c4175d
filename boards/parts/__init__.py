"""Drivers for parts that many boards have, on MicroPython's `machine`; README.md lists them."""
