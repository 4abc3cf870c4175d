"""PIN, commissioning, key change and certificate renewal on a charger with its console."""

import time

import pytest
from cryptography import x509

from host_tests.e2e.peer import Closed, Peer, make_certificate
from host_tests.e2e.world import Manager
from tools.energy_manager.ship_messages import Refused
from tools.simulate import Simulator

LIMITS = "loadControlLimitListData"
LOAD_CONTROL = ((1,), 4)
WRONG = {"pin": "00000000"}


@pytest.fixture
def good(tmp_path):
    return make_certificate(tmp_path, name="peer")


@pytest.fixture
def charger(tmp_path, good):
    options = {"state": tmp_path / "charger", "no_mdns": True, "trust": [good.ski]}
    with Simulator(port=0, **options) as started:
        assert started.port
        yield started


def in_pin(charger, certificate, own="none"):
    """A peer in the PIN phase, and what the charger says there."""
    peer = Peer(charger.port, certificate).reach("handshake")
    peer.control("connectionPinState", {"pinState": own})
    return peer, peer.expect("connectionPinState")[1]


def pin_of(charger):
    return charger.command("pin")["pin"].replace(" ", "")


def restarted(charger, command):
    """Carry out a command that ends in a restart, and wait for it; returns the new SKI."""
    mark = charger.mark()
    answer = charger.command(command)
    assert answer["ok"], answer
    return charger.wait_event("listening", start=mark)["ski"]


# PIN


def test_the_pin_is_on_console_and_label_and_stays(charger, tmp_path):
    identity = charger.command("id")
    pin = pin_of(charger)
    assert len(pin) == 8 and pin[0] != "0"
    assert identity["pin"] == f"{pin[:4]} {pin[4:]}"
    assert f";PIN:{pin[:4].upper()} {pin[4:].upper()};" in identity["qr"]
    assert charger.command("pin")["mode"] == "off"
    restarted(charger, "factory-reset yes")
    assert pin_of(charger) == pin


def test_a_required_pin_is_asked_for_once_in_a_lifetime(charger, good):
    assert charger.command("pin required")["mode"] == "required"
    peer, state = in_pin(charger, good)
    assert state == {"pinState": "required", "inputPermission": "ok"}
    peer.control("connectionPinInput", {"pin": pin_of(charger).upper()})
    assert peer.expect("connectionPinState")[1] == {"pinState": "pinOk"}
    peer.expect("accessMethodsRequest")
    assert charger.wait_event("pin")["state"] == "given"
    (record,) = charger.command("peers")["trusted"]
    assert record["second"][:2] == [32, "PIN"]
    peer.drop()
    restarted(charger, "restart")
    assert in_pin(charger, good)[1] == {"pinState": "pinOk"}


def test_the_pin_makes_an_unseen_peer_a_verified_one(charger, good, tmp_path):
    charger.command("untrust " + good.ski)
    charger.command("pin required")
    assert charger.command("pair auto")["ok"]
    stranger = make_certificate(tmp_path, name="stranger")
    for certificate, level in ((stranger, 32), (good, 16)):
        peer, _ = in_pin(charger, certificate)
        peer.control("connectionPinInput", {"pin": pin_of(charger)})
        peer.expect("accessMethodsRequest")
        records = {record["ski"]: record for record in charger.command("peers")["trusted"]}
        assert records[certificate.ski]["second"][:2] == [level, "PIN"]
        if certificate is stranger:
            assert records[stranger.ski]["user"][:2] == [32, "PIN"]
            charger.command("trust " + good.ski)
        peer.drop()


def test_wrong_pins_are_delayed_across_connections_and_restarts(charger, good):
    charger.command("pin required")
    peer, _ = in_pin(charger, good)
    for _ in range(3):
        peer.control("connectionPinInput", WRONG)
        assert peer.expect("connectionPinError")[1] == {"error": 1}
    busy = {"pinState": "required", "inputPermission": "busy"}
    assert peer.expect("connectionPinState")[1] == busy
    assert 8 <= charger.command("pin")["busy_s"] <= 12
    peer.drop()
    assert in_pin(charger, good)[1] == busy
    restarted(charger, "restart")
    peer, state = in_pin(charger, good)
    assert state == busy
    start = time.monotonic()
    peer.set_wait(15)
    assert peer.expect("connectionPinState")[1]["inputPermission"] == "ok"
    assert time.monotonic() - start > 10
    answer = charger.command("pin")
    assert answer["wrong"] == 3 and answer["busy_s"] == 0


def test_an_optional_pin_lets_the_peer_read_but_not_write(charger, good):
    charger.command("pin optional")
    peer, state = in_pin(charger, good)
    assert state == {"pinState": "optional", "inputPermission": "ok"}
    peer.discover()
    assert peer.relate("binding", LOAD_CONTROL, "LoadControl") == 0
    limit = {"limitId": 0, "isLimitActive": True, "value": {"number": 4200, "scale": 0}}
    write = {LIMITS: {"loadControlLimitData": [limit]}}
    assert peer.request("write", write, to=LOAD_CONTROL) == 7
    assert refusals(charger) == 1
    peer.control("connectionPinInput", {"pin": pin_of(charger)})
    assert peer.expect("connectionPinState")[1] == {"pinState": "pinOk"}
    peer.request("write", write, to=LOAD_CONTROL)
    assert refusals(charger) == 1


def refusals(charger):
    """How many writes were refused for want of a PIN."""
    return sum("PIN needed" in line for line in charger.command("log")["lines"])


def test_switching_the_pin_on_parts_from_peers_that_have_not_given_it(charger, good):
    peer = Peer(charger.port, good).reach("data")
    charger.command("pin required")
    assert peer.expect("connectionClose")[1]["reason"] == "unspecific"


def test_the_peers_pin_is_asked_of_the_user_kept_and_forgotten_when_wrong(charger, good):
    peer, _ = in_pin(charger, good, "none")
    peer.expect("accessMethodsRequest")
    peer.drop()
    peer = Peer(charger.port, good).reach("handshake")
    required = {"pinState": "required", "inputPermission": "ok"}
    peer.control("connectionPinState", required)
    event = charger.wait_event("pin")
    assert (event["state"], event["ski"]) == ("wanted", good.ski)
    answer = charger.command(f"peer-pin {good.ski} 1234 ABCD")
    assert answer["given"]
    assert peer.expect("connectionPinInput")[1] == {"pin": "1234abcd"}
    peer.control("connectionPinState", {"pinState": "pinOk"})
    peer.expect("accessMethodsRequest")
    peer.drop()
    # the next time it is known
    peer = Peer(charger.port, good).reach("handshake")
    peer.control("connectionPinState", required)
    assert peer.expect("connectionPinInput")[1] == {"pin": "1234abcd"}
    mark = charger.mark()
    peer.control("connectionPinError", {"error": 1})
    assert charger.wait_event("pin", start=mark)["state"] == "refused"


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("pin maybe", "pin [off/optional/required]"),
        ("peer-pin 12 12345678", "a SKI has 40"),
        ("peer-pin " + "ab" * 20 + " 123", "8 to 16 hexadecimal digits"),
        ("peer-pin " + "ab" * 20 + " 12345678", "trust this peer first"),
        ("key fly", "key [successor/change/renew]"),
        ("key change", "no successor yet"),
    ],
)
def test_wrong_words_are_answered_with_what_is_wrong(charger, command, told):
    answer = charger.command(command)
    assert not answer["ok"] and told in answer["error"]


def test_the_energy_manager_gives_the_pin_once(charger, tmp_path):
    charger.command("pin required")
    state = tmp_path / "manager"
    with Manager(state) as manager:
        charger.command("trust " + manager.identity.ski)
        with pytest.raises(Refused, match="asks for a PIN"):
            manager.connect_to(charger)
    with Manager(state, pin="12345678") as manager, pytest.raises(Refused, match="wrong"):
        manager.connect_to(charger)
    with Manager(state, pin=pin_of(charger)) as manager:
        manager.connect_to(charger)
        assert manager.is_answered()
    with Manager(state) as manager:
        manager.connect_to(charger)


# commissioning


def test_a_tool_commissions_an_energy_manager(charger, good, tmp_path):
    manager = make_certificate(tmp_path, name="manager")
    tool = Peer(charger.port, good).reach("data")
    tool.control("commissioningRequest", {})
    assert tool.expect("commissioningResponse")[1] == {"accept": True}
    entry = {"curve": 23, "ski": manager.ski.upper(), "userTrust": 32, "id": "i:1_u:hems"}
    tool.control("keyMaterial", {"entry": [entry]})
    assert manager.ski.upper() in str(tool.expect("keyMaterialResponse")[1])
    with Peer(charger.port, manager).reach("data") as peer:
        peer.control("commissioningRequest", {})
        assert peer.expect("commissioningResponse")[1] == {"accept": False}
        tool.control("keyMaterialRequest", {})
        assert str(tool.expect("keyMaterial")[1]).count("userTrust") == 2
        tool.control("keyMaterialDelete", {"entry": [{"curve": 23, "ski": manager.ski}]})
        assert manager.ski.upper() in str(tool.expect("keyMaterialDeleteResponse")[1])
        assert peer.expect("connectionClose")[1]["reason"] == "removedConnection"
    assert [peer["ski"] for peer in charger.command("peers")["trusted"]] == [good.ski]


# keys


def hello_of(peer):
    """The charger's hello, as its first message after the CMI."""
    return peer.expect("connectionHello")[1]


def in_data_1_1(charger, certificate):
    """A peer that speaks SHIP 1.1 in data exchange."""
    peer = Peer(charger.port, certificate).reach("cmi")
    state = {"updateCounter": 1}
    peer.control(
        "connectionHello", {"phase": "ready", "waiting": 60000, "keyMaterialState": state}
    )
    hello = hello_of(peer)
    version = {"version": {"major": 1, "minor": 1}, "formats": {"format": ["JSON-UTF8"]}}
    peer.control("messageProtocolHandshake", {"handshakeType": "announceMax", **version})
    peer.expect("messageProtocolHandshake")
    peer.control("messageProtocolHandshake", {"handshakeType": "select", **version})
    peer.do_data()
    return peer, hello


def test_a_key_change_that_the_peer_has_heard_of(charger, good, tmp_path):
    label = charger.command("id")["ski"]
    _, hello = in_data_1_1(charger, good)
    assert "keyMaterialState" not in hello
    assert restarted(charger, "key successor") == label
    successor = charger.command("key")["successor"]
    assert charger.command("key")["pair_again"] == [good.ski]
    refusal = charger.command("key change")["error"]
    assert good.ski[:8] in refusal and "key change yes" in refusal
    peer, hello = in_data_1_1(charger, good)
    assert "2" in str(hello["keyMaterialState"])
    told = str(peer.expect("keyMaterialState")[1])
    assert label.upper() in told and successor.upper() in told
    peer.control("keyMaterialStateResponse", {"accept": True})
    peer.send(b'\x01{"accessMethodsRequest":[]}')
    peer.expect("accessMethods")  # so the response has been taken
    assert charger.command("key")["pair_again"] == []
    assert restarted(charger, "key change") == successor
    with Peer(charger.port, good).reach("tls") as peer:
        assert peer.node_ski == successor
    answer = charger.command("key")
    assert (answer["predecessor"], answer["successor"]) == (label, "")
    assert answer["pair_again"] == []
    # the label keeps its word
    assert restarted(charger, "factory-reset yes") == label
    assert charger.command("key")["update_counter"] == 4


def test_the_peers_announced_key_is_accepted_without_a_user(charger, good, tmp_path):
    successor = make_certificate(tmp_path, name="successor")
    peer, _ = in_data_1_1(charger, good)
    entry = [
        {"currentState": "current", "curve": 23, "ski": good.ski},
        {"currentState": "successor", "curve": 23, "ski": successor.ski},
    ]
    peer.control("keyMaterialState", {"updateCounter": 2, "entry": entry})
    assert peer.expect("keyMaterialStateResponse")[1] == {"accept": True}
    peer.drop()
    restarted(charger, "restart")
    peer, _ = in_data_1_1(charger, successor)
    entry = [
        {"currentState": "current", "curve": 23, "ski": successor.ski},
        {"currentState": "predecessor", "curve": 23, "ski": good.ski},
    ]
    peer.control("keyMaterialState", {"updateCounter": 3, "entry": entry})
    assert peer.expect("keyMaterialStateResponse")[1] == {"accept": True}
    with Peer(charger.port, good).reach("cmi") as old:
        assert hello_of(old)["phase"] == "pending"
    assert charger.command("untrust " + successor.ski)["ok"]
    with pytest.raises(Closed):
        peer.expect("nothing more")


def test_a_renewed_certificate_keeps_the_ski(charger, good):
    before = charger.command("certificate")["text"]
    ski = charger.command("id")["ski"]
    assert restarted(charger, "key renew") == ski
    after = charger.command("certificate")["text"]
    assert before != after
    for text in (before, after):
        certificate = x509.load_pem_x509_certificate(text.encode())
        found = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        assert found.value.digest.hex() == ski
    with Peer(charger.port, good).reach("data") as peer:
        assert peer.node_ski == ski


# as on a board


def test_it_all_works_from_an_image_where_it_is_loaded_when_needed(tmp_path, good):
    options = {"state": tmp_path / "state", "no_mdns": True, "code": "romfs", "bits": 32}
    with Simulator(port=0, trust=[good.ski], **options) as charger:
        charger.command("pin required")
        peer, _ = in_pin(charger, good)
        peer.control("connectionPinInput", WRONG)
        assert peer.expect("connectionPinError")[1] == {"error": 1}
        peer.control("connectionPinInput", {"pin": pin_of(charger)})
        assert peer.expect("connectionPinState")[1] == {"pinState": "pinOk"}
        peer.control("commissioningRequest", {})
        assert peer.expect("commissioningResponse")[1] == {"accept": True}
        peer.control("keyMaterialStateRequest", {"knownUpdateCounter": 1})
        assert peer.expect("keyMaterialState")[1]["updateCounter"] == 1
        restarted(charger, "key successor")
        successor = charger.command("key")["successor"]
        assert restarted(charger, "key change yes") == successor
        assert restarted(charger, "key renew") == successor
