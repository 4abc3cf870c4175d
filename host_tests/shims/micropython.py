"""Stand-in for MicroPython's built-in `micropython` module, for tests on CPython only.

Offers what modules in `lib/` may import: `const` returns its argument and the code emitters
leave the function as it is. Heap and scheduler functions are left out on purpose: code that
needs them does not belong into `lib/`.
"""


def const(value):
    """Return `value`; on the board the compiler puts it in place of the name."""
    return value


def native(function):
    """Return `function` unchanged; on the board it becomes machine code."""
    return function


def viper(function):
    """Return `function` unchanged; on the board it becomes machine code on raw integers."""
    return function


def opt_level(level=None):
    """Accept an optimisation level and ignore it; without one, return 0."""
    return 0 if level is None else None
