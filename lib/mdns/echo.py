"""Recognise our own multicast packets when the network hands them back to us.

A socket that multicasts to its own group receives what it sent. For the responder an old packet of
its own would look like a conflict, and the browser would be answered by its own node. The source
address alone does not tell, because several nodes may run on one host: a packet is our echo if it
also equals one that we have sent lately. Each is taken once, so that the same packet from
another node on this host is not lost. Where nothing is handed back, nothing is taken.
"""

import binascii

from micropython import const

_PACKETS_MAX = const(16)
_LATELY_MS = const(1_000)


class Echo:
    """The packets sent during the last second, as checksums; at most sixteen."""

    def __init__(self):
        self._sent = []  # (checksum, ms)

    def sent(self, packet, now):
        """Note a multicast packet (bytes)."""
        if len(self._sent) == _PACKETS_MAX:
            self._sent.pop(0)
        self._sent.append((binascii.crc32(packet), now))

    def take(self, packet, now):
        """Tell whether a packet from our own address is one of ours, and strike it off."""
        while self._sent and now - self._sent[0][1] > _LATELY_MS:
            self._sent.pop(0)
        if not self._sent:
            return False
        checksum = binascii.crc32(packet)
        for i, (known, _) in enumerate(self._sent):
            if known == checksum:
                self._sent.pop(i)
                return True
        return False
