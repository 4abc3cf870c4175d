"""Double connections: one stays, whatever rule the peer has (SHIP 12.2.2, ship.double).

The second half is a small world in virtual time: our node and a peer that call each other, with
the rules of the nodes in the field. In every case both must end up on the same one connection.
"""

from ship import dial, double
from ship.dial import Dialler
from ship.double import Double

STEP_MS = 50
MINUTES_MS = 60_000


def test_one_connection_is_left_alone():
    assert Double(True).decide([0], 100_000) is None
    assert Double(False).decide([0], 100_000) is None


def test_the_larger_ski_closes_the_older_after_three_seconds():
    rule = Double(True)
    assert rule.decide([0, 10_000], 10_000) is None
    assert rule.decide([0, 10_000], 12_999) is None
    assert rule.decide([0, 10_000], 13_000) == double.CLOSE
    assert rule.decide([10_000], 13_001) is None


def test_two_are_never_closed_in_one_step():
    rule = Double(True)
    assert rule.decide([0, 1, 2], 10_000) == double.CLOSE
    assert rule.decide([1, 2], 10_000) is None
    assert rule.decide([1, 2], 13_000) == double.CLOSE


def test_a_still_newer_connection_gets_its_own_time():
    rule = Double(True)
    assert rule.decide([0, 1_000], 3_900) is None
    assert rule.decide([0, 1_000, 3_950], 4_000) is None
    assert rule.decide([0, 1_000, 3_950], 6_950) == double.CLOSE


def test_the_smaller_ski_asks_for_a_sign_of_life_and_closes_only_much_later():
    rule = Double(False)
    assert rule.decide([0, 0], 2_999) is None
    assert rule.decide([0, 0], 3_000) == double.PING
    assert rule.decide([0, 0], 29_999) is None
    assert rule.decide([0, 0], 30_000) == double.CLOSE


# --- the world


class Wire:
    """One connection: who opened it, when each side is in data exchange, who closed it."""

    def __init__(self, by_us, up_ms, peer_up_ms):
        self.by_us = by_us
        self.up = [up_ms, peer_up_ms]  # ours, the peer's
        self.closing = None  # when the news of the close arrives

    def is_up(self, side, now):
        return self.up[side] <= now and self.closing is None


class World:
    """We are side 0. `rule(world, wires, now)` is the peer's and returns what it closes."""

    def __init__(self, seed, we_are_larger, rule, peer_dials):
        self.we_are_larger = we_are_larger
        self.wires = []
        self._seed = seed
        self._rule = rule
        self._double = Double(we_are_larger)
        self._dialler = Dialler(self._random)
        self.closed_by_us = 0
        self.now = 0
        self._dialler.found("ab" * 20, (b"\x7f\0\0\1",), 4712, "/ship/", "", 0)
        self._peer_due = None
        if peer_dials:  # at nearly the same moment as we
            self._peer_due = self._dialler.targets[0].due_ms + self._between(-800, 800)

    def _random(self, count):
        octets = bytearray(count)
        for i in range(count):
            self._seed = (self._seed * 1103515245 + 12345) & 0x7FFFFFFF
            octets[i] = self._seed >> 16 & 255
        return octets

    def _between(self, low, high):
        octets = self._random(2)
        return low + (octets[0] << 8 | octets[1]) * (high - low) // 65_536

    def _open(self, by_us):
        """TLS takes its time, and the two sides are done at slightly different moments."""
        at = self.now + self._between(50, 1_500)
        self.wires.append(Wire(by_us, at + self._between(0, 200), at + self._between(0, 200)))

    def close(self, wire):
        if wire.closing is None:
            wire.closing = self.now + self._between(10, 200)

    def step(self):
        now = self.now
        if self._dialler.next(now, lambda ski: bool(self.wires)):
            self._open(True)
        if self._peer_due is not None and self._peer_due <= now:
            self._peer_due = None
            if not [wire for wire in self.wires if wire.is_up(1, now)]:
                self._open(False)
        self._decide(now)
        for wire in self._rule(self, [w for w in self.wires if w.closing is None], now):
            self.close(wire)
        for wire in [w for w in self.wires if w.closing is not None and w.closing <= now]:
            self.wires.remove(wire)
            if not self.wires:
                self._dialler.ended("ab" * 20, dial.FAILED, now)
                self._peer_due = now + self._between(3_000, 10_000)
        self.now += STEP_MS

    def _decide(self, now):
        up = [wire for wire in self.wires if wire.is_up(0, now)]
        up.sort(key=lambda wire: wire.up[0])
        if self._double.decide([wire.up[0] for wire in up], now) == double.CLOSE:
            self.closed_by_us += 1
            self.close(up[0])


def keeps_that_of_the_larger(world, wires, now):
    """As soon as a second one appears: closes the one that the smaller SKI has opened."""
    if len(wires) < 2:
        return []
    return [wire for wire in wires if wire.by_us != world.we_are_larger][:1]


def closes_that_of_the_larger(world, wires, now):
    """Once both are in data exchange: the opposite rule."""
    up = [wire for wire in wires if wire.is_up(1, now)]
    if len(up) < 2:
        return []
    return [wire for wire in up if wire.by_us == world.we_are_larger][:1]


def follows_the_specification(world, wires, now):
    """Our own rule, on the other side."""
    up = [wire for wire in wires if wire.is_up(1, now)]
    up.sort(key=lambda wire: wire.up[1])
    if not hasattr(world, "theirs"):
        world.theirs = Double(not world.we_are_larger)
    if world.theirs.decide([wire.up[1] for wire in up], now) == double.CLOSE:
        return up[:1]
    return []


def does_nothing(world, wires, now):
    """Leaves both as they are."""
    return []


RULES = (
    keeps_that_of_the_larger,
    closes_that_of_the_larger,
    follows_the_specification,
    does_nothing,
)


def run(seed, we_are_larger, rule, peer_dials, minutes=3):
    """The wires that are left after some minutes."""
    world = World(seed, we_are_larger, rule, peer_dials)
    most = 0
    settled = None
    while world.now < minutes * MINUTES_MS:
        world.step()
        most = max(most, len(world.wires))
        if world.now >= (minutes - 1) * MINUTES_MS:
            if settled is None:
                settled = list(world.wires)
            assert world.wires == settled, "for the last minute nothing changes"
    return world, most


def test_both_sides_agree_on_one_connection_whatever_the_peer_s_rule():
    doubles = 0
    for rule in RULES:
        for we_are_larger in (True, False):
            for seed in range(6):
                world, most = run(seed * 7919 + 1, we_are_larger, rule, True)
                assert len(world.wires) == 1, (rule, we_are_larger, seed)
                assert world.wires[0].closing is None
                doubles += most > 1
    assert doubles >= 20, "the world does produce double connections"


def test_where_only_we_call_there_is_one_connection_from_the_begin():
    world, most = run(5, True, does_nothing, False)
    assert most == 1
    assert len(world.wires) == 1


def test_against_a_peer_that_decides_at_once_we_close_nothing():
    """So it cannot come to it that each side closes another one."""
    for we_are_larger in (True, False):
        for seed in range(6):
            for rule in (keeps_that_of_the_larger, closes_that_of_the_larger):
                world, _ = run(seed * 104729 + 3, we_are_larger, rule, True, 2)
                assert world.closed_by_us == 0, (rule, we_are_larger, seed)
