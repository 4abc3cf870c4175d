"""SHIP messages: spellings of deployed peers that must be understood, octets of what we send."""

from ship import messages
from ship.messages import decode

PAYLOAD = b'{"datagram":[{"header":[{"msgCounter":1}]},{"payload":[{"cmd":[[{"x":[]}]]}]}]}'


def read(text, octet=b"\x01"):
    return decode(memoryview(octet + text))


def data(text):
    """Payload octets of a data message given without the type octet."""
    kind, body = read(text, b"\x02")
    assert kind == messages.DATA, kind
    return None if body is None else bytes(body)


# Input that must be understood


def test_vector_1_white_space_is_understood():
    kind, body = read(b'{ "accessMethodsRequest" : [ ] }\r\n')
    assert (kind, body) == (messages.ACCESS_METHODS_REQUEST, {})


def test_vectors_2_to_5_a_hello_is_the_same_in_every_spelling():
    for text in (
        b'{"connectionHello":[{"phase":"ready"},{"waiting":60000}]}',
        b'{"connectionHello":[{"phase":"ready"},{"waiting":60000}]}\x00',
        b'{"connectionHello":[{"phase":"ready"},{"waiting":60000}]}\x00\x00\r\n\x00',
        b'{"connectionHello":{"phase":"ready","waiting":60000}}',
        b'[{"connectionHello":[{"phase":"ready"},{"waiting":60000}]}]',
        b' [ { "connectionHello" : [ { "phase" : "ready" } , { "waiting" : 60000 } ] } ] ',
        b'{"connectionHello":[{"waiting":60000},{"phase":"ready"}]}',
    ):
        kind, body = read(text)
        assert kind == messages.HELLO, text
        assert body == {"phase": "ready", "waiting": 60000}, text


def test_vector_6_the_other_spelling_of_a_prolongation_request_is_kept():
    kind, body = read(
        b'{"connectionHello":[{"phase":"pending"},{"waiting":60000},{"prolongation_request":true}]}'
    )
    assert kind == messages.HELLO
    assert body == {"phase": "pending", "waiting": 60000, "prolongation_request": True}


def test_vector_7_unknown_children_do_not_disturb():
    kind, body = read(
        b'{"connectionHello":[{"phase":"ready"},{"waiting":60000},'
        b'{"keyMaterialState":[{"updateCounter":3}]}]}'
    )
    assert kind == messages.HELLO
    assert body["phase"] == "ready" and body["waiting"] == 60000


def test_vectors_8_and_9_access_methods_in_the_forms_of_the_field():
    for text in (
        b'{"accessMethods":[{"id":"x"},{"dns":"homemanager"}]}',
        b'{"accessMethods":{"id":"x","dnsSd_mDns":{}}}',
        b'{"accessMethods":[{"id":"x"},{"dnsSd_mDns":[]},{"dns":[{"uri":"wss://x:4712/"}]}]}',
        b'{"accessMethods":[{"dnsSd_mDns":null},{"id":"x"}]}',
    ):
        kind, body = read(text)
        assert kind == messages.ACCESS_METHODS and body["id"] == "x", text


def test_vector_10_an_error_without_root_is_a_handshake_error():
    for text in (b'{"error":2}', b'{"messageProtocolHandshakeError":[{"error":2}]}'):
        assert read(text) == (messages.PROTOCOL_HANDSHAKE_ERROR, {"error": 2})


def test_vector_11_a_close_with_free_text_is_an_announcement():
    text = b'{"connectionClose":[{"phase":"announce"},{"maxTime":500},{"reason":"User close"}]}'
    kind, body = read(text, b"\x03")
    assert kind == messages.CLOSE_ANNOUNCE and body["maxTime"] == 500


def test_vector_12_messages_without_value_or_with_unknown_type_are_empty():
    for octets in (b"", b"\x00", b"\x01", b"\x02", b"\x03", b"\xff", b"\xff\x00", b"\x04{}"):
        assert decode(memoryview(octets)) == (messages.EMPTY, None), octets


def test_vector_13_data_of_another_protocol_has_no_payload():
    assert data(b'{"data":[{"header":[{"protocolId":"xyz"}]},{"payload":{}}]}') is None
    assert data(b'{"data":[{"header":[{"protocolId":"EE1.0"}]},{"payload":{}}]}') is None
    assert data(b'{"data":[{"header":[]},{"payload":{}}]}') is None


def test_confirmations_and_closes_without_phase():
    assert read(b'{"connectionClose":[{"phase":"confirm"}]}')[0] == messages.CLOSE_CONFIRM
    for text in (b'{"connectionClose":[]}', b'{"connectionClose":[{"phase":"later"}]}'):
        assert read(text)[0] == messages.UNREADABLE


def test_every_known_root_is_told_from_unknown_ones():
    for root, kind in (
        (b"connectionPinState", messages.PIN_STATE),
        (b"connectionPinInput", messages.PIN_INPUT),
        (b"connectionPinError", messages.PIN_ERROR),
        (b"messageProtocolHandshake", messages.PROTOCOL_HANDSHAKE),
        (b"accessMethodsRequest", messages.ACCESS_METHODS_REQUEST),
        (b"commissioningRequest", messages.KEY_MANAGEMENT),
        (b"keyMaterialState", messages.KEY_MANAGEMENT),
        (b"key management", messages.OTHER),
        (b"unreadable", messages.OTHER),
        (b"other", messages.OTHER),
        (b"connectionClose confirm", messages.OTHER),
        (b"ConnectionHello", messages.OTHER),
        (b"", messages.OTHER),
    ):
        assert read(b'{"' + root + b'":[]}')[0] == kind, root


def test_a_body_that_is_no_element_has_no_children():
    for value in (b"1", b'"ready"', b"null", b"[1,2]", b'[{"a":1},{"a":2}]'):
        assert read(b'{"connectionHello":' + value + b"}") == (messages.HELLO, {}), value


def test_what_is_no_json_is_unreadable():
    for text in (
        b"{",
        b"{}",
        b"[]",
        b"[[]]",
        b"1",
        b"null",
        b'"connectionHello"',
        b"connectionHello",
        b'{"connectionHello"}',
        b'{"connectionHello":[}',
        b'{"connectionHello":[{"phase":ready}]}',
        b'{"connectionHello":[]}{}',
        b'{"connectionHello":[{"phase":"\xff\xfe"}]}',
        b'{"\xff\xfe":[]}',
        b"\xef\xbb\xbf{}",
        b"[" * 40 + b"]" * 40,
        b'{"connectionHello":' + b"[" * 4000 + b"]" * 4000 + b"}",
        b'{"data":1}',
        b'{"data":[]}',
        b'{"data":[{"payload":{}}]}',
        b'{"data":[{"header":[{"protocolId":"ee1.0"}]}]}',
        b'{"data":[{"header":[{"protocolId":"ee1.0"}]},{"payload":}]}',
        b'{"data":[{"header":[{"protocolId":"ee1.0"}]},{"payload":{}',
    ):
        assert read(text) == (messages.UNREADABLE, None), text
        assert read(text, b"\x02") == (messages.UNREADABLE, None), text


def test_a_control_message_is_read_up_to_the_limit():
    head = b'{"accessMethods":'
    frame = len(b'[{"id":""}]')
    for size, kind in (
        (messages.MAX_CONTROL, messages.ACCESS_METHODS),
        (messages.MAX_CONTROL + 1, messages.UNREADABLE),
    ):
        text = head + b'[{"id":"' + b"x" * (size - frame) + b'"}]}'
        assert read(text)[0] == kind


# Data


def test_the_payload_of_a_data_message_is_cut_out():
    text = b'{"data":[{"header":[{"protocolId":"ee1.0"}]},{"payload":' + PAYLOAD + b"}]}"
    assert data(text) == PAYLOAD


def test_a_payload_of_any_size_is_cut_out():
    for size in (0, 1, 100, 500, 1000, 5000, 16000):
        payload = b'{"datagram":[{"x":"' + b"}]}" * (size // 3) + b'"}]}'
        text = b'{"data":[{"header":[{"protocolId":"ee1.0"}]},{"payload":' + payload + b"}]}"
        assert data(text) == payload


def test_the_payload_is_found_in_every_spelling():
    for text in (
        b'{"data":[{"header":[{"protocolId":"ee1.0"}]},{"payload":%s}]}\x00\x00',
        b'{"data":[{"header":[{"protocolId":"ee1.0"}]},{"payload":%s}]}\r\n',
        b'{ "data" : [ { "header" : [ { "protocolId" : "ee1.0" } ] } , { "payload" : %s } ] }',
        b'{"data":{"header":{"protocolId":"ee1.0"},"payload":%s}}',
        b'{"data":[{"payload":%s},{"header":[{"protocolId":"ee1.0"}]}]}',
        b'[{"data":[{"header":[{"protocolId":"ee1.0"}]},{"payload":%s}]}]',
        b'{"data":[{"header":[{"other":[1]},{"protocolId":"ee1.0"}]},{"payload":%s}]}',
        (
            b'{"data":[{"header":[{"protocolId":"ee1.0"}]},{"payload":%s},{"extension":'
            b'[{"extensionId":"acme-1"},{"binary":"00ff"},{"string":"x"}]}]}'
        ),
        b'{"data":[{"header":[{"protocolId":"ee1.0"}]},{"payload":%s},{"vendor":{"a":{}}}]}',
    ):
        assert data(text % PAYLOAD) == PAYLOAD, text


def test_text_that_looks_like_structure_does_not_mislead():
    payload = b'{"datagram":[{"note":"}]}},{\\"extension\\":[{"}]}'
    assert data(
        b'{"data":[{"header":[{"protocolId":"ee1.0"}]},{"payload":' + payload + b"}]}"
    ) == (payload)


def test_the_payload_is_a_view_of_the_message():
    text = b'\x02{"data":[{"header":[{"protocolId":"ee1.0"}]},{"payload":{"a":1}}]}'
    message = bytearray(text)
    body = decode(memoryview(message))[1]
    message[message.index(b"1}")] = 0x32
    assert bytes(body) == b'{"a":2}'


def test_every_cut_of_a_data_message_is_refused():
    text = b'{"data":[{"header":[{"protocolId":"ee1.0"}]},{"payload":' + PAYLOAD + b"}]}"
    for size in range(1, len(text)):
        assert read(text[:size], b"\x02") == (messages.UNREADABLE, None), size


# Values


def test_numbers_are_taken_from_text_and_checked():
    for value, expected in (
        (0, 0),
        (4294967295, 4294967295),
        (4294967296, None),
        (-1, None),
        ("60000", 60000),
        ("4294967295", 4294967295),
        ("42949672950", None),
        ("x", None),
        ("", None),
        (True, None),
        (1.5, None),
        (None, None),
        ([], None),
    ):
        assert messages.uint(value) == expected, value
    assert messages.uint(255, 255) == 255 and messages.uint(256, 255) is None


def test_booleans_are_taken_from_text_and_numbers():
    for value in (True, "true", "1", 1):
        assert messages.boolean(value)
    for value in (False, "false", "0", 0, None, {}, [], "yes"):
        assert not messages.boolean(value), value


# What we send


def octets(*lines):
    return bytes([int(digits, 16) for line in lines for digits in line.split(" ")])


def test_frames_have_the_octets_of_the_specification():
    assert messages.hello("ready", 60000) == octets(
        "01 7b 22 63 6f 6e 6e 65 63 74 69 6f 6e 48 65 6c 6c 6f 22 3a 5b 7b 22 70 68 61 73 65 22",
        "3a 22 72 65 61 64 79 22 7d 2c 7b 22 77 61 69 74 69 6e 67 22 3a 36 30 30 30 30 7d 5d 7d",
    )
    assert messages.ABORTED == octets(
        "01 7b 22 63 6f 6e 6e 65 63 74 69 6f 6e 48 65 6c 6c 6f 22 3a 5b 7b 22 70 68 61 73 65 22",
        "3a 22 61 62 6f 72 74 65 64 22 7d 5d 7d",
    )
    assert messages.REQUEST_ACCESS_METHODS == octets(
        "01 7b 22 61 63 63 65 73 73 4d 65 74 68 6f 64 73 52 65 71 75 65 73 74 22 3a 5b 5d 7d",
    )
    assert messages.PIN_NONE == octets(
        "01 7b 22 63 6f 6e 6e 65 63 74 69 6f 6e 50 69 6e 53 74 61 74 65 22 3a 5b 7b 22 70 69 6e",
        "53 74 61 74 65 22 3a 22 6e 6f 6e 65 22 7d 5d 7d",
    )
    assert messages.CONFIRM_CLOSE == octets(
        "03 7b 22 63 6f 6e 6e 65 63 74 69 6f 6e 43 6c 6f 73 65 22 3a 5b 7b 22 70 68 61 73 65 22",
        "3a 22 63 6f 6e 66 69 72 6d 22 7d 5d 7d",
    )


def test_what_we_send_we_understand():
    for octets, expected in (
        (messages.hello("pending", 1000), (messages.HELLO, {"phase": "pending", "waiting": 1000})),
        (
            messages.PROLONGATION_REQUEST,
            (messages.HELLO, {"phase": "pending", "prolongationRequest": True}),
        ),
        (messages.handshake_error(3), (messages.PROTOCOL_HANDSHAKE_ERROR, {"error": 3})),
        (messages.access_methods("x"), (messages.ACCESS_METHODS, {"id": "x", "dnsSd_mDns": {}})),
        (
            messages.announce_close(500, "unspecific"),
            (
                messages.CLOSE_ANNOUNCE,
                {"phase": "announce", "maxTime": 500, "reason": "unspecific"},
            ),
        ),
        (messages.CONFIRM_CLOSE, (messages.CLOSE_CONFIRM, {"phase": "confirm"})),
        (messages.CMI, (messages.INIT, None)),
    ):
        assert decode(memoryview(octets)) == expected


def test_data_parts_surround_the_payload_without_copying_it():
    parts = messages.data_parts(PAYLOAD)
    assert parts[1] is PAYLOAD
    text = b'\x02{"data":[{"header":[{"protocolId":"ee1.0"}]},{"payload":' + PAYLOAD + b"}]}"
    assert b"".join(parts) == text
