"""Bring the compiled firmware onto a board with a stock MicroPython, by its serial port.

    device.py     the board: what it is, what is on it, writing files (mpremote)
    plan.py       what has to be sent, copied on the board, kept and removed
    transfer.py   carries the plan out, in an order that survives a cut
    __main__.py   the command line

On the board there are two folders, /a and /b, each for one whole version, and a main.py that names
one of them. A new version goes into the other folder; main.py is replaced in one step when every
file there has been read back. Whatever happens before that, the old version starts; after it, the
new one. What both versions have in common is not sent again: it is in one of the folders already.
"""


class DeployError(Exception):
    """The firmware cannot be brought onto this board; the text says why and what to do."""
