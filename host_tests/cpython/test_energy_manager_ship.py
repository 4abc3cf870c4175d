"""The energy manager's SHIP client against a scripted charger, over real TLS on 127.0.0.1.

Expected messages are written literally. The charger's side is made of `websockets` and
`cryptography` alone, so that nothing of the client can hide a mistake of its own.
"""

import asyncio
import contextlib
import datetime
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

from tools.energy_manager.hello import Hello
from tools.energy_manager.identity import Identity, WrongCertificate, certificate_ski, grouped
from tools.energy_manager.ship import ShipConnection
from tools.energy_manager.ship_messages import (
    NotReachable,
    PeerError,
    Refused,
    ShipTimeout,
    WrongPeer,
    parse_frame,
)

READY = '{"connectionHello":[{"phase":"ready"},{"waiting":120000}]}'
PENDING = '{"connectionHello":[{"phase":"pending"},{"waiting":60000}]}'
ABORTED = '{"connectionHello":[{"phase":"aborted"}]}'
MORE = '{"connectionHello":[{"phase":"pending"},{"prolongationRequest":true}]}'
ANNOUNCE = (
    '{"messageProtocolHandshake":[{"handshakeType":"announceMax"},{"version":[{"major":1},'
    '{"minor":0}]},{"formats":[{"format":["JSON-UTF8"]}]}]}'
)
SELECT = ANNOUNCE.replace("announceMax", "select")
NO_PIN = '{"connectionPinState":[{"pinState":"none"}]}'
ASK_METHODS = '{"accessMethodsRequest":[]}'
CLOSE = '{"connectionClose":[{"phase":"announce"},{"maxTime":1000},{"reason":"unspecific"}]}'
CONFIRM = '{"connectionClose":[{"phase":"confirm"}]}'


# -- the scripted charger -----------------------------------------------------------------------


def make_certificate(folder, ski=None, curve=None):
    """Write a charger's key and certificate; return `(path of both, SKI in the extension)`."""
    key = ec.generate_private_key(curve or ec.SECP256R1())
    honest = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    extension = x509.SubjectKeyIdentifier(ski) if ski else honest
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "charger")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name)
    builder = builder.public_key(key.public_key()).serial_number(1)
    builder = builder.not_valid_before(datetime.datetime(2001, 1, 1))  # long expired on purpose
    builder = builder.not_valid_after(datetime.datetime(2002, 1, 1))
    if ski != b"":
        builder = builder.add_extension(extension, critical=False)
    certificate = builder.sign(key, hashes.SHA256())
    path = folder / "charger.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path, extension.digest.hex()


class Charger:
    """The charger's end of one connection, for scripts."""

    def __init__(self, socket):
        self.socket = socket

    async def expect(self, kind, text):
        frame = await asyncio.wait_for(self.socket.recv(), 5)
        assert (frame[0], frame[1:].decode()) == (kind, text)

    async def send(self, kind, text):
        await self.socket.send(bytes([kind]) + text.encode())

    async def expect_closed(self, code=4001):
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(self.socket.recv(), 5)
        assert closed.value.rcvd.code == code

    async def cmi(self):
        assert await asyncio.wait_for(self.socket.recv(), 5) == b"\x00\x00"
        await self.socket.send(b"\x00\x00")

    async def hello(self):
        await self.cmi()
        await self.expect(1, READY)
        await self.send(1, READY)

    async def prepare(self):
        """Everything up to data exchange with a peer we trust."""
        await self.hello()
        await self.negotiate()
        await self.send(1, NO_PIN)

    async def negotiate(self):
        """The protocol handshake; the client announces its PIN state with its selection."""
        await self.expect(1, ANNOUNCE)
        await self.send(1, SELECT)
        await self.expect(1, SELECT)
        await self.expect(1, NO_PIN)


@contextlib.asynccontextmanager
async def charger(script, certificate, identity, *, subprotocols=("ship",), **tls):
    """Serve `script(charger)` on a free port; its failures are the test's. Yields the server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(identity.certificate_path)
    for name, value in tls.items():
        if name == "ciphers":
            context.set_ciphers(value)
        else:
            setattr(context, name, value)
    errors = []

    async def handle(socket):
        try:
            await script(Charger(socket))
        except Exception as error:
            errors.append(error)

    async with serve(handle, "127.0.0.1", 0, ssl=context, subprotocols=subprotocols) as server:
        try:
            yield server
        finally:
            server.close()
            await server.wait_closed()
            if errors:
                raise errors[0]


def port_of(server):
    return next(iter(server.sockets)).getsockname()[1]


@pytest.fixture
def identity(tmp_path):
    return Identity.load(tmp_path / "manager")


@pytest.fixture
def pair(tmp_path, identity):
    """Run a script of the charger against a coroutine of the client: `pair(script, client)`."""

    def run(script, client, *, ski=None, claimed=None, curve=None, **options):
        path, own = make_certificate(tmp_path, claimed, curve)

        async def both():
            async with charger(script, path, identity, **options) as server:
                connection = await ShipConnection.dial(
                    identity,
                    "127.0.0.1",
                    port_of(server),
                    "/ship/",
                    own if ski is None else ski,
                    {},
                )
                await client(connection)

        asyncio.run(asyncio.wait_for(both(), 20))

    return run


async def prepared(connection):
    await connection.prepare()


def failing(error, text=None):
    async def client(connection):
        with pytest.raises(error, match=text):
            await connection.prepare()

    return client


# -- identity -----------------------------------------------------------------------------------


def test_the_identity_is_made_once_and_its_key_is_kept_private(tmp_path):
    first = Identity.load(tmp_path)
    assert Identity.load(tmp_path) == first
    assert first.key_path.stat().st_mode & 0o777 == 0o600
    assert len(first.ski) == 40
    assert first.device.startswith("d:_n:Pilotwire_EnergyManager-")
    assert first.ship_id.startswith("Pilotwire-EnergyManager-")
    (tmp_path / "certificate.pem").unlink()
    assert (
        Identity.load(tmp_path) == first
    )  # the same key is the same SKI, whatever the certificate


def test_an_ski_is_shown_in_groups_of_four():
    assert grouped("b467a3999eb5efa671de0032f08a9c9e5efda0e1") == (
        "b467 a399 9eb5 efa6 71de 0032 f08a 9c9e 5efd a0e1"
    )


def test_the_ski_is_the_sha1_of_the_public_key(tmp_path):
    key = ec.derive_private_key(1, ec.SECP256R1())  # its public key is the curve's base point
    name = x509.Name([])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name)
    builder = builder.public_key(key.public_key()).serial_number(1)
    builder = builder.not_valid_before(datetime.datetime(2020, 1, 1))
    builder = builder.not_valid_after(datetime.datetime(2099, 1, 1))
    ski = bytes.fromhex("b467a3999eb5efa671de0032f08a9c9e5efda0e1")
    certificate = builder.add_extension(x509.SubjectKeyIdentifier(ski), False).sign(
        key, hashes.SHA256()
    )
    der = certificate.public_bytes(serialization.Encoding.DER)
    assert certificate_ski(der) == ski.hex()
    with pytest.raises(WrongCertificate):
        certificate_ski(der.replace(ski, ski[::-1]))
    with pytest.raises(WrongCertificate):
        certificate_ski(b"\x30\x00")


# -- who is at the other end --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"ski": "5b4717b04eaced57c4eca1728ca9a71d3b224340"}, "expected 5b47"),
        ({"claimed": bytes(20), "ski": ""}, "claims 0000"),
        ({"claimed": bytes(20), "ski": "00" * 20}, "claims 0000"),
        ({"claimed": b"", "ski": ""}, "no SubjectKeyIdentifier"),
    ],
)
def test_nothing_is_sent_to_a_wrong_peer(tmp_path, identity, options, reason):
    claimed = options.get("claimed")
    path, _ = make_certificate(tmp_path, claimed)
    heard = bytearray()

    async def both():
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)

        async def listen(reader, writer):
            with contextlib.suppress(OSError):
                heard.extend(await reader.read(100))
            writer.close()

        server = await asyncio.start_server(listen, "127.0.0.1", 0, ssl=context)
        async with server:
            with pytest.raises(WrongPeer, match=reason):
                await ShipConnection.dial(
                    identity, "127.0.0.1", port_of(server), "/ship/", options["ski"], {}
                )
            await asyncio.sleep(0.05)

    asyncio.run(asyncio.wait_for(both(), 10))
    assert heard == b""


def test_a_key_on_another_curve_is_no_ship_node(tmp_path):
    path, _ = make_certificate(tmp_path, curve=ec.SECP384R1())
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    with pytest.raises(WrongCertificate, match="secp256r1"):
        certificate_ski(certificate.public_bytes(serialization.Encoding.DER))


@pytest.mark.parametrize(
    "tls",
    [
        {"maximum_version": ssl.TLSVersion.TLSv1_2},
        {"maximum_version": ssl.TLSVersion.TLSv1_2, "ciphers": "ECDHE-ECDSA-AES128-SHA256"},
        {"minimum_version": ssl.TLSVersion.TLSv1_3},
    ],
)
def test_tls_1_2_with_the_mandatory_suite_and_later_versions_connect(pair, tls):
    async def script(charger):
        await charger.prepare()
        assert charger.socket.transport.get_extra_info("peercert")
        await charger.expect_closed()

    async def client(connection):
        await connection.prepare()
        await connection._shut(4001, "close")

    pair(script, client, **tls)


async def until_closed(charger):
    with contextlib.suppress(ConnectionClosed):
        await charger.socket.recv()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_older_tls_is_refused(pair):
    old, weak = ssl.TLSVersion.TLSv1_1, {"ciphers": "ALL:@SECLEVEL=0"}
    with pytest.raises(NotReachable, match="TLS"):
        pair(until_closed, prepared, minimum_version=old, maximum_version=old, **weak)


def test_a_server_without_the_sub_protocol_is_left(pair):
    with pytest.raises(NotReachable, match="sub-protocol"):
        pair(until_closed, prepared, subprotocols=None)


def test_nobody_listening_is_not_reachable(identity):
    with pytest.raises(NotReachable, match="no TCP connection"):
        asyncio.run(ShipConnection.dial(identity, "127.0.0.1", 1, "/ship/", "", {}))


def test_no_tls_record_exceeds_1024_octets(tmp_path, identity):
    path, ski = make_certificate(tmp_path)
    records = []

    async def script(charger):
        await charger.prepare()
        assert len(await charger.socket.recv()) > 5000

    async def both():
        async with charger(
            script, path, identity, maximum_version=ssl.TLSVersion.TLSv1_2
        ) as server:

            async def forward(reader, writer):
                inner, outer = await asyncio.open_connection("127.0.0.1", port_of(server))

                async def back():
                    while data := await inner.read(4096):
                        writer.write(data)

                task = asyncio.create_task(back())
                with contextlib.suppress(asyncio.IncompleteReadError):
                    while True:
                        head = await reader.readexactly(5)
                        records.append((head[0], int.from_bytes(head[3:], "big")))
                        outer.write(head + await reader.readexactly(records[-1][1]))
                task.cancel()
                outer.close()
                writer.close()

            relay = await asyncio.start_server(forward, "127.0.0.1", 0)
            async with relay:
                connection = await ShipConnection.dial(
                    identity, "127.0.0.1", port_of(relay), "/ship/", ski, {}
                )
                await connection.prepare()
                await connection.send_datagram({"filler": "x" * 5000})
                await connection._shut(4001, "close")

    asyncio.run(asyncio.wait_for(both(), 20))
    application = [length for kind, length in records if kind == 23]
    assert sum(application) > 5000
    assert max(application) <= 1024 + 24  # explicit nonce and tag of AES-GCM


# -- up to data exchange ------------------------------------------------------------------------


def test_two_nodes_that_trust_each_other_reach_data_exchange(pair):
    datagrams = []

    async def script(charger):
        await charger.prepare()
        await charger.expect(1, ASK_METHODS)
        await charger.send(1, ASK_METHODS)
        frame = await charger.socket.recv()
        assert frame.startswith(b'\x01{"accessMethods":[{"id":"Pilotwire-EnergyManager-')
        await charger.send(1, '{"accessMethods":[{"id":"i:1_u:EVSE"},{"dnsSd_mDns":[]}]}')
        data = '{"data":[{"header":[{"protocolId":"ee1.0"}]},{"payload":{"datagram":[{"a":1}]}}]}'
        await charger.send(2, data)
        await charger.send(2, data.replace("ee1.0", "xyz"))  # another protocol: ignored
        await charger.expect(3, CLOSE)
        await charger.send(3, CONFIRM)
        await charger.expect_closed()

    async def client(connection):
        await connection.prepare()
        got = asyncio.Event()

        async def take(datagram):
            datagrams.append(datagram)
            got.set()

        running = asyncio.create_task(connection.run(take))
        await connection.ship_id_known.wait()
        await got.wait()
        assert connection.peer_ship_id == "i:1_u:EVSE"
        await connection.close()
        assert await running == "closed, confirmed by the peer"

    pair(script, client)
    assert datagrams == [{"a": 1}]


def test_a_charger_that_asks_its_user_is_waited_for_with_prolongations(pair):
    async def script(charger):
        await charger.cmi()
        await charger.expect(1, READY)
        await charger.send(1, PENDING)
        await charger.send(1, PENDING)  # without a request: no reaction
        for total in (239, 359):
            await charger.send(1, MORE)
            frame = parse_frame(await charger.socket.recv())
            assert frame.body["phase"] == "ready"
            assert total * 1000 < frame.body["waiting"] <= total * 1000 + 1000
        await charger.send(1, READY)
        await charger.send(1, READY)  # crosses the prolongation: not an error then
        await charger.negotiate()
        await charger.send(1, NO_PIN)

    phases = []

    async def client(connection):
        connection.on_phase = lambda name, detail: phases.append(name)
        await connection.prepare()

    pair(script, client)
    assert phases[0] == "hello_pending"
    assert phases[-3:] == ["hello_ready", "handshake", "data"]


def test_while_our_user_is_asked_the_charger_sees_us_pending(pair):
    async def script(charger):
        await charger.cmi()
        await charger.expect(1, READY.replace("ready", "pending"))
        await charger.send(1, READY)
        await charger.expect(1, READY)
        await charger.negotiate()
        await charger.send(1, NO_PIN)

    async def client(connection):
        async def trust():
            await asyncio.sleep(0.05)
            return True

        await connection.prepare(trust())

    pair(script, client)


def test_an_abort_of_the_hello_phase_is_a_refusal(pair):
    async def script(charger):
        await charger.cmi()
        await charger.expect(1, READY)
        await charger.send(1, ABORTED)
        await charger.expect_closed()  # and no abort of ours

    pair(script, failing(Refused, "aborted"))


def test_a_rejecting_close_code_is_a_refusal(pair):
    async def script(charger):
        await charger.cmi()
        await charger.socket.close(4452, "Node rejected by application")

    pair(script, failing(Refused, "4452"))


def test_our_patience_ends_with_an_abort(pair):
    async def script(charger):
        await charger.cmi()
        await charger.expect(1, READY)
        await charger.send(1, PENDING)
        await charger.expect(1, ABORTED)
        await charger.expect_closed()

    async def client(connection):
        with pytest.raises(ShipTimeout):
            await connection.prepare(patience_s=0.2)

    pair(script, client)


def test_an_interrupted_hello_phase_is_aborted(pair):
    async def script(charger):
        await charger.cmi()
        await charger.expect(1, READY)
        await charger.expect(1, ABORTED)
        await charger.expect_closed()

    async def client(connection):
        preparing = asyncio.create_task(connection.prepare())
        await asyncio.sleep(0.05)
        preparing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await preparing

    pair(script, client)


def test_another_message_in_the_hello_phase_is_answered_by_an_abort(pair):
    async def script(charger):
        await charger.cmi()
        await charger.expect(1, READY)
        await charger.send(1, NO_PIN)
        await charger.expect(1, ABORTED)
        await charger.expect_closed()

    pair(script, failing(PeerError, "connectionPinState"))


@pytest.mark.parametrize("answer", [b"\x01\x00", b"\x00\x01", b"\x00", b"\x02{}"])
def test_a_wrong_cmi_ends_the_connection_without_another_message(pair, answer):
    async def script(charger):
        assert await charger.socket.recv() == b"\x00\x00"
        await charger.socket.send(answer)
        await charger.expect_closed()

    pair(script, failing(PeerError, "CMI"))


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (READY, 2),
        (ANNOUNCE, 2),
        ('{"nonsense":[]}', 2),
        ("{", 2),
        (SELECT.replace('"major":1', '"major":2'), 3),
        (SELECT.replace("UTF8", "UTF16"), 3),
    ],
)
def test_a_wrong_selection_is_answered_by_its_error_number(pair, answer, error):
    async def script(charger):
        await charger.hello()
        await charger.expect(1, ANNOUNCE)
        await charger.send(1, answer)
        await charger.expect(1, '{"messageProtocolHandshakeError":[{"error":%d}]}' % error)
        await charger.expect_closed()

    pair(script, failing(PeerError))


def test_handshake_errors_of_the_peer_end_the_connection_in_both_spellings(pair):
    for text in ('{"messageProtocolHandshakeError":[{"error":3}]}', '{"error":3}'):

        async def script(charger, text=text):
            await charger.hello()
            await charger.expect(1, ANNOUNCE)
            await charger.send(1, text)
            await charger.expect_closed()

        pair(script, failing(PeerError, "error 3"))


def test_a_charger_that_wants_a_pin_is_a_refusal(pair):
    async def script(charger):
        await charger.hello()
        await charger.negotiate()
        await charger.send(
            1, '{"connectionPinState":[{"pinState":"required"},{"inputPermission":"ok"}]}'
        )
        await charger.expect_closed()

    pair(script, failing(Refused, "PIN"))


def test_messages_of_data_exchange_that_come_before_the_pin_state_are_kept(pair):
    datagrams = []

    async def script(charger):
        await charger.hello()
        await charger.negotiate()
        await charger.send(1, ASK_METHODS)
        await charger.send(
            2, '{"data":[{"header":[{"protocolId":"ee1.0"}]},{"payload":{"datagram":[{"a":1}]}}]}'
        )
        await charger.send(1, NO_PIN)
        await charger.expect(1, ASK_METHODS)
        assert b"accessMethods" in await charger.socket.recv()
        await charger.socket.close()

    async def client(connection):
        await connection.prepare()

        async def take(datagram):
            datagrams.append(datagram)

        assert "1000" in await connection.run(take)

    pair(script, client)
    assert datagrams == [{"a": 1}]


# -- data exchange and its end ------------------------------------------------------------------


def test_useless_messages_in_data_exchange_are_ignored(pair):
    async def script(charger):
        await charger.prepare()
        await charger.expect(1, ASK_METHODS)
        for octets in (
            b"",
            b"\x02",
            b"\xff\x00",
            b"\x00\x00",
            b"\x02{",
            b"\x01{}",
            b"\x02\xff\xff",
        ):
            await charger.socket.send(octets)
        await charger.send(1, '{"commissioningRequest":[]}')
        await charger.send(1, READY)
        await charger.send(1, '{ "accessMethodsRequest" : [ ] }\r\n\x00')
        assert b"accessMethods" in await charger.socket.recv()
        await charger.socket.close()

    async def client(connection):
        await connection.prepare()
        await connection.run(None)

    pair(script, client)


def test_a_termination_by_the_charger_is_confirmed(pair):
    async def script(charger):
        await charger.prepare()
        await charger.expect(1, ASK_METHODS)
        await charger.send(
            3, '{"connectionClose":[{"phase":"announce"},{"maxTime":500},{"reason":"User close"}]}'
        )
        await charger.expect(3, CONFIRM)
        await charger.socket.close(4001, "close")

    async def client(connection):
        await connection.prepare()
        assert await connection.run(None) == "closed by the peer (User close)"

    pair(script, client)


def test_a_charger_that_does_not_confirm_does_not_keep_us(pair):
    async def script(charger):
        await charger.prepare()
        await charger.expect(1, ASK_METHODS)
        await charger.expect(3, CLOSE.replace("unspecific", "removedConnection"))
        await charger.expect_closed()

    async def client(connection):
        await connection.prepare()
        running = asyncio.create_task(connection.run(None))
        await asyncio.sleep(0)
        await connection.close("removedConnection")
        await running

    pair(script, client)


def test_a_dropped_connection_says_nothing_on_any_layer(pair):
    async def script(charger):
        await charger.prepare()
        await charger.expect(1, ASK_METHODS)
        with pytest.raises(ConnectionClosed) as closed:
            await charger.socket.recv()
        assert closed.value.rcvd is None

    async def client(connection):
        await connection.prepare()
        running = asyncio.create_task(connection.run(None))
        await asyncio.sleep(0.05)
        connection.drop()
        assert await running == "the connection broke"

    pair(script, client)


def test_the_trace_sees_every_message_in_both_directions(pair):
    seen = []

    async def script(charger):
        await charger.prepare()

    async def client(connection):
        connection._trace = lambda direction, octets: seen.append((direction, bytes(octets)))
        await connection.prepare()

    pair(script, client)
    assert seen[0] == (">", b"\x00\x00")
    assert seen[1] == ("<", b"\x00\x00")
    assert (">", b"\x01" + ANNOUNCE.encode()) in seen
    assert len(seen) == 9


# -- the hello phase in virtual time ------------------------------------------------------------


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop that never waits: with nothing to do its clock jumps to the next timer."""

    def __init__(self):
        super().__init__()
        self._virtual = 0.0
        select = self._selector.select

        def jump(timeout):
            self._virtual += timeout or 0
            return select(0)

        self._selector.select = jump

    def time(self):
        return self._virtual


class Line:
    """The connection of a `Hello`: messages of the peer by the clock, ours recorded."""

    def __init__(self, script):
        self.sent = []
        self._script = sorted(script)
        self.phases = []

    async def receive(self):
        now = asyncio.get_running_loop().time
        if not self._script:
            await asyncio.sleep(100_000)
        at, text = self._script[0]
        await asyncio.sleep(at - now())
        self._script.pop(0)
        return parse_frame(b"\x01" + text.encode())

    async def send_control(self, name, body):
        assert name == "connectionHello"
        self.sent.append((round(asyncio.get_running_loop().time()), body))

    def on_phase(self, name, detail):
        self.phases.append(name)


def hello(script, decision=None, patience_s=10_000):
    """Run a hello phase; return what was sent and the outcome. `decision` is `(time, trusted)`."""
    line = Line(script)

    async def decide():
        await asyncio.sleep(decision[0])
        return decision[1]

    async def run():
        trust = None if decision is None else decide()
        try:
            return await Hello(line, trust, patience_s).run()
        except (Refused, ShipTimeout, PeerError) as error:
            return type(error)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        outcome = runner.run(run())
    return line.sent, outcome


def ready(waiting_ms):
    return {"phase": "ready", "waiting": waiting_ms}


def pending(waiting_ms):
    return {"phase": "pending", "waiting": waiting_ms}


ABORT = {"phase": "aborted"}


def test_a_silent_peer_is_given_up_after_120_s():
    assert hello([]) == ([(0, ready(120_000)), (120, ABORT)], ShipTimeout)


def test_each_prolongation_adds_120_s():
    sent, outcome = hello([(100, MORE), (200, MORE), (350, READY)])
    assert sent == [(0, ready(120_000)), (100, ready(140_000)), (200, ready(160_000))]
    assert outcome is True


def test_a_pending_peer_without_request_does_not_extend_the_wait():
    assert hello([(100, PENDING)])[0] == [(0, ready(120_000)), (120, ABORT)]


def test_while_our_user_is_asked_we_are_pending_and_ask_for_time_in_time():
    script = [
        (1, '{"connectionHello":[{"phase":"ready"},{"waiting":60000}]}'),
        (47, '{"connectionHello":[{"phase":"ready"},{"waiting":75000}]}'),
    ]
    sent, outcome = hello(script, decision=(90, True))
    assert sent == [
        (0, pending(120_000)),
        (46, {"phase": "pending", "prolongationRequest": True}),
        (90, ready(120_000)),
    ]
    assert outcome is True


def test_without_an_answer_to_our_request_we_abort():
    script = [(0, '{"connectionHello":[{"phase":"ready"},{"waiting":60000}]}')]
    sent, outcome = hello(script, decision=(1000, True))
    assert sent[-1] == (105, ABORT)  # asked at 45 s, the peer had said 60 s
    assert outcome is ShipTimeout


def test_two_pending_sides_wait_for_each_other():
    script = [(0, PENDING), (10, MORE), (40, READY)]
    sent, outcome = hello(script, decision=(20, True))
    assert sent == [(0, pending(120_000)), (10, pending(230_000)), (20, ready(120_000))]
    assert outcome is True


def test_a_user_who_says_no_aborts():
    assert hello([(0, READY)], decision=(5, False)) == (
        [(0, pending(120_000)), (5, ABORT)],
        Refused,
    )


def test_the_other_spelling_of_a_prolongation_request_is_understood():
    text = (
        '{"connectionHello":[{"phase":"pending"},{"waiting":60000},{"prolongation_request":true}]}'
    )
    sent, _ = hello([(10, text), (20, READY)])
    assert sent[1] == (10, ready(230_000))
