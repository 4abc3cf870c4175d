"""The firmware's version, in a file of its own because many want it."""

VERSION = "0.1.0"
