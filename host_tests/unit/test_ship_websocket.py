"""WebSocket of both roles: upgrade, frames, limits, keep-alive and close (RFC 6455; SHIP 10)."""

from ship import frames
from ship.base import CLIENT, SERVER, LocalError
from ship.websocket import (
    CLOSE_TIMEOUT_MS,
    CLOSED,
    FRAME_COST,
    MAX_FRAGMENTS,
    MAX_HEAD,
    MAX_OUTBOX,
    MESSAGE,
    OPEN,
    PING_INTERVAL_MS,
    PONG_TIMEOUT_MS,
    SMALL_BUFFER,
    UPGRADE_TIMEOUT_MS,
    WebSocket,
)

MASK = b"\x11\x22\x33\x44"
NO_MASK = b"\x00\x00\x00\x00"
REQUEST = (
    b"GET /ship/ HTTP/1.1\r\nHost: evse-0001.local:4712\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: ship\r\n\r\n"
)
ANSWER = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: ship\r\n\r\n"
)


def entropy(count):
    """What the examples of RFC 6455 use: a key for 16 octets, a mask for 4."""
    return b"the sample nonce" if count == 16 else MASK


def feed(socket, octets, now=0, at_once=100_000):
    """Hand octets in, at most `at_once` per read; return the events with their content."""
    events = []
    while octets:
        space = socket.buffer()
        count = min(len(space), len(octets), at_once)
        assert count
        space[:count] = octets[:count]
        octets = octets[count:]
        socket.received(count, now)
        events += drain(socket)
    return events


def drain(socket):
    """The events that are due, with their content."""
    events = []
    event = socket.next_event()
    while event is not None:
        if event == MESSAGE:
            event = (MESSAGE, bytes(socket.payload))
        elif event == CLOSED:
            event = (CLOSED, socket.close_code, socket.close_reason)
        events.append(event)
        event = socket.next_event()
    return events


def taken(socket):
    return b"".join([bytes(part) for part in socket.take()])


def server(max_message=16384, path="/ship/"):
    """A server after the upgrade, at time 0."""
    socket = WebSocket(SERVER, entropy, path, max_message=max_message)
    socket.start(0)
    assert feed(socket, REQUEST) == [OPEN]
    assert taken(socket) == ANSWER
    return socket


def client():
    """A client after the upgrade, at time 0."""
    socket = WebSocket(CLIENT, entropy, "/ship/", "evse-0001.local:4712")
    socket.start(0)
    assert taken(socket) == REQUEST
    assert feed(socket, ANSWER) == [OPEN]
    return socket


def frame(first, payload=b"", mask=MASK):
    """A frame as a client sends it: first octet, length, mask, masked payload."""
    size = len(payload)
    if size < 126:
        head = bytes((first, 0x80 | size))
    elif size < 65536:
        head = bytes((first, 0xFE)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, 0xFF)) + size.to_bytes(8, "big")
    return head + mask + bytes([octet ^ mask[i & 3] for i, octet in enumerate(payload)])


def pattern(size):
    return bytes([i * 7 & 0xFF for i in range(size)])


def replaced(old, new):
    assert old in REQUEST
    return REQUEST.replace(old, new)


def refusal(request, path="/ship/"):
    """Status line of the answer to a request that must be refused."""
    socket = WebSocket(SERVER, entropy, path)
    socket.start(0)
    events = feed(socket, request)
    assert len(events) == 1 and events[0][0] == CLOSED, events
    answer = taken(socket)
    assert answer.endswith(b"Connection: close\r\nContent-Length: 0\r\n\r\n")
    return answer[: answer.index(b"\r\n")]


# Upgrade


def test_the_server_answers_the_key_of_rfc_6455():
    server()


def test_the_client_sends_the_request_of_ship_10_2_and_accepts_its_answer():
    client()


def test_the_upgrade_may_come_octet_by_octet():
    socket = WebSocket(SERVER, entropy)
    socket.start(0)
    assert feed(socket, REQUEST, at_once=1) == [OPEN]
    assert taken(socket) == ANSWER


def test_frames_may_follow_the_upgrade_in_the_same_read():
    socket = WebSocket(SERVER, entropy)
    socket.start(0)
    assert feed(socket, REQUEST + frame(0x82, b"\x00\x00")) == [OPEN, (MESSAGE, b"\x00\x00")]


def test_header_names_and_tokens_are_compared_without_case():
    request = replaced(b"Host", b"hOST")
    request = request.replace(b"Upgrade: websocket", b"UPGRADE:WebSocket")
    request = request.replace(b"Connection: Upgrade", b"connection: keep-alive, UPGRADE")
    request = request.replace(b"Sec-WebSocket-Protocol: ship", b"sec-websocket-protocol:foo, ship")
    socket = WebSocket(SERVER, entropy)
    socket.start(0)
    assert feed(socket, request) == [OPEN]
    assert taken(socket) == ANSWER


def test_sub_protocols_may_be_spread_over_several_headers():
    request = replaced(b"Protocol: ship", b"Protocol: foo\r\nSec-WebSocket-Protocol: ship")
    socket = WebSocket(SERVER, entropy)
    socket.start(0)
    assert feed(socket, request) == [OPEN]


def test_an_offered_extension_is_not_accepted():
    request = replaced(b"\r\n\r\n", b"\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
    socket = WebSocket(SERVER, entropy)
    socket.start(0)
    assert feed(socket, request) == [OPEN]
    assert taken(socket) == ANSWER


def test_usual_paths_are_served_and_others_are_not_found():
    for path in (
        b"/",
        b"/ship",
        b"/ship/",
        b"/mine",
        b"/ship/?a=/b://c",
        b"wss://evse:4712/ship/",
    ):
        socket = WebSocket(SERVER, entropy, "/mine")
        socket.start(0)
        assert feed(socket, replaced(b"/ship/", path)) == [OPEN], path
    for path in (b"/other", b"/ship/x", b"ship", b"//", b"*"):
        assert refusal(replaced(b"/ship/", path)) == b"HTTP/1.1 404 Not Found", path


def test_a_request_without_ship_is_refused_with_400():
    bad = b"HTTP/1.1 400 Bad Request"
    assert refusal(replaced(b"Sec-WebSocket-Protocol: ship\r\n", b"")) == bad
    assert refusal(replaced(b"Protocol: ship", b"Protocol: chat, shipping")) == bad


def test_what_is_missing_in_a_request_is_refused_with_400():
    bad = b"HTTP/1.1 400 Bad Request"
    assert refusal(replaced(b"Connection: Upgrade\r\n", b"")) == bad
    assert refusal(replaced(b"Host: evse-0001.local:4712\r\n", b"")) == bad
    assert refusal(replaced(b"dGhlIHNhbXBsZSBub25jZQ==", b"c2hvcnQ=")) == bad
    assert refusal(replaced(b"dGhlIHNhbXBsZSBub25jZQ==", b"!hlIHNhbXBsZSBub25jZQ=!!")) == bad
    assert refusal(replaced(b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", b"")) == bad


def test_malformed_requests_are_refused_with_400():
    bad = b"HTTP/1.1 400 Bad Request"
    assert refusal(b"\r\n\r\n") == bad
    assert refusal(b"GET /ship/\r\n\r\n") == bad
    assert refusal(b"\x00\x00\x16\x03\r\n\r\n") == bad
    assert refusal(replaced(b"Host: ", b"Host : ")) == bad
    assert refusal(replaced(b"Host: ", b" folded: ")) == bad
    assert refusal(replaced(b"Host: evse-0001.local:4712", b"no colon")) == bad
    assert refusal(replaced(b"Host", b"")) == bad


def test_other_methods_and_versions_get_their_own_status():
    socket = WebSocket(SERVER, entropy)
    socket.start(0)
    assert feed(socket, replaced(b"Version: 13", b"Version: 8")) == [
        (CLOSED, 1002, "HTTP 426: version")
    ]
    assert taken(socket) == (
        b"HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13\r\n"
        b"Connection: close\r\nContent-Length: 0\r\n\r\n"
    )
    assert refusal(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") == b"HTTP/1.1 426 Upgrade Required"
    assert refusal(replaced(b"GET", b"POST")) == b"HTTP/1.1 405 Method Not Allowed"
    for version in (b"HTTP/1.0", b"HTTP/2.0"):
        answer = refusal(replaced(b"HTTP/1.1", version))
        assert answer == b"HTTP/1.1 505 HTTP Version Not Supported"


def test_a_head_is_accepted_up_to_the_limit_and_refused_beyond():
    filler = b"x" * (MAX_HEAD - len(REQUEST) - len(b"\r\nPad: "))
    socket = WebSocket(SERVER, entropy)
    socket.start(0)
    longest = replaced(b"\r\n\r\n", b"\r\nPad: " + filler + b"\r\n\r\n")
    assert len(longest) == MAX_HEAD
    assert feed(socket, longest) == [OPEN]
    too_large = b"HTTP/1.1 431 Request Header Fields Too Large"
    assert refusal(b"G" * MAX_HEAD) == too_large
    socket = WebSocket(SERVER, entropy)
    socket.start(0)
    assert feed(socket, b"G" * (MAX_HEAD - 1)) == []


def client_failure(answer):
    socket = WebSocket(CLIENT, entropy, "/ship/", "x")
    socket.start(0)
    taken(socket)
    events = feed(socket, answer)
    assert len(events) == 1 and events[0][:2] == (CLOSED, 1002), events
    assert taken(socket) == b""
    return events[0][2]


def test_the_client_leaves_a_server_that_does_not_upgrade_to_ship():
    token = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    for answer, reason in (
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "not upgraded: HTTP status 404"),
        (b"HTTP/1.1 \xff\xff\xff\r\n\r\n", "not upgraded: HTTP status unreadable"),
        (b"\r\n\r\n", "not upgraded: HTTP status unreadable"),
        (b"HTTP/1.1 101 x\r\nno header\r\n\r\n", "no HTTP"),
        (ANSWER.replace(b"Upgrade: websocket\r\n", b""), "no valid upgrade"),
        (ANSWER.replace(b"Connection: Upgrade\r\n", b""), "no valid upgrade"),
        (ANSWER.replace(token, b"AAAA" + token[4:]), "no valid upgrade"),
        (
            ANSWER.replace(b"Sec-WebSocket-Protocol: ship\r\n", b""),
            "sub-protocol ship is not selected",
        ),
        (
            ANSWER.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Extensions: x\r\n\r\n"),
            "extension was not offered",
        ),
    ):
        assert client_failure(answer) == reason


def test_the_upgrade_must_come_in_time():
    for role in (SERVER, CLIENT):
        socket = WebSocket(role, entropy)
        socket.start(1000)
        taken(socket)
        assert socket.deadline() == 1000 + UPGRADE_TIMEOUT_MS == 16_000
        socket.tick(15_999)
        assert drain(socket) == []
        socket.tick(16_000)
        assert drain(socket) == [(CLOSED, 1006, "no upgrade in time")]
        assert taken(socket) == b""
        assert socket.deadline() is None


NO_ROOM = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 60\r\n"
    b"Connection: close\r\nContent-Length: 0\r\n\r\n"
)


def test_who_finds_no_room_is_told_so_and_when_to_come_again():
    socket = WebSocket(SERVER, entropy)
    socket.start(0)
    socket.is_busy = True
    assert feed(socket, REQUEST) == [(CLOSED, 1002, "HTTP 503: no room for another connection")]
    assert taken(socket) == NO_ROOM


def test_who_has_to_give_way_before_it_has_asked_is_told_so_too():
    socket = WebSocket(SERVER, entropy)
    socket.start(0)
    socket.is_busy = True
    socket.close(4001, "no room", 10)
    assert taken(socket) == NO_ROOM


# Frames


def test_frames_of_each_length_form_are_read_at_once_and_octet_by_octet():
    for size in (0, 1, 2, 125, 126, 127, 255, 256, 257, 300, 511, 513, 1024, 5000):
        payload = pattern(size)
        octets = frame(0x82, payload)
        assert feed(server(), octets) == [(MESSAGE, payload)], size
        assert feed(server(), octets, at_once=1) == [(MESSAGE, payload)], size


def test_longer_length_forms_than_needed_are_read():
    assert feed(server(), b"\x82\xfe\x00\x02" + NO_MASK + b"ab") == [(MESSAGE, b"ab")]
    octets = b"\x82\xff" + (2).to_bytes(8, "big") + NO_MASK + b"ab"
    assert feed(server(), octets) == [(MESSAGE, b"ab")]


def test_the_cmi_frames_of_both_directions_are_literally_right():
    socket = server()
    assert feed(socket, b"\x82\x82\x11\x22\x33\x44\x11\x22") == [(MESSAGE, b"\x00\x00")]
    socket.message([b"\x00\x00"])
    assert taken(socket) == b"\x82\x02\x00\x00"
    socket = client()
    assert feed(socket, b"\x82\x02\x00\x00") == [(MESSAGE, b"\x00\x00")]
    socket.message([b"\x00", b"\x00"])
    assert taken(socket) == b"\x82\x82\x11\x22\x33\x44\x11\x22"


def test_sent_frames_have_the_shortest_length_form():
    for size, head in (
        (0, b"\x82\x00"),
        (125, b"\x82\x7d"),
        (126, b"\x82\x7e\x00\x7e"),
        (300, b"\x82\x7e\x01\x2c"),
    ):
        socket = server()
        socket.message([pattern(size)])
        assert taken(socket) == head + pattern(size)
    socket = client()
    whole = pattern(300)
    socket.message([whole[:100], memoryview(whole)[100:200], bytearray(whole[200:])])
    assert taken(socket) == frame(0x82, whole)
    assert taken(socket) == b""
    assert frames.header(frames.BINARY, 65536) == b"\x82\x7f" + (65536).to_bytes(8, "big")


def test_parts_of_a_message_are_not_copied_by_a_server():
    socket = server()
    payload = bytearray(b"payload")
    socket.message([b"\x02", payload])
    assert socket.take()[-1] is payload


def test_masks_are_applied_and_taken_off_for_any_length():
    for size in (0, 1, 3, 4, 5, 63, 255, 256, 257, 511, 512, 515, 1000):
        plain = pattern(size)
        masked = bytearray(plain)
        frames.apply_mask(memoryview(masked), MASK)
        assert masked == bytes([octet ^ MASK[i & 3] for i, octet in enumerate(plain)]), size
        frames.apply_mask(memoryview(masked), MASK)
        assert masked == plain


def test_several_frames_in_one_read_are_several_events():
    octets = frame(0x82, b"one") + frame(0x82, b"two") + frame(0x82, pattern(400))
    expected = [(MESSAGE, b"one"), (MESSAGE, b"two"), (MESSAGE, pattern(400))]
    assert feed(server(), octets) == expected
    for at_once in (1, 2, 3, 7, 100):
        assert feed(server(), octets, at_once=at_once) == expected


def test_fragments_with_control_frames_between_them_become_one_message():
    octets = (
        frame(0x02, pattern(300))
        + frame(0x89, b"ping")
        + frame(0x00, b"")
        + frame(0x00, pattern(200))
        + frame(0x8A, b"pong")
        + frame(0x80, b"end")
        + frame(0x82, b"next")
    )
    expected = [(MESSAGE, pattern(300) + pattern(200) + b"end"), (MESSAGE, b"next")]
    for at_once in (100_000, 1, 2, 13, 500):
        socket = server()
        assert feed(socket, octets, at_once=at_once) == expected
        assert taken(socket) == b"\x8a\x04ping"


def test_a_stream_of_messages_longer_than_the_buffer_is_read_whole():
    messages = [pattern(size) for size in (900, 10, 1100, 0, 4000, 1000, 3, 16384, 700)]
    octets = b"".join([frame(0x82, message) for message in messages])
    for at_once in (100_000, 1000, 999, 61):
        assert feed(server(), octets, at_once=at_once) == [(MESSAGE, m) for m in messages]


def test_the_buffer_grows_for_an_announced_message_and_shrinks_afterwards():
    socket = server()
    assert len(socket.buffer()) == SMALL_BUFFER
    octets = frame(0x82, pattern(10_000))
    assert feed(socket, octets[:8]) == []
    assert 10_000 <= len(socket.buffer()) < 12_000
    assert feed(socket, octets[8:-1]) == []
    assert feed(socket, octets[-1:]) == [(MESSAGE, pattern(10_000))]
    assert len(socket.buffer()) == SMALL_BUFFER


def failure(octets):
    """Close code of a server for octets it must not accept, also octet by octet."""
    codes = []
    for at_once in (100_000, 1):
        other = server()
        events = feed(other, octets, at_once=at_once)
        assert events[-1][0] == CLOSED and len(events) == 1, events
        code = events[0][1]
        sent = taken(other)
        assert sent[0] == 0x88 and sent[2:4] == code.to_bytes(2, "big"), sent
        assert sent[4:] == events[0][2].encode()
        assert feed(other, frame(0x82, b"late")) == []
        other.message([b"late"])
        assert taken(other) == b"" and other.deadline() is None
        assert len(other.buffer()) == SMALL_BUFFER
        codes.append(code)
    assert codes[0] == codes[1]
    return codes[0]


def test_an_unmasked_frame_of_a_client_ends_with_1002():
    assert failure(b"\x82\x02\x00\x00") == 1002


def test_a_masked_frame_of_a_server_ends_with_1002():
    socket = client()
    assert feed(socket, frame(0x82, b"\x00\x00")) == [(CLOSED, 1002, "masked")]
    assert taken(socket)[:2] == b"\x88\x88"


def test_reserved_bits_end_with_1002():
    for bit in (0x40, 0x20, 0x10):
        assert failure(frame(0x82 | bit, b"x")) == 1002
        assert failure(frame(0x89 | bit)) == 1002


def test_unknown_opcodes_end_with_1002():
    for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
        assert failure(frame(0x80 | opcode)) == 1002, opcode


def test_text_ends_with_1003():
    assert failure(frame(0x81, b"{}")) == 1003
    assert failure(frame(0x01, b"{}")) == 1003


def test_fragmented_or_long_control_frames_end_with_1002():
    for opcode in (8, 9, 10):
        assert failure(frame(opcode)) == 1002
        assert failure(frame(0x80 | opcode, b"x" * 126)) == 1002


def test_a_control_frame_of_125_octets_is_answered():
    socket = server()
    assert feed(socket, frame(0x89, pattern(125))) == []
    assert taken(socket) == b"\x8a\x7d" + pattern(125)


def test_fragments_in_disorder_end_with_1002():
    assert failure(frame(0x80, b"nothing to continue")) == 1002
    assert failure(frame(0x02, b"begin") + frame(0x82, b"again")) == 1002
    assert failure(frame(0x02, b"begin") + frame(0x02, b"again")) == 1002


def test_a_message_is_accepted_up_to_the_limit():
    assert feed(server(), frame(0x82, pattern(16384))) == [(MESSAGE, pattern(16384))]
    octets = frame(0x02, pattern(10_000)) + frame(0x80, pattern(6384))
    assert feed(server(), octets) == [(MESSAGE, pattern(10_000) + pattern(6384))]
    assert feed(server(max_message=100), frame(0x82, pattern(100))) == [(MESSAGE, pattern(100))]


def test_a_longer_message_ends_with_1009_when_it_is_announced():
    assert failure(b"\x82\xfe\x40\x01" + MASK) == 1009
    assert failure(b"\x82\xff" + b"\x00" * 5 + b"\x01\x00\x00" + MASK) == 1009
    assert failure(b"\x82\xff" + b"\xff" * 8 + MASK) == 1009


def test_a_limit_of_the_owner_is_kept():
    socket = server(max_message=100)
    assert feed(socket, frame(0x82, pattern(101))) == [(CLOSED, 1009, "message too big")]


def test_fragments_may_not_exceed_the_limit_together():
    begin = frame(0x02, pattern(16_000))
    assert failure(begin + frame(0x80, pattern(385))) == 1009
    assert failure(begin + b"\x00\xfe\x01\x81" + MASK) == 1009


def test_endless_continuation_is_bounded():
    octets = frame(0x02) + frame(0x00) * (MAX_FRAGMENTS - 1)
    socket = server()
    assert feed(socket, octets) == []
    assert feed(socket, frame(0x80)) == [(CLOSED, 1009, "message too big")]
    socket = server()
    octets = frame(0x02) + frame(0x00) * (MAX_FRAGMENTS - 2) + frame(0x80, b"x")
    assert feed(socket, octets) == [(MESSAGE, b"x")]


# Sending


def test_a_message_before_the_upgrade_is_a_local_error():
    socket = WebSocket(SERVER, entropy)
    socket.start(0)
    try:
        socket.message([b"\x00\x00"])
    except LocalError:
        pass
    else:
        raise AssertionError("accepted")


def test_reporting_more_than_the_buffer_holds_is_a_local_error():
    socket = server()
    try:
        socket.received(len(socket.buffer()) + 1, 0)
    except LocalError:
        pass
    else:
        raise AssertionError("accepted")


def test_the_outbox_is_bounded():
    socket = server()
    half = bytes(MAX_OUTBOX // 2 - FRAME_COST)
    socket.message([half])
    socket.message([half])
    assert drain(socket) == []
    socket.message([b""])
    assert drain(socket) == [(CLOSED, 1008, "overload")]
    assert taken(socket) == b"\x88\x0a\x03\xf0overload"


def test_taking_makes_room_in_the_outbox():
    socket = server()
    for _ in range(4):
        socket.message([bytes(MAX_OUTBOX // 2)])
        taken(socket)
    assert drain(socket) == []


def test_pings_that_nobody_reads_the_answers_of_are_bounded():
    socket = server()
    events = []
    for _ in range(MAX_OUTBOX // FRAME_COST + 1):
        events += feed(socket, frame(0x89))
    assert events == [(CLOSED, 1008, "overload")]


# Keep-alive


def test_a_ping_is_answered_with_its_payload():
    socket = server()
    assert feed(socket, frame(0x89)) == []
    assert taken(socket) == b"\x8a\x00"
    socket = client()
    assert feed(socket, b"\x89\x02hi") == []
    assert taken(socket) == b"\x8a\x82" + MASK + bytes((0x68 ^ 0x11, 0x69 ^ 0x22))


def test_a_ping_is_sent_every_50_seconds():
    assert (PING_INTERVAL_MS, PONG_TIMEOUT_MS) == (50_000, 10_000)
    socket = server()
    now = 0
    for _ in range(3):
        now += 50_000
        assert socket.deadline() == now
        socket.tick(now - 1)
        assert taken(socket) == b""
        socket.tick(now)
        assert taken(socket) == b"\x89\x00"
        assert socket.deadline() == now + 10_000
        assert feed(socket, frame(0x8A), now + 9_999) == []
        assert socket.deadline() == now + 50_000


def test_a_sign_of_life_can_be_asked_for_at_any_time():
    socket = server()
    socket.ping(1_000)
    socket.tick(1_000)
    assert taken(socket) == b"\x89\x00"
    socket.ping(2_000)
    socket.tick(2_000)
    assert taken(socket) == b"", "one is on its way already"
    socket.tick(11_000)
    assert drain(socket) == [(CLOSED, 1002, "no pong in time")]


def test_a_client_pings_as_well():
    socket = client()
    socket.tick(50_000)
    assert taken(socket) == b"\x89\x80" + MASK


def test_a_missing_pong_ends_the_connection_after_10_seconds():
    socket = server()
    socket.tick(50_000)
    taken(socket)
    socket.tick(59_999)
    assert drain(socket) == []
    socket.tick(60_000)
    assert drain(socket) == [(CLOSED, 1002, "no pong in time")]
    assert taken(socket) == b"\x88\x11\x03\xeano pong in time"


def test_other_frames_are_a_sign_of_life_too():
    socket = server()
    socket.tick(50_000)
    assert feed(socket, frame(0x82, b"data"), 55_000) == [(MESSAGE, b"data")]
    socket.tick(60_000)
    assert drain(socket) == []
    assert socket.deadline() == 100_000


def test_a_frame_that_does_not_end_is_no_sign_of_life():
    socket = server()
    octets = frame(0x82, pattern(100))
    for n in range(60):
        socket.tick(n * 1000)
        assert feed(socket, octets[n : n + 1], n * 1000) == []
    socket.tick(60_000)
    assert drain(socket) == [(CLOSED, 1002, "no pong in time")]


def test_data_does_not_put_off_the_ping():
    socket = server()
    feed(socket, frame(0x82, b"data"), 49_000)
    assert socket.deadline() == 50_000


# Close


def test_our_close_waits_for_the_peers():
    socket = server()
    socket.close(4001, "close", 7000)
    assert taken(socket) == b"\x88\x07\x0f\xa1close"
    assert drain(socket) == []
    assert feed(socket, frame(0x82, b"late") + frame(0x89)) == []
    assert feed(socket, frame(0x88, b"\x0f\xa1")) == [(CLOSED, 4001, "close")]
    assert taken(socket) == b""
    assert drain(socket) == []


def test_our_close_of_a_rejected_peer_is_literally_right():
    socket = server()
    socket.close(4452, "Node rejected by application", 0)
    assert taken(socket) == b"\x88\x1e\x11\x64Node rejected by application"
    socket = client()
    socket.close(4001, "close", 0)
    assert taken(socket) == frame(0x88, b"\x0f\xa1close")


def test_the_peers_close_is_not_waited_for_longer_than_the_limit():
    assert CLOSE_TIMEOUT_MS == 500
    socket = server()
    socket.close(4001, "close", 7000)
    assert socket.deadline() == 7500
    socket.tick(7499)
    assert drain(socket) == []
    socket.tick(7500)
    assert drain(socket) == [(CLOSED, 4001, "close")]
    assert socket.deadline() is None


def test_fragments_that_are_under_way_do_not_disturb_the_close():
    socket = server()
    feed(socket, frame(0x02, b"begin"))
    socket.close(4001, "close", 0)
    octets = frame(0x80, b"end") + frame(0x82, b"more") + frame(0x88)
    assert feed(socket, octets) == [(CLOSED, 4001, "close")]


def test_the_peers_close_is_answered_with_its_code():
    for at_once in (100_000, 1):
        socket = server()
        assert feed(socket, frame(0x88, b"\x0f\xa1close"), at_once=at_once) == [
            (CLOSED, 4001, "close")
        ]
        assert taken(socket) == b"\x88\x02\x0f\xa1"
    socket = server()
    assert feed(socket, frame(0x88)) == [(CLOSED, 1005, "")]
    assert taken(socket) == b"\x88\x00"


def test_a_message_before_the_peers_close_is_delivered_first():
    socket = server()
    events = feed(socket, frame(0x82, b"last") + frame(0x88, b"\x03\xe8"))
    assert events == [(MESSAGE, b"last"), (CLOSED, 1000, "")]


def test_every_valid_close_code_is_taken_and_every_other_one_ends_with_1002():
    valid = (1000, 1001, 1002, 1003, 1007, 1011, 1014, 3000, 4000, 4450, 4999)
    for code in valid:
        assert feed(server(), frame(0x88, code.to_bytes(2, "big"))) == [(CLOSED, code, "")]
    for code in (0, 999, 1004, 1005, 1006, 1015, 1100, 2999, 5000, 65535):
        assert failure(frame(0x88, code.to_bytes(2, "big"))) == 1002, code


def test_a_malformed_close_ends_with_1002():
    assert failure(frame(0x88, b"\x03")) == 1002
    assert failure(frame(0x88, b"\x03\xe8\xff\xfe")) == 1002


def test_a_close_before_the_upgrade_says_nothing():
    socket = WebSocket(SERVER, entropy)
    socket.start(0)
    socket.close(4001, "shut down", 5)
    assert drain(socket) == [(CLOSED, 4001, "shut down")]
    assert taken(socket) == b""


def test_a_second_close_changes_nothing():
    socket = server()
    socket.close(4001, "close", 0)
    taken(socket)
    socket.close(4500, "again", 300)
    assert taken(socket) == b"" and socket.deadline() == 500


def test_a_long_reason_is_cut_to_what_fits():
    socket = server()
    socket.close(4001, "x" * 200, 0)
    assert taken(socket) == b"\x88\x7d\x0f\xa1" + b"x" * 123


# Both roles


def test_client_and_server_understand_each_other():
    one = WebSocket(CLIENT, entropy, "/mine", "evse:4712")
    two = WebSocket(SERVER, entropy, "/mine")
    one.start(0)
    two.start(0)
    assert feed(two, taken(one)) == [OPEN]
    assert feed(one, taken(two)) == [OPEN]
    for size in (2, 125, 126, 5000, 16384):
        one.message([pattern(size)])
        assert feed(two, taken(one)) == [(MESSAGE, pattern(size))]
        two.message([pattern(size)])
        assert feed(one, taken(two)) == [(MESSAGE, pattern(size))]
    one.tick(50_000)
    assert feed(two, taken(one)) == []
    assert feed(one, taken(two), 50_001) == []
    two.close(4001, "close", 60_000)
    assert feed(one, taken(two)) == [(CLOSED, 4001, "close")]
    assert feed(two, taken(one)) == [(CLOSED, 4001, "close")]
