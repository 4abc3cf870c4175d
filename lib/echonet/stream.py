"""Frames in a TCP stream: they carry no length, so one ends where its last property does.

Covers ECHONET Lite Part 2, 3.2, for the optional transport of 1.1. What a frame says is the node's
business; here only its shape counts. A stream that is no frame cannot be picked up again.
"""

from micropython import const

_OPC = const(11)  # octets before the first list
_SETGET = const(0x0E)  # second digit of the services with two lists: 6E, 7E, 5E


def frame_size(octets, count: int) -> int:
    """Return the size of the frame that the first `count` octets begin with; 0: more to come.

    Raises ValueError if no frame begins so. Format 2 has no end that could be seen, thus is none.
    """
    for i in range(min(count, 2)):
        if octets[i] != (0x81 if i else 0x10):
            raise ValueError("no ECHONET Lite frame of format 1")
    at = _OPC
    lists = 2 if count > _OPC and octets[_OPC - 1] & 15 == _SETGET else 1
    while lists:
        lists -= 1
        if at >= count:
            return 0
        left = octets[at]
        at += 1
        while left:
            if at + 1 >= count:
                return 0
            at += 2 + octets[at + 1]
            left -= 1
    return at if at <= count else 0
