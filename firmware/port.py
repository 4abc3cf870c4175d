"""Differences between MicroPython's ports that the rest of the firmware need not know."""

import sys

from micropython import const

# Linux: bits of a terminal's modes
_INPUT = const(0o2700)  # IXON, ICRNL, IGNCR, INLCR
_LOCAL = const(0o100013)  # IEXTEN, ECHO, ICANON, ISIG


def prepare():
    """Once at start: on ports with file permissions new files are for their owner only."""
    if sys.platform == "linux":
        import ffi

        ffi.open(None).func("i", "umask", "i")(0o077)


def open_terminal():
    """Let every key come as it is typed, Ctrl-C too, without echo.

    Returns a function that puts things back, or None if stdin is not a terminal.
    """
    if sys.platform != "linux":
        import micropython

        micropython.kbd_intr(-1)
        return lambda: micropython.kbd_intr(3)
    import termios

    import ffi

    if not ffi.open(None).func("i", "isatty", "i")(0):
        return None
    before = termios.tcgetattr(0)
    mode = list(before)
    mode[0] &= ~_INPUT
    mode[3] &= ~_LOCAL
    termios.tcsetattr(0, termios.TCSANOW, mode)
    return lambda: termios.tcsetattr(0, termios.TCSANOW, before)
