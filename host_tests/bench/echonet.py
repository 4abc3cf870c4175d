"""ECHONET Lite: Get of ten properties, one request after the other, and what the node costs.

The same client asks our node and nodes made with the npm libraries, on loopback, turn by turn, so
that whatever else the machine does counts for both.
"""

import socket
import statistics
import sys
import time
from pathlib import Path

from host_tests.bench.figures import Figure
from host_tests.e2e.echonet_peers import lan
from host_tests.e2e.world import settled_heap
from tools.simulate import Simulator

OWN, NODE, OTHER = "127.0.0.9", "127.0.0.8", "127.0.0.10"
PORT = 3610
EPCS = "808288898A9DC5C7DAD3"
GET = bytes.fromhex(
    "1081000105FF0102A101620A" + "".join(EPCS[i : i + 2] + "00" for i in range(0, 20, 2))
)
WARM_UP = 1_000
REQUESTS = 2_000
ROUNDS = 7
LIBRARIES = ("echonet-lite", "node-echonet-lite")
SHARE = {"echonet-lite": 1.0, "node-echonet-lite": 0.5}  # our time for a request, at most


def measure(folder: Path) -> list[Figure]:
    """All figures of this file; without node and npm only our own."""
    ours, theirs, shares = [], {}, {}
    with _charger(folder / "echonet", code="source"), Client() as client:
        client.warm_up(NODE)
        if lan.missing():
            print(f"nothing to compare ECHONET Lite with: {lan.missing()}", file=sys.stderr)
        for library in () if lan.missing() else LIBRARIES:
            with lan.javascript(library, "node", lan.Lan(), OTHER):
                client.warm_up(OTHER)
                pairs = [(client.rate(NODE), client.rate(OTHER)) for _ in range(ROUNDS)]
            ours += [pair[0] for pair in pairs]
            theirs[library] = statistics.median(pair[1] for pair in pairs)
            shares[library] = statistics.median(pair[1] / pair[0] for pair in pairs)
        ours = ours or [client.rate(NODE) for _ in range(ROUNDS)]
    figures = [Figure("ECHONET Lite, Get of ten properties", round(statistics.median(ours)), "/s")]
    for library, rate in theirs.items():
        figures.append(Figure(f"the same, npm {library}", round(rate), "/s"))
        name = f"our time for it, as a share of {library}'s"
        figures.append(Figure(name, round(shares[library], 2), "", SHARE[library]))
    return [*figures, Figure("heap of the ECHONET Lite node", _heap_kib(folder), "KiB")]


class Client:
    """Asks one thing after the other; a context manager."""

    def __enter__(self) -> "Client":
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((OWN, PORT))
        return self

    def __exit__(self, *_) -> None:
        self._socket.close()

    def rate(self, node: str) -> float:
        """Requests per second that this node answers."""
        begin = time.perf_counter()
        self._ask(node, REQUESTS)
        return REQUESTS / (time.perf_counter() - begin)

    def warm_up(self, node: str) -> None:
        """Wait until it answers, and then some. Raises TimeoutError if it never does."""
        self._socket.settimeout(0.2)
        end = time.monotonic() + 10
        while True:
            try:
                self._ask(node, 1)
                break
            except TimeoutError:
                if time.monotonic() > end:
                    raise
        self._socket.settimeout(5.0)
        self._ask(node, WARM_UP)

    def _ask(self, node, count):
        for _ in range(count):
            self._socket.sendto(GET, (node, PORT))
            answer = self._socket.recv(2000)
            if answer[10] != 0x72 or answer[11] != 10:
                raise ValueError(answer.hex())


def _heap_kib(folder):
    used = []
    for is_on in (True, False):
        with _charger(folder / "charger32", bits="32", code="romfs", echonet=is_on) as charger:
            used.append(settled_heap(charger))
    return round((used[0] - used[1]) / 1024, 1)


def _charger(state, echonet=True, **options):
    if not echonet:
        options["no_echonet"] = True
    charger = Simulator(state=str(state), port=0, no_mdns=True, echonet_address=NODE, **options)
    return charger
