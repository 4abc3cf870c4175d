"""A raw SHIP client for tests: TCP, TLS, WebSocket, SHIP and SPINE made by hand.

It does what it is told on every layer, right or wrong, and so differs from the energy manager,
which only does what is right. TLS runs between memory buffers, so that a test can stop in the
middle of a flight and count the octets of the server's records.

    with Peer(port, good).reach("data") as peer:
        peer.send(b"\\x01{")
        error = peer.request("write", cmd, to=((1,), 3))

Methods that wait raise TimeoutError after `WAIT_S`, and Closed when the node ends the connection.
"""

import base64
import datetime
import json
import os
import socket
import ssl
import time
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from tools.energy_manager.eebus_json import Document, as_map, as_maps, decode, encode
from tools.energy_manager.remote_device import RemoteDevice

WAIT_S = 10.0  # for one answer; a charger under test answers within milliseconds

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
STAGES = ("tcp", "tls", "upgrade", "cmi", "hello", "handshake", "data")

DISCOVERY = "nodeManagementDetailedDiscoveryData"
NODE_MANAGEMENT = ((0,), 0)
CLIENT = ((1,), 1)  # the client feature that all our writes come from
DEVICE = "d:_n:Test_Peer"

_HELLO = {"phase": "ready", "waiting": 60_000}
_PROTOCOL = {"version": {"major": 1, "minor": 0}, "formats": {"format": ["JSON-UTF8"]}}
_MAX_SLICE = 1024  # of what is written at once, so that no record is larger (SHIP 9.2)


class Closed(Exception):
    """The node has ended the connection; `code` is None if it said nothing on WebSocket level."""

    def __init__(self, code: int | None, reason: str):
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


# --- certificates ---


@dataclass(frozen=True)
class Certificate:
    """A key and its certificate in one PEM file. `ski` is the true one, whatever is claimed."""

    path: Path
    ski: str


def make_certificate(
    folder: Path, kind: str = "good", name: str = "", claimed: str = "00" * 20
) -> Certificate:
    """Make a self-signed certificate: `good`, `forged`, `no-ski`, `p384` or `rsa`.

    A forged one claims the SKI `claimed`.
    """
    if kind == "rsa":
        key = rsa.generate_private_key(65537, 2048)
    else:
        key = ec.generate_private_key(ec.SECP384R1() if kind == "p384" else ec.SECP256R1())
    public = key.public_key()
    own = x509.SubjectKeyIdentifier.from_public_key(public)
    extension = own
    if kind == "forged":
        extension = x509.SubjectKeyIdentifier(bytes.fromhex(claimed))
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test peer")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.datetime(2020, 1, 1))
        .not_valid_after(datetime.datetime(2099, 1, 1))
    )
    if kind != "no-ski":
        builder = builder.add_extension(extension, critical=False)
    certificate = builder.sign(key, hashes.SHA256())
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = Path(folder) / f"{name or kind}.pem"
    path.write_bytes(pem + certificate.public_bytes(serialization.Encoding.PEM))
    return Certificate(path, own.digest.hex())


def certificate_in_order(folder: Path, ski: str, is_larger: bool) -> Certificate:
    """Make a certificate whose SKI is larger, or smaller, than `ski`."""
    while True:
        certificate = make_certificate(folder, name="ordered")
        if (certificate.ski > ski) == is_larger:
            return certificate


# --- the connection ---


class Peer:
    """One connection to the node at 127.0.0.1:`port`, from TCP upwards; a context manager.

    `records` are the lengths of the TLS records received so far. `window` is the size of the
    receive buffer, for a peer that does not read.
    """

    masks = True  # as a client has to

    def __init__(self, port: int, certificate: Certificate | None = None, window: int = 0):
        raw = socket.socket()
        if window:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        raw.settimeout(WAIT_S)
        raw.connect(("127.0.0.1", port))
        self._begin(raw, certificate)

    def _begin(self, raw: socket.socket, certificate: Certificate | None) -> None:
        """Take over a connected socket."""
        self.certificate = certificate
        self.records: list[int] = []
        self._socket = raw
        raw.settimeout(WAIT_S)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._wire = b""  # received, not yet a whole record
        self._plain = b""  # decrypted, not yet a whole frame
        self._fragments = b""
        self._tls: ssl.SSLObject | None = None
        self._in = ssl.MemoryBIO()
        self._out = ssl.MemoryBIO()
        self._counter = 0
        self._device = ""

    def __enter__(self) -> "Peer":
        return self

    def __exit__(self, *_: object) -> None:
        self.drop()

    def drop(self) -> None:
        """Cut the connection without a word."""
        self._socket.close()

    def detach(self) -> socket.socket:
        """The connected socket, for who does the rest in another way."""
        return self._socket

    def reach(self, stage: str) -> "Peer":
        """Go through the stages in order, up to this one."""
        for name in STAGES[1 : STAGES.index(stage) + 1]:
            getattr(self, f"do_{name}")()
        return self

    # --- TCP

    def send_octets(self, octets: bytes) -> None:
        """Send on TCP, below TLS."""
        self._socket.sendall(octets)

    def receive_octets(self) -> bytes:
        """Receive on TCP; empty at the end, also after a reset."""
        try:
            return self._socket.recv(65536)
        except ConnectionError:
            return b""

    def set_wait(self, seconds: float) -> None:
        """Change how long this peer waits."""
        self._socket.settimeout(seconds)

    # --- TLS

    def client_hello(self, **options: str) -> bytes:
        """Begin TLS and return the first flight, for who wants to send only a part of it."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if "version" in options:
            context.maximum_version = ssl.TLSVersion[options["version"]]
        context.set_ciphers(options.get("ciphers", "ECDHE-ECDSA-AES128-GCM-SHA256"))
        if "curve" in options:
            context.set_ecdh_curve(options["curve"])
        if self.certificate:
            context.load_cert_chain(self.certificate.path)
        self._tls = context.wrap_bio(self._in, self._out)
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        return self._out.read()

    def do_tls(self, **options: str) -> None:
        """TLS handshake; ssl.SSLError or Closed if the node refuses."""
        self.send_octets(self.client_hello(**options))
        self._finish_handshake()

    def _finish_handshake(self) -> None:
        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._flush()
                self._feed()
        self._flush()

    @property
    def cipher(self) -> tuple:
        """Cipher suite, protocol version and bits."""
        return self._tls.cipher()

    @property
    def node_ski(self) -> str:
        """The SKI of the node's key."""
        certificate = x509.load_der_x509_certificate(self._tls.getpeercert(True))
        return x509.SubjectKeyIdentifier.from_public_key(certificate.public_key()).digest.hex()

    def _flush(self) -> None:
        pending = self._out.read()
        if pending:
            try:
                self._socket.sendall(pending)
            except ConnectionError:
                pass  # what the node said before is still to be read

    def _feed(self) -> None:
        """Receive from TCP into TLS."""
        octets = self.receive_octets()
        if not octets:
            self._in.write_eof()
            raise Closed(None, "end of the stream")
        self._wire += octets
        while len(self._wire) >= 5:
            length = int.from_bytes(self._wire[3:5], "big")
            if len(self._wire) < 5 + length:
                break
            self.records.append(length)
            self._wire = self._wire[5 + length :]
        self._in.write(octets)

    def write(self, octets: bytes) -> None:
        """Send inside TLS."""
        for start in range(0, len(octets), _MAX_SLICE):
            self._tls.write(octets[start : start + _MAX_SLICE])
        self._flush()

    def read(self) -> bytes:
        """Receive inside TLS at least one octet; Closed at the end."""
        while True:
            try:
                octets = self._tls.read(65536)
                if not octets:
                    raise Closed(None, "end of TLS")
                return octets
            except ssl.SSLWantReadError:
                self._feed()
            except ssl.SSLZeroReturnError:
                raise Closed(None, "end of TLS") from None

    # --- WebSocket

    @staticmethod
    def request_head(protocol: str = "ship", path: str = "/ship/", upgrade: bool = True) -> bytes:
        """Return an HTTP request for a WebSocket, or for a plain page."""
        lines = [f"GET {path} HTTP/1.1", "Host: charger.local:4712"]
        if upgrade:
            key = base64.b64encode(os.urandom(16)).decode()
            lines += ["Upgrade: websocket", "Connection: Upgrade"]
            lines += ["Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}"]
        if protocol:
            lines.append(f"Sec-WebSocket-Protocol: {protocol}")
        return "\r\n".join([*lines, "", ""]).encode()

    def upgrade(self, head: bytes) -> int:
        """Send a request, read the head of the answer, return the status code."""
        self.write(head)
        while b"\r\n\r\n" not in self._plain:
            self._plain += self.read()
        answer, _, self._plain = self._plain.partition(b"\r\n\r\n")
        return int(answer.split(b" ")[1])

    def do_upgrade(self) -> None:
        """Open the WebSocket."""
        status = self.upgrade(self.request_head())
        assert status == 101, status

    @staticmethod
    def frame(
        payload: bytes, opcode: int = BINARY, final: bool = True, masked: bool = True, rsv: int = 0
    ) -> bytes:
        """Return one frame."""
        head = bytearray([0x80 * final | rsv << 4 | opcode])
        bit = 0x80 * masked
        if len(payload) < 126:
            head.append(bit | len(payload))
        elif len(payload) < 0x10000:
            head += bytes([bit | 126]) + len(payload).to_bytes(2, "big")
        else:
            head += bytes([bit | 127]) + len(payload).to_bytes(8, "big")
        if not masked:
            return bytes(head) + payload
        mask = os.urandom(4)
        long_mask = mask * (len(payload) // 4 + 1)
        return bytes(head) + mask + bytes(a ^ b for a, b in zip(payload, long_mask))

    def send(self, message: bytes) -> None:
        """Send one binary message."""
        self.write(self.frame(message, masked=self.masks))

    def receive(self) -> bytes:
        """Return the next message; pings are answered, a close frame raises Closed."""
        while True:
            opcode, final, payload = self._read_frame()
            if opcode == CLOSE:
                code = int.from_bytes(payload[:2], "big") if payload else None
                self.write(self.frame(payload[:2], CLOSE, masked=self.masks))
                raise Closed(code, payload[2:].decode())
            if opcode == PING:
                self.write(self.frame(payload, PONG, masked=self.masks))
            elif opcode in (BINARY, CONTINUATION):
                self._fragments += payload
                if final:
                    message, self._fragments = self._fragments, b""
                    return message

    def _read_frame(self) -> tuple[int, bool, bytes]:
        first, second = self._take(2)
        length = second & 0x7F
        if length >= 126:
            length = int.from_bytes(self._take(2 if length == 126 else 8), "big")
        assert bool(second & 0x80) != self.masks, "only clients mask"
        mask = b"" if self.masks else self._take(4)
        payload = self._take(length)
        if mask:
            payload = bytes(a ^ b for a, b in zip(payload, mask * (length // 4 + 1)))
        return first & 0x0F, first >= 0x80, payload

    def _take(self, count: int) -> bytes:
        while len(self._plain) < count:
            self._plain += self.read()
        octets, self._plain = self._plain[:count], self._plain[count:]
        return octets

    def wait_closed(self) -> tuple[int | None, str]:
        """Read until the node ends the connection; return the close code and the reason.

        Messages before it are dropped. TCP has ended as well when this returns.
        """
        end = time.monotonic() + WAIT_S
        outcome = None
        while time.monotonic() < end:
            try:
                if outcome is None:
                    self.receive()
                else:
                    self.read()
            except Closed as closed:
                if closed.code is None:
                    return outcome or (None, closed.reason)
                outcome = (closed.code, closed.reason)
            except ssl.SSLError as error:
                return outcome or (None, str(error))
        raise TimeoutError("the node does not end the connection")

    # --- SHIP

    def do_cmi(self) -> None:
        """Connection mode initialisation."""
        self.send(b"\0\0")
        assert self.receive() == b"\0\0"

    def control(self, name: str, body: dict, kind: int = 1) -> None:
        """Send a control message."""
        self.send(bytes([kind]) + encode(name, body))

    def expect(self, *names: str) -> tuple[str, dict]:
        """Return the next message with one of these roots, as (root, body)."""
        while True:
            message = self.receive()
            if message[1:2] == b"{":
                root, body = decode(message[1:])
                if root in names:
                    return root, as_map(body)

    def do_hello(self) -> None:
        """Say ready, wait until the node is."""
        self.control("connectionHello", _HELLO)
        while self.expect("connectionHello")[1]["phase"] != "ready":
            pass

    def do_handshake(self) -> None:
        """Protocol handshake."""
        self.control("messageProtocolHandshake", {"handshakeType": "announceMax", **_PROTOCOL})
        assert self.expect("messageProtocolHandshake")[1]["handshakeType"] == "select"
        self.control("messageProtocolHandshake", {"handshakeType": "select", **_PROTOCOL})

    def do_data(self) -> None:
        """PIN phase; at its end both sides are in data exchange."""
        self.control("connectionPinState", {"pinState": "none"})
        assert self.expect("connectionPinState")[1]["pinState"] == "none"
        self.expect("accessMethodsRequest")  # the node's first message of data exchange

    # --- SPINE

    def datagram(
        self,
        classifier: str,
        cmd: dict | list,
        to: tuple = NODE_MANAGEMENT,
        source: tuple = CLIENT,
        device: str | None = None,
        ack: bool = True,
    ) -> int:
        """Send a datagram, return its msgCounter. `device` is the destination's, if not its own.

        `cmd` is one command, or a list of them.
        """
        self._counter += 1
        destination = device if device is not None else self._device
        header = {
            "specificationVersion": "1.3.0",
            "addressSource": _address(DEVICE, source),
            "addressDestination": _address(destination, to),
            "msgCounter": self._counter,
            "cmdClassifier": classifier,
            "ackRequest": ack,
        }
        commands = cmd if isinstance(cmd, list) else [cmd]
        datagram = Document("datagram", {"header": header, "payload": {"cmd": commands}})
        self.send(b"\2" + encode("data", {"header": {"protocolId": "ee1.0"}, "payload": datagram}))
        return self._counter

    def send_payload(self, payload: bytes) -> None:
        """Send any octets as the payload of a data message."""
        self.send(b'\2{"data":[{"header":[{"protocolId":"ee1.0"}]},{"payload":%s}]}' % payload)

    def answer(self, counter: int) -> tuple[str, dict]:
        """Return (classifier, command) of the answer to the datagram with this msgCounter."""
        while True:
            header, cmd = self.next_datagram()
            if header.get("msgCounterReference") == counter:
                self._device = header["addressSource"]["device"]
                return header["cmdClassifier"], cmd

    def next_datagram(self) -> tuple[dict, dict]:
        """Return (header, command) of the next datagram."""
        _, body = self.expect("data")
        datagram = as_map(as_map(body["payload"])["datagram"])
        return as_map(datagram["header"]), as_maps(as_map(datagram["payload"])["cmd"])[0]

    def request(self, classifier: str, cmd: dict | list, **options: object) -> int | dict:
        """Send a datagram; return the error number of the result, or the command of the reply."""
        kind, answer = self.answer(self.datagram(classifier, cmd, **options))
        return as_map(answer["resultData"])["errorNumber"] if kind == "result" else answer

    def read_function(self, function: str, to: tuple = NODE_MANAGEMENT) -> dict:
        """Read a function, return its content."""
        return as_map(self.request("read", {function: {}}, to=to)[function])

    def discover(self) -> RemoteDevice:
        """Read the detailed discovery."""
        remote = RemoteDevice()
        remote.apply_discovery(self.read_function(DISCOVERY), False)
        return remote

    def beat(self) -> None:
        """Notify the node's heartbeat client of a heartbeat."""
        beat = {"heartbeatCounter": self._counter, "heartbeatTimeout": "PT60S"}
        self.datagram("notify", {"deviceDiagnosisHeartbeatData": beat}, to=((1,), 1), ack=False)

    def relate(self, kind: str, to: tuple, feature_type: str, source: tuple = CLIENT) -> int:
        """Ask for a `binding` or `subscription`; return the error number."""
        request = {
            "clientAddress": _address(DEVICE, source),
            "serverAddress": _address(self._device, to),
            "serverFeatureType": feature_type,
        }
        name = f"nodeManagement{kind.capitalize()}RequestCall"
        return self.request("call", {name: {f"{kind}Request": request}}, source=NODE_MANAGEMENT)


def _address(device: str, address: tuple) -> dict:
    part = {"device": device} if device else {}
    return {**part, "entity": list(address[0]), "feature": address[1]}


def nested(depth: int) -> bytes:
    """Return JSON of so many arrays inside one another."""
    return b"[" * depth + json.dumps("core").encode() + b"]" * depth
