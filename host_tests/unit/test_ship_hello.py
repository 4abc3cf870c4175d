"""Hello phase: each row of its two state tables, each timer at its limit and 1 ms before."""

from ship import messages, states
from ship.hello import MAX_PROLONGATIONS, Hello

READY = b'\x01{"connectionHello":[{"phase":"ready"},{"waiting":%d}]}'
PENDING = b'\x01{"connectionHello":[{"phase":"pending"},{"waiting":%d}]}'
REQUEST = b'\x01{"connectionHello":[{"phase":"pending"},{"prolongationRequest":true}]}'
ABORTED = b'\x01{"connectionHello":[{"phase":"aborted"}]}'

ABORT = (states.ABORT_SENT, (4001, "hello aborted"), [ABORTED])
TIMEOUT = (states.ABORT_SENT, (4001, "hello timeout"), [ABORTED])
ABORTED_BY_PEER = (states.ABORT_RECEIVED, (4001, "hello aborted by the peer"), [])
REJECTED = (states.REJECTED, (4452, "Node rejected by application"), [ABORTED])


class Side:
    """A hello with what it sends and a clock; starts at time 0."""

    def __init__(self, is_trusted):
        self.sent = []
        self.now = 0
        self.hello = Hello(self.sent.append)
        self.hello.start(is_trusted, 0)

    def take(self):
        sent = self.sent[:]
        del self.sent[:]
        return sent

    def receive(self, text):
        """Take a message given as text without the type octet; return what is sent."""
        kind, body = messages.decode(memoryview(b"\x01" + text))
        self.hello.receive(kind, body, self.now)
        return self.take()

    def say(self, **body):
        """Receive a connectionHello with the given elements; return what is sent."""
        self.hello.receive(messages.HELLO, body, self.now)
        return self.take()

    def wait_until(self, now):
        """Let time pass, one call at the end; return what is sent."""
        self.now = now
        self.hello.tick(now)
        return self.take()

    def outcome(self):
        return self.hello.state, self.hello.failure, self.take()

    def is_unchanged(self, state):
        hello = self.hello
        return hello.state == state and not hello.is_done and hello.failure is None


def ready():
    """A side in READY_LISTEN that has sent its update."""
    side = Side(True)
    assert side.take() == [READY % 120_000]
    assert side.hello.state == states.READY_LISTEN == 8
    assert side.hello.deadline() == 120_000
    return side


def pending():
    """A side in PENDING_LISTEN that has sent its update."""
    side = Side(False)
    assert side.take() == [PENDING % 120_000]
    assert side.hello.state == states.PENDING_LISTEN == 11
    assert side.hello.deadline() == 120_000
    return side


def is_ok(side):
    hello = side.hello
    return (hello.state, hello.is_done, hello.failure, hello.deadline()) == (13, True, None, None)


OTHER_MESSAGES = (
    b'{"connectionHello":[]}',
    b'{"connectionHello":[{"waiting":60000}]}',
    b'{"connectionHello":[{"phase":"steady"},{"waiting":60000}]}',
    b'{"connectionHello":[{"phase":null}]}',
    b'{"connectionHello":[{"phase":["ready"]}]}',
    b'{"connectionPinState":[{"pinState":"none"}]}',
    b'{"accessMethodsRequest":[]}',
    b'{"unknown":[]}',
    b'{"connectionHello":',
    b"",
)


# READY_LISTEN


def test_ready_meets_ready():
    for text in (
        b'{"connectionHello":[{"phase":"ready"},{"waiting":60000}]}',
        b'{"connectionHello":[{"phase":"ready"}]}',
        b'{"connectionHello":[{"phase":"ready"},{"waiting":60000},{"prolongationRequest":true}]}',
    ):
        side = ready()
        assert side.receive(text) == []
        assert is_ok(side), text


def test_ready_accepts_each_prolongation_request_and_tells_the_new_time():
    side = ready()
    side.wait_until(100_000)
    assert side.receive(REQUEST[1:]) == [READY % 140_000]
    assert side.hello.deadline() == 240_000
    side.wait_until(200_000)
    assert side.receive(REQUEST[1:]) == [READY % 160_000]
    assert side.is_unchanged(states.READY_LISTEN)
    side.wait_until(359_999)
    assert side.is_unchanged(states.READY_LISTEN)
    side.hello.tick(360_000)
    assert side.outcome() == TIMEOUT


def test_ready_ignores_pending_without_request():
    side = ready()
    for text in (
        b'{"connectionHello":[{"phase":"pending"},{"waiting":60000}]}',
        b'{"connectionHello":[{"phase":"pending"}]}',
        b'{"connectionHello":[{"phase":"pending"},{"prolongationRequest":false}]}',
    ):
        side.wait_until(side.now + 30_000)
        assert side.receive(text) == []
        assert side.is_unchanged(states.READY_LISTEN)
        assert side.hello.deadline() == 120_000
    side.say(phase="ready", waiting=60000)
    assert is_ok(side)


def test_ready_ends_without_an_answer_when_the_peer_aborts():
    side = ready()
    side.receive(b'{"connectionHello":[{"phase":"aborted"}]}')
    assert side.outcome() == ABORTED_BY_PEER
    assert side.hello.deadline() is None


def test_ready_aborts_on_any_other_message():
    for text in OTHER_MESSAGES:
        side = ready()
        kind, body = messages.decode(memoryview(b"\x01" + text))
        side.hello.receive(kind, body, 0)
        assert side.outcome() == ABORT, text


def test_ready_aborts_when_wait_for_ready_expires():
    side = ready()
    assert side.wait_until(119_999) == []
    assert side.is_unchanged(states.READY_LISTEN)
    side.hello.tick(120_000)
    assert side.outcome() == TIMEOUT
    assert side.hello.deadline() is None


def test_ready_aborts_when_the_user_withdraws_trust():
    side = ready()
    side.hello.reject(1)
    assert side.outcome() == REJECTED


def test_ready_is_not_changed_by_being_trusted_again():
    side = ready()
    side.hello.trust(5_000)
    assert side.take() == [] and side.hello.deadline() == 120_000


# PENDING_LISTEN, rows 1 … 11


def test_row_1_ready_without_waiting_is_taken_for_60_seconds():
    side = pending()
    assert side.say(phase="ready") == []
    assert side.is_unchanged(states.PENDING_LISTEN)
    assert side.hello.deadline() == 45_000
    side.hello.trust(0)
    assert is_ok(side)


def test_row_2_ready_stops_wait_for_ready_and_arms_the_request():
    side = pending()
    side.say(phase="ready", waiting=60_000)
    assert side.hello.deadline() == 45_000
    assert side.wait_until(44_999) == []
    assert side.wait_until(45_000) == [REQUEST]
    assert side.is_unchanged(states.PENDING_LISTEN)


def test_row_2_stops_the_reply_timer():
    side = pending()
    side.say(phase="ready", waiting=60_000)
    assert side.wait_until(45_000) == [REQUEST]
    assert side.hello.deadline() == 105_000
    side.say(phase="ready", waiting=75_000)
    assert side.hello.deadline() == 105_000  # 45 + 75 - 15 s: now the next request
    assert side.wait_until(105_000) == [REQUEST]


def test_row_3_pending_arms_the_request_and_lets_wait_for_ready_run():
    side = pending()
    side.say(phase="pending", waiting=60_000)
    assert side.wait_until(44_999) == []
    assert side.wait_until(45_000) == [REQUEST]
    assert side.hello.deadline() == 105_000
    side.say(phase="pending", waiting=600_000)
    assert side.hello.deadline() == 120_000
    side.hello.tick(120_000)
    assert side.outcome() == TIMEOUT


def test_row_4_a_request_prolongs_and_is_answered_with_pending():
    for body in (
        {"phase": "pending", "prolongationRequest": True},
        {"phase": "pending", "prolongationRequest": "true"},
        {"phase": "pending", "prolongationRequest": True, "waiting": 60_000},
        {"phase": "pending", "prolongation_request": True, "waiting": 60_000},
    ):
        side = pending()
        side.wait_until(100_000)
        assert side.say(**body) == [PENDING % 140_000]
        assert side.hello.deadline() == 240_000
        assert side.wait_until(239_999) == []
        side.hello.tick(240_000)
        assert side.outcome() == TIMEOUT


def test_row_5_aborted_ends_without_an_answer():
    side = pending()
    side.say(phase="aborted")
    assert side.outcome() == ABORTED_BY_PEER


def test_row_6_anything_else_aborts():
    for text in OTHER_MESSAGES + (b'{"connectionHello":[{"phase":"pending"}]}',):
        side = pending()
        kind, body = messages.decode(memoryview(b"\x01" + text))
        side.hello.receive(kind, body, 0)
        assert side.outcome() == ABORT, text


def test_row_7_wait_for_ready_expires():
    side = pending()
    assert side.wait_until(119_999) == []
    side.hello.tick(120_000)
    assert side.outcome() == TIMEOUT


def test_row_8_the_request_goes_out_before_the_peer_gives_up():
    side = pending()
    side.say(phase="ready", waiting=120_000)
    assert side.wait_until(104_999) == []
    assert side.wait_until(105_000) == [REQUEST]
    assert side.hello.prolongations == 1


def test_row_9_no_reply_to_the_request_aborts_after_the_last_waiting():
    side = pending()
    side.say(phase="ready", waiting=60_000)
    side.wait_until(45_000)
    assert side.wait_until(104_999) == []
    assert side.is_unchanged(states.PENDING_LISTEN)
    side.hello.tick(105_000)
    assert side.outcome() == TIMEOUT


def test_row_10_trust_waits_for_a_ready_that_has_not_come():
    side = pending()
    side.wait_until(50_000)
    side.hello.trust(50_000)
    assert side.take() == [READY % 120_000]
    assert side.is_unchanged(states.READY_LISTEN)
    assert side.hello.deadline() == 170_000
    side.say(phase="ready", waiting=60_000)
    assert is_ok(side)


def test_row_10_trust_goes_on_at_once_if_the_peer_was_ready():
    side = pending()
    side.say(phase="ready", waiting=60_000)
    side.hello.trust(50_000)
    assert side.take() == [READY % 120_000]
    assert is_ok(side)


def test_row_10_a_peer_that_has_gone_back_to_pending_is_waited_for():
    side = pending()
    side.say(phase="ready", waiting=60_000)
    side.say(phase="pending", waiting=60_000)
    side.hello.trust(10_000)
    assert side.take() == [READY % 120_000]
    assert side.is_unchanged(states.READY_LISTEN)


def test_row_11_the_user_rejects():
    side = pending()
    side.hello.reject(3)
    assert side.outcome() == REJECTED


# Timers and limits


def test_a_waiting_below_30_seconds_arms_no_request_but_a_guard():
    side = pending()
    side.say(phase="ready", waiting=29_999)
    assert side.hello.deadline() == 59_999
    assert side.wait_until(59_998) == []
    side.hello.tick(59_999)
    assert side.outcome() == TIMEOUT
    side = pending()
    side.say(phase="ready", waiting=30_000)
    assert side.hello.deadline() == 15_000


def test_a_short_waiting_of_a_pending_peer_leaves_wait_for_ready_in_charge():
    side = pending()
    side.say(phase="pending", waiting=10_000)
    assert side.hello.deadline() == 120_000


def test_waiting_is_taken_within_bounds():
    side = pending()
    side.say(phase="ready", waiting=0)
    assert side.hello.deadline() == 31_000
    side = pending()
    side.say(phase="ready", waiting=4_294_967_295)
    assert side.hello.deadline() == 585_000


def test_waiting_may_be_written_as_text_and_is_otherwise_absent():
    side = pending()
    side.say(phase="ready", waiting="90000")
    assert side.hello.deadline() == 75_000
    for waiting in ("soon", -1, 4_294_967_296, None, [], True):
        side = pending()
        side.say(phase="ready", waiting=waiting)
        assert side.hello.deadline() == 45_000, waiting


def test_ready_with_a_request_is_ready_first_and_then_a_request():
    side = pending()
    assert side.say(phase="ready", waiting=60_000, prolongationRequest=True) == [PENDING % 120_000]
    assert side.hello.deadline() == 45_000
    side.hello.trust(1_000)
    assert is_ok(side)


def test_the_peers_prolongations_are_limited():
    side = ready()
    for n in range(1, MAX_PROLONGATIONS + 1):
        assert side.say(phase="pending", prolongationRequest=True) == [READY % (120_000 * (n + 1))]
    last = 120_000 * (MAX_PROLONGATIONS + 1)
    assert last == 1_920_000
    assert side.say(phase="pending", prolongationRequest=True) == [READY % last]
    side.wait_until(last - 500)
    assert side.say(phase="pending", prolongationRequest=True) == [READY % 1_000]
    assert side.hello.deadline() == last
    side.hello.tick(last)
    assert side.outcome() == TIMEOUT


def test_our_prolongations_are_limited():
    side = pending()
    for _ in range(MAX_PROLONGATIONS):
        side.say(phase="ready", waiting=60_000)
        assert side.wait_until(side.now + 45_000) == [REQUEST]
    side.say(phase="ready", waiting=60_000)
    side.hello.tick(side.now + 45_000)
    assert side.outcome() == TIMEOUT


def test_aborting_on_our_own_is_the_abort_procedure():
    for side in (ready(), pending()):
        side.hello.abort(0)
        assert side.outcome() == ABORT


def test_two_sides_prolong_until_both_are_ready():
    """The example of SHIP 13.4.4.1 in time: the user of B accepts after 80 s of asking."""
    a = ready()
    b = pending()
    b.say(phase="ready", waiting=60_000)  # A has T_hello_init of 60 s here
    assert a.say(phase="pending", waiting=60_000) == []
    assert b.wait_until(45_000) == [REQUEST]
    a.wait_until(45_000)
    assert a.say(phase="pending", prolongationRequest=True) == [READY % 195_000]
    b.say(phase="ready", waiting=75_000)
    assert b.wait_until(80_000) == []
    b.hello.trust(80_000)
    assert b.take() == [READY % 120_000]
    assert is_ok(b)
    a.say(phase="ready", waiting=120_000)
    assert is_ok(a)
