"""Differences between MicroPython's ports that the rest of the firmware need not know."""

import sys


def prepare():
    """Once at start: on ports with file permissions new files are for their owner only."""
    if sys.platform == "linux":
        import ffi

        ffi.open(None).func("i", "umask", "i")(0o077)
