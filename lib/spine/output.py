"""Text that is written piece by piece, in chunks: an outgoing datagram.

A detailed discovery has 4 KB and more; on a heap that has been used for a while there may be no
such stretch left, but there are many short ones. A chunk also never moves while it grows.
"""

from micropython import const

_CHUNK = const(384)  # octets; a result fits, most replies take two to five


class Output:
    """Takes what a bytearray's `extend` takes; `parts` are the buffers in order."""

    def __init__(self):
        self._parts = []
        self._chunk = bytearray(_CHUNK)
        self._at = 0

    def extend(self, data):
        """Append bytes."""
        at = self._at
        end = at + len(data)
        if end > _CHUNK:
            self._extend_beyond(data)
        else:
            self._chunk[at:end] = data
            self._at = end

    def _extend_beyond(self, data):
        view = memoryview(data)
        start = 0
        while start < len(data):
            if self._at == _CHUNK:
                self._parts.append(self._chunk)
                self._chunk = bytearray(_CHUNK)
                self._at = 0
            step = min(len(data) - start, _CHUNK - self._at)
            self._chunk[self._at : self._at + step] = view[start : start + step]
            self._at += step
            start += step

    def parts(self):
        """All buffers; nothing may be appended afterwards."""
        return self._parts + [memoryview(self._chunk)[: self._at]]
