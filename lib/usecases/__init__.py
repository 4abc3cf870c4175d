"""EEBUS use cases of a charging station, one file each, and the device tree they share
(station.py).
"""
