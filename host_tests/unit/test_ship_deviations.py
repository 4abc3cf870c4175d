"""Deviations of deployed peers that must be understood, as cases X_SHIP_* of our own.

Each case names who does it. DUT and tester as in test_ship_conformance.py.
"""

from test_ship_connection import (
    ABORTED,
    ACCESS_METHODS_REQUEST,
    ANNOUNCE_CLOSE,
    ANNOUNCE_MAX,
    CMI,
    CONFIRM_CLOSE,
    DATA,
    DATAGRAM,
    OUR_ACCESS_METHODS,
    OUR_PENDING,
    OUR_READY,
    PIN_NONE,
    READY,
    REQUEST,
    SELECT,
    Owner,
    Peer,
    in_data_exchange,
    in_hello,
    in_pin,
    in_protocol_handshake,
)
from test_ship_websocket import REQUEST as UPGRADE
from test_ship_websocket import client, feed, frame, server, taken
from test_ship_x509 import SKI, SKI_EXTENSION, element, extensions, foreign

from ship.base import CLIENT, SERVER
from ship.ski import ski_of
from ship.websocket import CLOSED, MESSAGE, OPEN, WebSocket

BOTH = (SERVER, CLIENT)
ACCESS_METHODS = b'\x01{"accessMethods":[{"id":"i:54321_u:HEMS-1"},{"dnsSd_mDns":[]}]}'
DATA_SENT = b'\x02{"data":[{"header":[{"protocolId":"ee1.0"}]},{"payload":{"datagram":[]}}]}'
SESSION = (READY, ANNOUNCE_MAX, SELECT, PIN_NONE, ACCESS_METHODS, DATA_SENT, CONFIRM_CLOSE)


def whole_session(role, spell):
    """A session whose peer writes every message but CMI its own way: `spell(octets)`."""
    peer = Peer(role)
    peer.take()
    peer.say(CMI)
    for octets in SESSION[:-1]:
        if role == SERVER or octets is not ANNOUNCE_MAX:
            peer.say(spell(octets))
            assert peer.closed is None, (octets, peer.owner.log)
    told = peer.owner.take()
    assert told[:2] == ["open", "i:54321_u:HEMS-1"] and len(told) == 3, told
    assert peer.say(spell(ACCESS_METHODS_REQUEST)) == [OUR_ACCESS_METHODS]
    peer.connection.end("unspecific", 0)
    assert peer.take() == [ANNOUNCE_CLOSE]
    peer.say(spell(CONFIRM_CLOSE))
    assert peer.closed == (4001, "close")


def in_both_roles(spell):
    for role in BOTH:
        whole_session(role, spell)


def plain(octets):
    """The same message with plain objects; good enough for the messages here."""
    text = octets.replace(b'["JSON-UTF8"]', b"@")
    text = text.replace(b"[{", b"{").replace(b"},{", b",").replace(b"}]", b"}")
    return text.replace(b"@", b'["JSON-UTF8"]')


# how JSON is written


def test_x_ship_json_001_nul_octets_after_the_text_as_porsche_sends():
    in_both_roles(lambda octets: octets + b"\x00")
    in_both_roles(lambda octets: octets + b"\x00\x00\r\n\x00")


def test_x_ship_json_002_plain_objects_as_hand_written_tools_send():
    in_both_roles(plain)


def test_x_ship_json_003_empty_elements_as_objects():
    in_both_roles(lambda octets: octets.replace(b":[]", b":{}"))


def test_x_ship_json_004_an_array_around_the_root():
    in_both_roles(lambda octets: octets[:1] + b"[" + octets[1:] + b"]")


def test_x_ship_json_005_children_in_another_order():
    for octets, other in (
        (READY, b'\x01{"connectionHello":[{"waiting":60000},{"phase":"ready"}]}'),
        (
            ACCESS_METHODS,
            b'\x01{"accessMethods":[{"dnsSd_mDns":[]},{"id":"i:54321_u:HEMS-1"}]}',
        ),
        (
            DATA_SENT,
            b'\x02{"data":[{"payload":{"datagram":[]}},{"header":[{"protocolId":"ee1.0"}]}]}',
        ),
    ):
        in_both_roles(lambda sent, octets=octets, other=other: other if sent == octets else sent)


def test_x_ship_json_006_numbers_and_booleans_as_text():
    in_both_roles(
        lambda octets: (
            octets.replace(b"60000", b'"60000"')
            .replace(b'"major":1', b'"major":"1"')
            .replace(b'"minor":0', b'"minor":"0"')
        )
    )
    peer = in_hello()
    assert len(peer.say(REQUEST.replace(b"true", b'"true"'))) == 1
    assert peer.closed is None


def test_x_ship_json_007_null_for_what_is_absent():
    in_both_roles(
        lambda octets: octets.replace(
            b'{"dnsSd_mDns":[]}', b'{"dnsSd_mDns":null},{"dns":null}'
        ).replace(b'"none"}', b'"none"},{"inputPermission":null}')
    )
    peer = in_hello()
    text = (
        b'\x01{"connectionHello":[{"phase":"ready"},{"waiting":1},{"prolongationRequest":null}]}'
    )
    assert peer.say(text) == [] and peer.state == 20


def test_x_ship_json_008_unknown_children_as_newer_peers_send():
    in_both_roles(lambda octets: octets.replace(b"}]}", b'},{"vendor":[{"a":[[1]]}]}]}', 1))


def test_x_ship_json_009_blanks_and_line_breaks():
    in_both_roles(
        lambda octets: (
            octets.replace(b"[", b" [\r\n").replace(b",", b" ,\t").replace(b":", b" : ")
            if b"i:5" not in octets
            else octets.replace(b"},{", b"}\n, {")
        )
    )


def test_x_ship_json_010_prolongation_request_with_underscore_as_warp_sends():
    peer = in_hello()
    text = b'{"phase":"pending"},{"waiting":60000},{"prolongation_request":true}'
    (update,) = peer.say(b'\x01{"connectionHello":[' + text + b"]}")
    assert update == b'\x01{"connectionHello":[{"phase":"ready"},{"waiting":240000}]}'


def test_x_ship_json_011_an_error_without_root_as_ship_go_sends():
    for role in BOTH:
        peer = in_protocol_handshake(role)
        assert peer.say(b'\x01{"error":2}') == []
        assert peer.closed == (4001, "protocol handshake error by the peer")


def test_x_ship_json_012_dns_as_text_as_an_sma_home_manager_sends():
    peer = in_data_exchange()
    peer.say(b'\x01{"accessMethods":[{"id":"sma"},{"dns":"homemanager"}]}')
    assert peer.owner.take() == ["sma"] and peer.closed is None


def test_x_ship_json_013_a_list_of_one_value_as_the_value():
    in_both_roles(lambda octets: octets.replace(b'["JSON-UTF8"]', b'"JSON-UTF8"'))


def test_x_ship_json_014_a_type_octet_that_disagrees():
    in_both_roles(lambda octets: b"\x02" + octets[1:])
    in_both_roles(lambda octets: b"\x01" + octets[1:])


# WebSocket and TLS


def test_x_ship_ws_001_messages_in_fragments_as_jeebus_and_openeebus_send():
    for size in (1, 7, 50):
        socket = server()
        cuts = [DATA[at : at + size] for at in range(0, len(DATA), size)]
        octets = b""
        for number, cut in enumerate(cuts):
            first = 2 if number == 0 else 0
            octets += frame(first | (0x80 if number == len(cuts) - 1 else 0), cut)
            octets += frame(0x89)  # a ping in between
        assert (MESSAGE, DATA) in feed(socket, octets)


def test_x_ship_ws_002_unsolicited_pongs_as_dot_net_sends():
    socket = server()
    assert feed(socket, frame(0x8A) + frame(0x8A, b"alive")) == []
    assert feed(socket, frame(0x82, DATA)) == [(MESSAGE, DATA)]


def test_x_ship_ws_003_another_path_as_clients_that_lost_it_ask_for():
    for path in (b"/", b"/ship", b"/ship/", b"/ship/?a=b"):
        socket = WebSocket(SERVER, lambda count: bytes(count))
        socket.start(0)
        assert feed(socket, UPGRADE.replace(b"/ship/", path, 1)) == [OPEN], path


def test_x_ship_ws_004_headers_as_browsers_and_proxies_write_them():
    request = UPGRADE.replace(b"Connection: Upgrade", b"connection: keep-alive, Upgrade")
    request = request.replace(b"Protocol: ship", b"Protocol: foo, ship\r\nOrigin: https://a.b")
    socket = WebSocket(SERVER, lambda count: bytes(count))
    socket.start(0)
    assert feed(socket, request) == [OPEN]
    assert b"Sec-WebSocket-Protocol: ship\r\n" in taken(socket)


def test_x_ship_ws_005_any_close_code_and_text():
    for payload, code in (
        (b"", 1005),
        (b"\x03\xe8double connection", 1000),
        (b"\x0f\xa1close", 4001),
        (b"\x11\x62SHIP id mismatch", 4450),
        (b"\x11\x64Node rejected by application", 4452),
        (b"\x11\x94User close", 4500),
    ):
        socket = server()
        ((kind, told, reason),) = feed(socket, frame(0x88, payload))
        assert (kind, told, reason.encode()) == (CLOSED, code, payload[2:])


def test_x_ship_ws_006_an_upgrade_and_the_first_messages_in_one_packet():
    socket = WebSocket(SERVER, lambda count: bytes(count))
    socket.start(0)
    events = feed(socket, UPGRADE + frame(0x82, CMI) + frame(0x82, READY))
    assert events == [OPEN, (MESSAGE, CMI), (MESSAGE, READY)]
    socket = client()
    assert feed(socket, b"\x82\x02\x00\x00\x82\x02\x00\x00") == [(MESSAGE, CMI)] * 2


def test_x_ship_tls_001_a_certificate_with_a_defect_as_elli_wallboxes_have():
    # lengths longer than DER wants them, and an unknown extension that is no valid DER inside
    odd = element(0x30, element(0x06, b"\x55\x1d\x11"), element(0x04, b"\x30\x05\x82\x01x"))
    assert ski_of(foreign(extensions(odd, SKI_EXTENSION))) == SKI


# phases


def test_x_ship_cmi_001_a_server_that_speaks_first_as_hupe1980():
    peer = Peer(CLIENT)  # its own CMI is still in the outbox
    assert peer.say(CMI) == [CMI, OUR_READY]


def test_x_ship_cmi_002_octets_after_the_cmi():
    assert Peer(SERVER).say(b"\x00\x00\x00") == [CMI, OUR_READY]
    assert in_data_exchange().say(CMI) == []


def test_x_ship_hello_001_ready_without_waiting():
    peer = in_hello(is_trusted=False)
    assert peer.say(b'\x01{"connectionHello":[{"phase":"ready"}]}') == []
    assert peer.closed is None and peer.wait_until(45_000) == [REQUEST]


def test_x_ship_hello_002_waiting_of_60_to_240_seconds():
    for waiting in (60_000, 120_000, 240_000):
        peer = in_hello(is_trusted=False)
        peer.say(READY.replace(b"60000", b"%d" % waiting))
        assert peer.wait_until(waiting - 15_001) == []
        assert peer.wait_until(waiting - 15_000) == [REQUEST]


def test_x_ship_hello_003_pending_at_once_followed_by_aborted_as_ship_go():
    for role in BOTH:
        peer = in_hello(role)
        pending = b'\x01{"connectionHello":[{"phase":"pending"},{"waiting":60000}]}'
        assert peer.say(pending, ABORTED) == []
        assert peer.closed == (4001, "hello aborted by the peer")


def test_x_ship_hello_004_ready_with_a_prolongation_request_as_hupe1980():
    peer = in_hello(is_trusted=False)
    text = b'\x01{"connectionHello":[{"phase":"ready"},{"prolongationRequest":true}]}'
    assert peer.say(text) == [OUR_PENDING]
    peer.connection.trust(0)
    assert peer.take() == [OUR_READY] and peer.state == 20


def test_x_ship_hello_005_an_update_that_nobody_asked_for_as_warp():
    for role in BOTH:
        peer = in_hello(role)
        pending = b'\x01{"connectionHello":[{"phase":"pending"},{"waiting":60000}]}'
        assert peer.say(pending, pending, pending) == [] and peer.closed is None


def test_x_ship_hello_006_a_request_after_every_expiry_as_ship_go():
    peer = in_hello()
    for count in range(1, 11):
        peer.wait_until(count * 55_000)
        assert len(peer.say(REQUEST)) == 1 and peer.closed is None


def test_x_ship_hello_007_a_hello_in_data_exchange():
    peer = in_data_exchange()
    assert peer.say(READY) == [] and peer.say(DATA) == []
    assert peer.owner.take() == [DATAGRAM]


def test_x_ship_prot_001_a_higher_version():
    for version in (b'"major":1},{"minor":1', b'"major":1},{"minor":2', b'"major":2},{"minor":0'):
        peer = in_protocol_handshake()
        (selected,) = peer.say(ANNOUNCE_MAX.replace(b'"major":1},{"minor":0', version))
        assert selected == SELECT.replace(b'"minor":0', b'"minor":1')
        assert peer.say(selected) == [PIN_NONE]


def test_x_ship_prot_002_no_formats_as_warp():
    formats = b',{"formats":[{"format":["JSON-UTF8"]}]}'
    in_both_roles(lambda octets: octets.replace(formats, b""))


def test_x_ship_prot_003_a_hello_that_crosses_after_a_prolongation():
    peer = in_hello()
    peer.say(REQUEST)
    assert peer.say(READY, READY) == [] and peer.say(ANNOUNCE_MAX) == [SELECT]


def test_x_ship_prot_004_a_timeout_reported_as_error_2_as_openeebus():
    peer = in_protocol_handshake()
    assert peer.say(b'\x01{"messageProtocolHandshakeError":[{"error":2}]}') == []
    assert peer.closed == (4001, "protocol handshake error by the peer")


def test_x_ship_prot_005_nothing_above_1_0_is_announced_to_who_refuses_it_as_wwcp():
    peer = in_hello(CLIENT)
    assert peer.say(READY) == [ANNOUNCE_MAX]


def test_x_ship_pin_001_none_with_a_permission():
    peer = in_pin()
    text = b'\x01{"connectionPinState":[{"pinState":"none"},{"inputPermission":"ok"}]}'
    assert peer.say(text) == [ACCESS_METHODS_REQUEST]


def test_x_ship_pin_002_a_server_that_waits_for_our_state_as_warp():
    peer = in_protocol_handshake(CLIENT)
    assert peer.say(SELECT) == [SELECT, PIN_NONE]  # unasked, so nobody waits for the other


def test_x_ship_pin_003_access_methods_and_data_before_the_pin_state_as_warp():
    peer = in_pin()
    assert peer.say(ACCESS_METHODS_REQUEST, DATA) == []
    assert peer.say(PIN_NONE) == [ACCESS_METHODS_REQUEST, OUR_ACCESS_METHODS]
    assert peer.owner.take() == ["open", DATAGRAM]


def test_x_ship_pin_004_a_pin_that_nobody_has_asked_for():
    peer = in_pin()
    assert peer.say(b'\x01{"connectionPinInput":[{"pin":"5555AAAAFF"}]}') == []
    assert peer.say(PIN_NONE) == [ACCESS_METHODS_REQUEST]


def test_x_ship_am_001_a_peer_that_sends_no_data_before_access_methods_as_ship_go():
    for role in BOTH:
        peer = in_data_exchange(role)  # has asked on its own
        assert peer.say(ACCESS_METHODS_REQUEST) == [OUR_ACCESS_METHODS]
        peer.say(ACCESS_METHODS, DATA)
        assert peer.owner.take() == ["i:54321_u:HEMS-1", DATAGRAM]


def test_x_ship_am_002_a_peer_that_never_answers():
    peer = in_data_exchange()
    assert peer.wait_until(600_000) == [] and peer.closed is None
    assert peer.say(DATA) == [] and peer.owner.take() == [DATAGRAM]


def test_x_ship_am_003_access_methods_without_id():
    peer = in_data_exchange()
    assert peer.say(b'\x01{"accessMethods":[{"dnsSd_mDns":[]}]}') == []
    assert peer.closed is None


def test_x_ship_am_004_another_ship_id_than_before():
    peer = in_data_exchange(owner=Owner(answer=False))
    peer.say(ACCESS_METHODS)
    assert peer.closed == (4450, "SHIP id mismatch")


def test_x_ship_close_001_free_text_and_no_max_time_as_openeebus_and_ship_go():
    for body in (b'{"reason":"User close"}', b'{"maxTime":500},{"reason":"x"}', b'{"reason":[]}'):
        peer = in_data_exchange()
        text = b'\x03{"connectionClose":[{"phase":"announce"},' + body + b"]}"
        assert peer.say(text) == [CONFIRM_CLOSE] and peer.owner.log == ["peer closes: unspecific"]


def test_x_ship_close_002_an_announcement_as_answer_as_warp():
    peer = in_data_exchange()
    peer.connection.end("unspecific", 0)
    peer.take()
    assert peer.say(ANNOUNCE_CLOSE) == [CONFIRM_CLOSE] and peer.closed == (4001, "close")


def test_x_ship_close_003_a_confirmation_with_more_in_it():
    peer = in_data_exchange()
    peer.connection.end("unspecific", 0)
    peer.take()
    peer.say(b'\x03{"connectionClose":[{"phase":"confirm"},{"maxTime":5},{"reason":"x"}]}')
    assert peer.closed == (4001, "close")


def test_x_ship_close_004_an_announcement_before_data_exchange():
    for phase in (in_hello, in_protocol_handshake, in_pin):
        for role in BOTH:
            peer = phase(role)
            assert peer.say(ANNOUNCE_CLOSE) == [CONFIRM_CLOSE]
            assert peer.closed == (4001, "close")


# what we send must suit parsers that do not parse


def everything_we_send():
    """All control messages of sessions of either role, with pairing, prolongation and ends."""
    sent = []
    for role in BOTH:
        peer = Peer(role, is_trusted=False)
        sent += peer.take() + peer.say(CMI, READY)
        sent += peer.wait_until(45_000)
        peer.connection.trust(45_000)
        sent += peer.take()
        for octets in SESSION[1:]:
            if octets is not CONFIRM_CLOSE and (role == SERVER or octets is not ANNOUNCE_MAX):
                sent += peer.say(octets)
        sent += peer.say(ACCESS_METHODS_REQUEST)
        peer.connection.end("removedConnection", 50_000)
        sent += peer.take() + peer.say(CONFIRM_CLOSE)
        sent += in_protocol_handshake(role).say(DATA) + in_hello(role).say(DATA)
    return sent


def test_x_ship_send_001_minified_for_parsers_that_replace_octets_as_ship_go():
    sent = everything_we_send()
    assert len(sent) > 20
    for octets in sent[1:]:
        assert octets[0] < 4 and not [blank for blank in b" \r\n\t" if blank in octets], octets
        restored = plain(octets)
        if octets != CMI:
            assert b"[{" not in restored and restored.endswith(b"}"), restored


def test_x_ship_send_002_children_by_position_as_openeebus_reads():
    for octets in everything_we_send():
        assert not (b'"waiting"' in octets and b'"prolongationRequest"' in octets)
        if b'"connectionHello"' in octets:
            assert octets.startswith(b'\x01{"connectionHello":[{"phase":"')
        if b'"accessMethods":' in octets:
            assert octets.startswith(b'\x01{"accessMethods":[{"id":"')


def test_x_ship_send_003_the_first_name_tells_the_message_as_warp_reads():
    roots = set()
    for octets in everything_we_send():
        if octets[0]:
            roots.add(str(octets.split(b'"')[1], "ascii"))
    assert sorted(roots) == [
        "accessMethods",
        "accessMethodsRequest",
        "connectionClose",
        "connectionHello",
        "connectionPinState",
        "messageProtocolHandshake",
        "messageProtocolHandshakeError",
    ]


def test_x_ship_send_004_every_ready_and_pending_tells_how_long_we_wait():
    for octets in everything_we_send():
        if b'"ready"' in octets or b'{"phase":"pending"},{"w' in octets:
            waiting = int(octets.split(b'"waiting":')[1].split(b"}")[0])
            assert 30_000 <= waiting <= 240_000
