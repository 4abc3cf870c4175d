"""Sending on a TLS stream without waiting: what fits goes out, the rest when the socket takes it.

Records are kept to MAX_FRAGMENT octets (SHIP 9.2), whatever the sizes of the buffers.
"""

import asyncio

from firmware.tls_stream import MAX_FRAGMENT

# One scratch record for all connections: a write copies it into mbedTLS at once.
_record = None


class RecordWriter:
    """Sends what `source.take()` gives, a list of buffers, on a `stream` (TlsStream).

    `failed(reason)` is called if the socket breaks while the rest is written.
    """

    def __init__(self, stream, source, failed):
        self._stream = stream
        self._source = source
        self._failed = failed
        self._out = []
        self._at = 0  # octets of the first buffer that are sent already
        self._drain = None  # the task that writes the rest

    def flush(self):
        """Send as far as the socket takes it. Never waits; raises OSError."""
        if self._drain is None and self._write():
            self._drain = asyncio.create_task(self._write_rest())

    def close(self):
        """Send no more."""
        if self._drain:
            self._drain.cancel()

    async def _write_rest(self):
        """Wait for the socket and write until nothing is left."""
        try:
            while True:
                await self._stream.writable()
                if not self._write():
                    return
        except OSError as error:
            self._failed("cannot send: %s" % error)
        finally:
            self._drain = None

    def _write(self):
        """Write records while the socket takes them; returns whether something is left."""
        global _record
        if _record is None:
            _record = bytearray(MAX_FRAGMENT)
        view = memoryview(_record)
        while True:
            if not self._out:
                self._out = self._source.take()
                if not self._out:
                    return False
            size = self._fill(view)
            written = self._stream.write(view[:size])
            if not written:
                return True
            self._sent(written)

    def _fill(self, view):
        """Copy the next octets to send into `view`, at most one record."""
        at = 0
        skip = self._at
        for part in self._out:
            rest = min(len(part) - skip, MAX_FRAGMENT - at)
            view[at : at + rest] = memoryview(part)[skip : skip + rest]
            at += rest
            skip = 0
            if at == MAX_FRAGMENT:
                break
        return at

    def _sent(self, count):
        count += self._at
        while self._out and count >= len(self._out[0]):
            count -= len(self._out[0])
            self._out.pop(0)
        self._at = count
