"""A SHIP node that is called: it listens, announces itself with zeroconf, and serves one call.

`CalledPeer` is the server's side of `peer.Peer`: the same methods, the other role.

    with Listener(certificate) as hems:
        charger.command("trust " + certificate.ski)
        with hems.accept().reach("data") as peer:
            peer.discover()
"""

import base64
import hashlib
import os
import socket
import ssl
import time

from zeroconf import IPVersion, ServiceInfo, Zeroconf

from host_tests.e2e.peer import WAIT_S, Certificate, Peer

TYPE = "_ship._tcp.local."
LOOPBACK = bytes((127, 0, 0, 1))

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_HELLO = {"phase": "ready", "waiting": 60_000}
_PROTOCOL = {"version": {"major": 1, "minor": 0}, "formats": {"format": ["JSON-UTF8"]}}


class Listener:
    """Listens on `host` and announces `addresses` and `ski`, by default what is true."""

    def __init__(self, certificate: Certificate, addresses=(LOOPBACK,), ski="", host="127.0.0.1"):
        self._certificate = certificate
        self._zeroconf = Zeroconf(interfaces=["127.0.0.1"], ip_version=IPVersion.V4Only)
        self._addresses = list(addresses)
        self._ski = ski or certificate.ski
        self._instance = f"Called {os.getpid()} {time.monotonic_ns() % 1_000_000_000}"
        self._listen(host)

    def __enter__(self) -> "Listener":
        self._zeroconf.register_service(self._service())
        return self

    def __exit__(self, *_: object) -> None:
        self._zeroconf.close()
        self._socket.close()

    def _listen(self, host: str) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.bind((host, 0))
        self._socket.listen()

    def _service(self) -> ServiceInfo:
        properties = {"txtvers": "1", "path": "/ship/", "id": "HEMS", "register": "false"}
        return ServiceInfo(
            TYPE,
            f"{self._instance}.{TYPE}",
            port=self._socket.getsockname()[1],
            properties={**properties, "ski": self._ski},
            server=self._instance.replace(" ", "-") + ".local.",
            addresses=self._addresses,
        )

    def move(self) -> None:
        """Go on at another port, and announce it."""
        self._socket.close()
        self._listen("127.0.0.1")
        self._zeroconf.update_service(self._service())

    def accept(self, wait_s: float = WAIT_S) -> "CalledPeer":
        """Wait for a call; TimeoutError if there is none."""
        self._socket.settimeout(wait_s)
        accepted, _ = self._socket.accept()
        return CalledPeer(accepted, self._certificate)


class CalledPeer(Peer):
    """The server's side of a connection that the node has opened. `head` is its request."""

    masks = False

    def __init__(self, accepted: socket.socket, certificate: Certificate):
        self.head = b""
        self._begin(accepted, certificate)

    def do_tls(self, **options: str) -> None:
        """TLS handshake; ssl.SSLError or Closed if the node refuses."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if "version" in options:
            context.maximum_version = ssl.TLSVersion[options["version"]]
        context.load_cert_chain(self.certificate.path)
        self._tls = context.wrap_bio(self._in, self._out, server_side=True)
        self._finish_handshake()

    def do_upgrade(self) -> None:
        """Answer the request for a WebSocket."""
        while b"\r\n\r\n" not in self._plain:
            self._plain += self.read()
        self.head, _, self._plain = self._plain.partition(b"\r\n\r\n")
        lines = dict(line.lower().split(b": ", 1) for line in self.head.split(b"\r\n")[1:])
        key = self.head[self.head.lower().index(b"sec-websocket-key: ") + 19 :].split(b"\r\n")[0]
        assert lines[b"sec-websocket-protocol"] == b"ship"
        accept = base64.b64encode(hashlib.sha1(key + _GUID).digest())
        self.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\nSec-WebSocket-Protocol: ship\r\n\r\n"
        )

    def refuse(self, status: str) -> None:
        """Answer the request with an HTTP status."""
        while b"\r\n\r\n" not in self._plain:
            self._plain += self.read()
        self.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())

    def do_cmi(self) -> None:
        """Connection mode initialisation: the client speaks first."""
        assert self.receive() == b"\0\0"
        self.send(b"\0\0")

    def do_handshake(self) -> None:
        """Protocol handshake: the client announces, the server selects, the client confirms."""
        step = self.expect("messageProtocolHandshake")[1]["handshakeType"]
        assert step == "announceMax"
        self.control("messageProtocolHandshake", {"handshakeType": "select", **_PROTOCOL})
        assert self.expect("messageProtocolHandshake")[1]["handshakeType"] == "select"
