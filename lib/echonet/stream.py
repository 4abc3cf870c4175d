"""Frames in a TCP stream: they carry no length, so one ends where its last property does.

Covers ECHONET Lite Part 2, 3.2, for the optional transport of 1.1. What a frame says is the node's
business; here only its shape counts. A stream that is no frame cannot be picked up again.
"""

from micropython import const

from echonet.node import list_end

_OPC = const(11)  # octets before the first list
_SETGET = const(0x0E)  # second digit of the services with two lists: 6E, 7E, 5E


def frame_size(octets, count: int) -> int:
    """Return the size of the frame that the first `count` octets begin with; 0: more to come.

    Raises ValueError if no frame begins so. Format 2 has no end that could be seen, thus is none.
    """
    for i in range(min(count, 2)):
        if octets[i] != (0x81 if i else 0x10):
            raise ValueError("no ECHONET Lite frame of format 1")
    at = list_end(octets, _OPC, count)
    if at and octets[_OPC - 1] & 15 == _SETGET:
        at = list_end(octets, at, count)
    return at
