"""A lean energy manager for timing: blocking sockets, ready-made texts, no library in the way.

Plays SHIP as client and as much SPINE as leads to an accepted LPC limit. It is no example of a
good manager (tools/energy_manager is one): it exists so that what is measured is the charger.
"""

import base64
import json
import os
import re
import socket
import ssl
import time

HEMS = "d:_i:1_BENCH"

_HELLO = b'\x01{"connectionHello":[{"phase":"ready"},{"waiting":120000}]}'
_HANDSHAKE = (
    b'\x01{"messageProtocolHandshake":[{"handshakeType":"%s"},'
    b'{"version":[{"major":1},{"minor":0}]},{"formats":[{"format":["JSON-UTF8"]}]}]}'
)
_PIN = b'\x01{"connectionPinState":[{"pinState":"none"}]}'
_ACCESS_REQUEST = b'\x01{"accessMethodsRequest":[]}'
_ACCESS = b'\x01{"accessMethods":[{"id":"BENCH"}]}'

_DISCOVERY = (
    '{"nodeManagementDetailedDiscoveryData":[{"specificationVersionList":'
    '[{"specificationVersion":["1.3.0"]}]},{"deviceInformation":[{"description":[{"deviceAddress":'
    '[{"device":"%s"}]},{"deviceType":"EnergyManagementSystem"}]}]},{"entityInformation":['
    '[{"description":[{"entityAddress":[{"entity":[0]}]},{"entityType":"DeviceInformation"}]}],'
    '[{"description":[{"entityAddress":[{"entity":[1]}]},{"entityType":"GridGuard"}]}]]},'
    '{"featureInformation":[[{"description":[{"featureAddress":[{"entity":[0]},{"feature":0}]},'
    '{"featureType":"NodeManagement"},{"role":"special"},{"supportedFunction":['
    '[{"function":"nodeManagementDetailedDiscoveryData"},{"possibleOperations":[{"read":[]}]}],'
    '[{"function":"nodeManagementUseCaseData"},{"possibleOperations":[{"read":[]}]}]]}]}],'
    '[{"description":[{"featureAddress":[{"entity":[1]},{"feature":1}]},{"featureType":'
    '"DeviceDiagnosis"},{"role":"server"},{"supportedFunction":[[{"function":'
    '"deviceDiagnosisHeartbeatData"},{"possibleOperations":[{"read":[]}]}]]}]}],[{"description":'
    '[{"featureAddress":[{"entity":[1]},{"feature":2}]},{"featureType":"LoadControl"},'
    '{"role":"client"}]}]]}]}' % HEMS
)
_USE_CASES = (
    '{"nodeManagementUseCaseData":[{"useCaseInformation":[[{"address":[{"device":"%s"},{"entity":'
    '[1]}]},{"actor":"EnergyGuard"},{"useCaseSupport":[[{"useCaseName":'
    '"limitationOfPowerConsumption"},{"useCaseVersion":"1.0.0"},{"useCaseAvailable":true},'
    '{"scenarioSupport":[1,2,3,4]},{"useCaseDocumentSubRevision":"release"}]]}]]}]}' % HEMS
)
_HEARTBEAT = (
    '{"deviceDiagnosisHeartbeatData":[{"timestamp":"2026-01-01T00:00:00Z"},'
    '{"heartbeatCounter":%d},{"heartbeatTimeout":"PT60S"}]}'
)
_WRITE = (
    '{"function":"loadControlLimitListData"},{"filter":[[{"cmdControl":[{"partial":[]}]}]]},'
    '{"loadControlLimitListData":[{"loadControlLimitData":[[{"limitId":%d},{"isLimitActive":%s},'
    '{"value":[{"number":%d},{"scale":0}]}]]}]}'
)


class Client:
    """One connection. `times` has milliseconds since the TCP connect: tls, data, limit."""

    def __init__(self, identity, host, port):
        self._identity = identity
        self._address = (host, port)
        self.times = {}
        self.spine = []  # datagrams of the charger, parsed, that nobody has looked at
        self._buffer = b""
        self._counter = 0
        self._beats = 0
        self.device = None
        self.load_control = None
        self.diagnosis = None
        self.limit_id = None

    # --- transport --------------------------------------------------------------------------

    def connect(self):
        """TCP, TLS, WebSocket, SHIP up to data exchange."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.load_cert_chain(self._identity.certificate_path, self._identity.key_path)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        self._start = time.perf_counter()
        raw = socket.create_connection(self._address, timeout=10)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = context.wrap_socket(raw)
        self._stamp("tls")
        key = base64.b64encode(os.urandom(16)).decode()
        self._socket.sendall(
            f"GET /ship/ HTTP/1.1\r\nHost: charger\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
            f"Sec-WebSocket-Protocol: ship\r\n\r\n".encode()
        )
        while b"\r\n\r\n" not in self._buffer:
            self._fill()
        head, self._buffer = self._buffer.split(b"\r\n\r\n", 1)
        if b" 101 " not in head:
            raise ConnectionError(head.decode())
        self._prepare()

    def _prepare(self):
        """The phases before data exchange; a trusted peer's straight way."""
        self.send(b"\x00\x00")
        self._until(b"\x00\x00")
        self.send(_HELLO)
        self._until(b"connectionHello")
        self.send(_HANDSHAKE % b"announceMax")
        self._until(b"messageProtocolHandshake")
        self.send(_HANDSHAKE % b"select")
        self.send(_PIN)
        self._until(b"connectionPinState")
        self._stamp("data")
        self.send(_ACCESS_REQUEST)

    def _stamp(self, name):
        self.times[name] = (time.perf_counter() - self._start) * 1000

    def send(self, message):
        """Send one SHIP message; masked with zeros, which leaves the text as it is."""
        length = len(message)
        if length < 126:
            head = bytes([0x82, 0x80 | length])
        else:
            head = bytes([0x82, 0xFE]) + length.to_bytes(2, "big")
        self._socket.sendall(head + b"\0\0\0\0" + message)

    def _fill(self):
        data = self._socket.recv(65536)
        if not data:
            raise ConnectionError("closed by the charger")
        self._buffer += data

    def _frame(self):
        """The next frame as (opcode, payload)."""
        while True:
            data = self._buffer
            if len(data) >= 2:
                length, at = data[1] & 0x7F, 2
                if length == 126 and len(data) >= 4:
                    length, at = int.from_bytes(data[2:4], "big"), 4
                elif length == 126:
                    length = 1 << 30
                if len(data) >= at + length:
                    self._buffer = data[at + length :]
                    return data[0] & 15, data[at : at + length]
            self._fill()

    def message(self):
        """The next SHIP message; pings and access methods are answered on the way."""
        while True:
            opcode, payload = self._frame()
            if opcode == 9:
                self._socket.sendall(bytes([0x8A, 0x80 | len(payload)]) + b"\0\0\0\0" + payload)
            elif opcode == 8:
                raise ConnectionError(f"closed by the charger: {payload!r}")
            elif b"accessMethodsRequest" in payload[:40]:
                self.send(_ACCESS)
            elif opcode == 2:
                return payload

    def _until(self, text):
        while text not in self.message():
            pass

    def close(self):
        """Cut the connection."""
        self._socket.close()

    # --- SPINE ------------------------------------------------------------------------------

    def datagram(self, classifier, source, destination, command, reference=None, ack=True):
        """The octets of a SHIP data message with one datagram."""
        self._counter += 1
        device = f'{{"device":"{self.device}"}},' if self.device else ""
        refers = "" if reference is None else f',{{"msgCounterReference":{reference}}}'
        asks = ',{"ackRequest":true}' if ack else ""
        return (
            '\x02{"data":[{"header":[{"protocolId":"ee1.0"}]},{"payload":{"datagram":[{"header":['
            f'{{"specificationVersion":"1.3.0"}},{{"addressSource":[{{"device":"{HEMS}"}},'
            f'{{"entity":[{source[0]}]}},{{"feature":{source[1]}}}]}},{{"addressDestination":['
            f'{device}{{"entity":[{destination[0]}]}},{{"feature":{destination[1]}}}]}},'
            f'{{"msgCounter":{self._counter}}}{refers},{{"cmdClassifier":"{classifier}"}}{asks}]}},'
            f'{{"payload":[{{"cmd":[[{command}]]}}]}}]}}}}]}}'
        ).encode()

    def ask(self, classifier, source, destination, command):
        """Send a request, serve the charger's own, return the text of the answer."""
        self.send(self.datagram(classifier, source, destination, command))
        wanted = b'"msgCounterReference":%d}' % self._counter
        while True:
            message = self.message()
            if wanted in message:
                return message.decode()
            self._serve(message.decode())

    def _serve(self, text):
        """Answer what the charger asks of a manager."""
        if '"cmdClassifier":"read"' in text:
            counter = int(re.search(r'"msgCounter":(\d+)', text)[1])
            if "nodeManagementDetailedDiscoveryData" in text:
                self._reply(counter, (0, 0), _DISCOVERY)
            elif "nodeManagementUseCaseData" in text:
                self._reply(counter, (0, 0), _USE_CASES)
            elif "deviceDiagnosisHeartbeatData" in text:
                self._reply(counter, (1, 1), self._beat())
        elif '"cmdClassifier":"call"' in text:
            counter = int(re.search(r'"msgCounter":(\d+)', text)[1])
            done = '{"resultData":[{"errorNumber":0}]}'
            self.send(self.datagram("result", (0, 0), (0, 0), done, counter, False))

    def _reply(self, counter, source, command):
        destination = (0, 0) if source == (0, 0) else self.diagnosis
        self.send(self.datagram("reply", source, destination, command, counter, False))

    def _beat(self):
        self._beats += 1
        return _HEARTBEAT % self._beats

    def commission(self):
        """Discovery, use cases, binding, heartbeat, first accepted limit."""
        answer = self.ask("read", (0, 0), (0, 0), '{"nodeManagementDetailedDiscoveryData":[]}')
        self._learn(answer)
        self.ask("read", (0, 0), (0, 0), '{"nodeManagementUseCaseData":[]}')
        for kind in ("Subscription", "Binding"):
            self.ask("call", (0, 0), (0, 0), self._relation(kind))
        text = self.ask(
            "read", (1, 2), self.load_control, '{"loadControlLimitDescriptionListData":[]}'
        )
        self.limit_id = int(re.search(r'"limitId":(\d+)', text)[1])
        self.send(self.datagram("notify", (1, 1), self.diagnosis, self._beat(), ack=False))
        self.limit(True, 4200)
        self._stamp("limit")

    def _learn(self, text):
        """Device address and feature addresses from the charger's discovery."""
        self.device = re.search(r'"deviceAddress":\[\{"device":"([^"]*)"', text)[1]
        tree = json.loads(text[1:])
        payload = tree["data"][1]["payload"]["datagram"][1]["payload"][0]["cmd"][0][0]
        for member in payload["nodeManagementDetailedDiscoveryData"]:
            for feature in member.get("featureInformation", ()):
                fields = {}
                for part in feature[0]["description"]:
                    fields.update(part)
                address = {}
                for part in fields["featureAddress"]:
                    address.update(part)
                place = (",".join(map(str, address["entity"])), address["feature"])
                if (fields["featureType"], fields["role"]) == ("LoadControl", "server"):
                    self.load_control = self.load_control or place
                if (fields["featureType"], fields["role"]) == ("DeviceDiagnosis", "client"):
                    self.diagnosis = self.diagnosis or place

    def _relation(self, kind):
        name = kind.lower()
        return (
            f'{{"nodeManagement{kind}RequestCall":[{{"{name}Request":[{{"clientAddress":['
            f'{{"device":"{HEMS}"}},{{"entity":[1]}},{{"feature":2}}]}},{{"serverAddress":['
            f'{{"device":"{self.device}"}},{{"entity":[{self.load_control[0]}]}},'
            f'{{"feature":{self.load_control[1]}}}]}},{{"serverFeatureType":"LoadControl"}}]}}]}}'
        )

    def limit(self, is_active, watts):
        """Write a limit; returns the round trip in ms. Raises ConnectionError if refused."""
        flag = "true" if is_active else "false"
        command = _WRITE % (self.limit_id, flag, watts)
        begin = time.perf_counter()
        answer = self.ask("write", (1, 2), self.load_control, command)
        took_ms = (time.perf_counter() - begin) * 1000
        if '"errorNumber":0' not in answer:
            raise ConnectionError("limit refused: " + answer[-120:])
        return took_ms

    def heartbeat(self):
        """Send one heartbeat."""
        self.send(self.datagram("notify", (1, 1), self.diagnosis, self._beat(), ack=False))
