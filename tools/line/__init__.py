"""The production line: a board gets its firmware, its number, its test, its record and its label.

    provision.py   the steps of one board; they go on where they were cut
    records.py     what is known of the boards made here, in an SQLite file
    flash.py       firmware onto a board, by esptool
    rehearsal.py   twenty simulated boards through all of it, then paired by their labels

A board makes its own key, and the key stays on it: the line reads the certificate, never the key.
"""

DEFAULT_FOLDER = "line"  # records and labels; not in build/, which `make clean` removes


class LineError(Exception):
    """The line refuses to go on with a board; the text says why and what to do."""
