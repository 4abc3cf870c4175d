"""Reader of the generated tables: which properties a class has, and which values are legal.

Covers the device object requirements, Release R, of the node profile 0EF0, the super class, the
EV charger 02A1 and the EV charger/discharger 027E. It knows nothing of instances and their values.

A row is known by its place in ROWS; tools/echonet_tables.py documents the layout.
"""

from micropython import const

from echonet.tables import CLASSES, LIMITS, ROWS, STATES

# Access bits of a row; the same bits four places up say that the class requires it
GET = const(1)
SET = const(2)
INF = const(4)
REQUIRED = const(4)

_ROW = const(4)
_NODE_PROFILE = const(0x0E)  # its class group: what is no device has no super class

_EXACTLY = const(0x00)
_UP_TO = const(0x01)
_ONE_OR = const(0x02)
_STATE = const(0x11)
_UNSIGNED = const(0x20)
_PAIR = const(0x30)


def find(eoj: bytes, epc: int) -> int:
    """Return the row of a property of this object's class, or of the super class; -1: none."""
    at = 0
    super_row = -1
    while at < len(CLASSES):
        group = CLASSES[at]
        row = CLASSES[at + 2] * _ROW
        end = row + CLASSES[at + 3] * _ROW
        is_own = group == eoj[0] and CLASSES[at + 1] == eoj[1]
        if is_own or (not group and eoj[0] != _NODE_PROFILE):
            while row < end and ROWS[row] != epc:
                row += _ROW
            if row < end and is_own:
                return row
            if row < end:
                super_row = row
        at += 4
    return super_row


def access(row: int) -> int:
    """Return the access bits of a row; 0 for no row."""
    return ROWS[row + 1] if row >= 0 else 0


def is_legal(row: int, edt: bytes) -> bool:
    """Say whether a value may be written: right size, in its enumeration or range.

    The codes for overflow and underflow are outside of every range. Signed properties are never
    written here; of them only the size counts.
    """
    kind = ROWS[row + 2]
    argument = ROWS[row + 3]
    size = len(edt)
    if kind == _EXACTLY:
        return size == argument
    if kind == _UP_TO:
        return 1 <= size <= argument
    if kind == _ONE_OR:  # installation location: a code, or 01 and a position
        return size == 1 or (size == argument and edt[0] == 1)
    if kind == _STATE:
        return size == 1 and edt[0] in STATES[argument + 1 : argument + 1 + STATES[argument]]
    width = kind & 15
    limit = LIMITS[argument * 4 + 4 - width : argument * 4 + 4]
    kind -= width
    if kind == _PAIR:
        return size == 2 * width and edt[:width] <= limit and edt[width:] <= limit
    return size == width and (kind != _UNSIGNED or edt <= limit)
