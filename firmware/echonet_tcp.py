"""ECHONET Lite over TCP, port 3610 (Part 2, 1.1): an option for controllers that want it.

Off unless it is switched on (`echonet tcp on`), and loaded only then: it cannot be announced, and
it takes sockets, of which an ESP32 has ten. A request is answered on its connection; what goes to
everybody stays on UDP. Writing takes the same permission as over UDP.

A connection stays until the controller closes it, sends what is no frame or is too long, or does
not read its answers. There is room for a few; one more takes the place of the one that has been
silent for longest, so that forgotten connections keep nobody out.
"""

import asyncio
from asyncio import core

from micropython import const

from echonet.node import REQUEST_MAX
from echonet.stream import frame_size

_CONNECTIONS_MAX = const(2)


async def serve(task, listener):
    """Accept connections for a firmware.echonet.EchonetTask until cancelled."""
    connections = []
    try:
        while True:
            yield core._io_queue.queue_read(listener)
            _accept(task, listener, connections)
    finally:
        for connection in connections:
            connection.job.cancel()


def _accept(task, listener, connections):
    """Take one. Not inside the coroutine: there it would live on in a local variable."""
    try:
        sock, sender = listener.accept()
    except OSError:
        return  # gone before we came
    source = task.check(sender)
    if source is None:
        sock.close()
        return
    sock.setblocking(False)
    if len(connections) == _CONNECTIONS_MAX:
        oldest = connections[0]
        for connection in connections:
            if connection.heard_ms < oldest.heard_ms:
                oldest = connection
        connections.remove(oldest)
        oldest.job.cancel()
    connection = Connection(task, sock, source)
    connections.append(connection)
    connection.job = asyncio.create_task(connection.run(connections))


class Connection:
    """One controller. `heard_ms` is when its last frame came."""

    def __init__(self, task, sock, source):
        self.job = None
        self.heard_ms = task.wall.now_ms()
        self._task = task
        self._socket = sock
        self._source = source
        self._octets = bytearray(REQUEST_MAX)
        self._count = 0

    async def run(self, connections):
        """Answer until the end, then leave `connections`."""
        try:
            while True:
                yield core._io_queue.queue_read(self._socket)
                if not self._read():
                    return
                while self._answer():
                    await asyncio.sleep_ms(0)  # a full buffer is many frames
        except (OSError, ValueError):
            pass  # gone, or talks something else
        except Exception as error:
            self._task.log.exception("echonet " + self._task.text(self._source), error)
        finally:
            self._socket.close()
            if self in connections:
                connections.remove(self)

    def _read(self):
        """Take what is there; False at the end of the stream. ValueError if it is too much."""
        room = memoryview(self._octets)[self._count :]
        if not len(room):
            raise ValueError("frame is too long")
        count = self._socket.readinto(room)
        if count:
            self._count += count
        return count != 0

    def _answer(self):
        """Hand the first frame to the node; False if it is not complete."""
        size = frame_size(self._octets, self._count)
        if not size:
            return False
        octets = self._octets
        frame = bytes(memoryview(octets)[:size])
        self._count -= size
        octets[: self._count] = octets[size : size + self._count]
        self._task.answer(frame, self._source, self._send)
        self.heard_ms = self._task.wall.now_ms()
        return True

    def _send(self, octets):
        """Send an answer. OSError if the controller does not take it."""
        if self._socket.send(octets) != len(octets):
            raise OSError("answers are not read")
