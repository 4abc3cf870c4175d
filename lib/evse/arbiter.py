"""The one arbiter of limits: many masters publish, the strictest one wins.

A limit is either watts for the whole charging point or milliamperes per phase. A source that
must be renewed gives a lifetime and a fallback; once stale it takes the fallback, never "no
limit". Sources can only lower what the others allow. Hardware is mandatory: without it the
answer is 0.

Rules of this file: integers only; `decide` allocates nothing and computes only after a change.
"""

from micropython import const

HARDWARE = const(0)
CABLE = const(1)
INSTALLATION = const(2)
TEMPERATURE = const(3)
OPEV = const(4)
LPC = const(5)
ECHONET = const(6)
USER = const(7)
OSCEV = const(8)
CEVC = const(9)
SOURCE_COUNT = const(10)

_NAMES = "hardware cable installation temperature OPEV LPC ECHONET user OSCEV CEVC"

_UNLIMITED_MA = const(1_000_000)
_MAX_W = const(100_000)  # keeps the arithmetic in 30 bits; more than any pilot can signal


def source_name(source: int) -> str:
    """Return the name of a source for logs and the console."""
    return _NAMES.split()[source]


class _Limit:
    """What one source has published."""

    def __init__(self):
        self.is_active = False
        self.in_watts = False
        self.wanted = self.fallback = None
        self.expires_ms = None
        self.reason = ""

    def value(self, now):
        """Return watts, or milliamperes (one for all phases or one each), as of `now`."""
        return self.fallback if self.is_stale(now) else self.wanted

    def is_stale(self, now):
        return self.expires_ms is not None and now >= self.expires_ms


class Decision:
    """The arbiter's answer; one object, filled again by each `decide`.

    `current_ma`: allowed per phase, equal on all phases because there is one pilot, floored to
    0.1 A. `amps_ma`: the same from the ampere limits alone. `limit_w`: the strictest watt limit
    or None. `source`: who was binding for `current_ma`.
    """

    def __init__(self):
        self.current_ma = 0
        self.amps_ma = 0
        self.limit_w = None
        self.source = HARDWARE
        self.is_stale = False
        self.phases = 0
        self.voltage_mv = 0
        self.value = None
        self.reason = ""
        self.in_watts = False

    def milliamps(self, watts: int) -> int:
        """Return what a power is per phase, floored to 0.1 A."""
        return min(watts, _MAX_W) * 10_000 // (self.phases * self.voltage_mv or 1) * 100

    def explain(self) -> str:
        """Return one line such as "10.2 A on L1 because LPC 7.0 kW"."""
        if self.value is None:
            return "0.0 A because hardware has published no limit"
        value = _kilowatts(self.value) if self.in_watts else _amperes(self.value)
        text = "%s on %s because %s %s" % (
            _amperes(self.current_ma),
            lines(self.phases),
            source_name(self.source),
            value,
        )
        if self.is_stale:
            text += ", fallback"
        if self.reason:
            text += " (%s)" % self.reason
        return text


class Arbiter:
    """Holds at most one limit per source."""

    def __init__(self, nominal_mv: int = 230_000):
        self.decision = Decision()
        self._other = Decision()
        self._nominal_mv = nominal_mv
        self._limits = [None] * SOURCE_COUNT
        self._is_changed = True
        self._recheck_ms = None

    def publish(
        self,
        source: int,
        now: int,
        *,
        watts: "int | None" = None,
        milliamps: "int | tuple | None" = None,
        expires_ms: "int | None" = None,
        fallback: "int | tuple | None" = None,
        reason: str = "",
    ) -> None:
        """Set the limit of a source, replacing its last one.

        Exactly one of `watts` (total) and `milliamps` (one for all phases, or a tuple with one
        per phase where None leaves that phase free). `expires_ms` is the lifetime counted from
        `now`; after it the limit is `fallback`, in the same unit. ValueError for anything else.
        """
        wanted = milliamps if watts is None else watts
        if watts is not None and (milliamps is not None or not isinstance(watts, int)):
            raise ValueError("a limit is either watts or milliamperes")
        if expires_ms is not None and fallback is None:
            raise ValueError("a limit that expires needs a fallback")
        if watts is not None and isinstance(fallback, tuple):
            raise ValueError("the fallback needs the unit of the limit")
        _check(wanted)
        if fallback is not None:
            _check(fallback)
        limit = self._limits[source]
        if limit is None:
            limit = self._limits[source] = _Limit()
        limit.is_active = True
        limit.in_watts = watts is not None
        limit.wanted = wanted
        limit.fallback = fallback
        limit.expires_ms = None if expires_ms is None else now + expires_ms
        limit.reason = reason
        self._is_changed = True

    def withdraw(self, source: int) -> None:
        """Remove the limit of a source; nothing happens if it has none."""
        limit = self._limits[source]
        if limit is not None:
            limit.is_active = False
            self._is_changed = True

    def published(self, source: int, now: int) -> "tuple | None":
        """Return (in_watts, value, is_stale, remaining ms or None, reason); None if no limit."""
        limit = self._limits[source]
        if limit is None or not limit.is_active:
            return None
        left_ms = None
        if limit.expires_ms is not None:
            left_ms = max(0, limit.expires_ms - now)
        return limit.in_watts, limit.value(now), limit.is_stale(now), left_ms, limit.reason

    def decide(self, now: int, phases_in_use: int, mean_voltage_mv: int) -> Decision:
        """Return what all limits together allow on phases L1 to L`phases_in_use`.

        The voltage turns watts into amperes. It is clamped to +-10 % of nominal; 0 (never
        measured) counts as nominal, which is also what a calculated power is based on.
        """
        decision = self.decision
        low_mv = self._nominal_mv * 9 // 10
        high_mv = self._nominal_mv * 11 // 10
        voltage_mv = min(max(mean_voltage_mv or self._nominal_mv, low_mv), high_mv)
        if (
            self._is_changed
            or (self._recheck_ms is not None and now >= self._recheck_ms)
            or phases_in_use != decision.phases
            or voltage_mv != decision.voltage_mv
        ):
            decision.phases = phases_in_use
            decision.voltage_mv = voltage_mv
            self._is_changed = False
            self._compute(now, decision)
        return decision

    def would_allow(self, now: int, phases_in_use: int, without: "int | None" = None) -> int:
        """Return the mA that `decide` would allow on so many phases at its last voltage.

        `without` is a source that shall not count.
        """
        other = self._other
        other.phases = phases_in_use
        other.voltage_mv = self.decision.voltage_mv
        self._compute(now, other, without)
        return other.current_ma

    def _compute(self, now, decision, without=None):
        self._recheck_ms = None
        amps_ma = _UNLIMITED_MA
        limit_w = None
        amps_source = watts_source = HARDWARE
        for source in range(SOURCE_COUNT):
            limit = self._limits[source]
            if limit is None or not limit.is_active:
                continue
            if limit.expires_ms is not None and now < limit.expires_ms:
                if self._recheck_ms is None or limit.expires_ms < self._recheck_ms:
                    self._recheck_ms = limit.expires_ms
            if source == without:
                continue
            value = limit.value(now)
            if limit.in_watts:
                if limit_w is None or value < limit_w:
                    limit_w = value
                    watts_source = source
            else:
                value = strictest(value, decision.phases)
                if value < amps_ma:
                    amps_ma = value
                    amps_source = source
        hardware = self._limits[HARDWARE]
        if hardware is None or not hardware.is_active:
            amps_ma = 0
            amps_source = HARDWARE
        current_ma = decision.amps_ma = amps_ma - amps_ma % 100
        decision.limit_w = limit_w
        source = amps_source
        if limit_w is not None:
            watts_ma = decision.milliamps(limit_w)
            if watts_ma < current_ma:
                current_ma = watts_ma
                source = watts_source
        decision.current_ma = current_ma
        self._explain(now, decision, source, amps_ma, limit_w)

    def _explain(self, now, decision, source, amps_ma, limit_w):
        decision.source = source
        limit = self._limits[source]
        if limit is None or not limit.is_active:
            decision.value = None
            decision.reason = ""
            decision.is_stale = decision.in_watts = False
            return
        decision.in_watts = limit.in_watts
        decision.value = limit_w if limit.in_watts else amps_ma
        decision.is_stale = limit.is_stale(now)
        decision.reason = limit.reason


def lines(phases: int) -> str:
    """Return the lines that so many phases are: L1, L1-L2 or L1-L3."""
    return "L1" if phases == 1 else "L1-L%d" % phases


def strictest(value: "int | tuple", phases: int) -> int:
    """Return the lowest of the values of phases L1 to L`phases` that have one."""
    if isinstance(value, int):
        return value
    lowest = _UNLIMITED_MA
    for i in range(min(phases, len(value))):
        if value[i] is not None and value[i] < lowest:
            lowest = value[i]
    return lowest


def _check(value):
    if isinstance(value, int):
        if value < 0:
            raise ValueError("a limit is not negative")
    elif isinstance(value, tuple):
        for item in value:
            if item is not None:
                _check(item)
    else:
        raise ValueError("a limit is an integer or a tuple of integers")


def _amperes(milliamps):
    return "%d.%d A" % (milliamps // 1000, milliamps % 1000 // 100)


def _kilowatts(watts):
    if watts % 100:
        return "%d W" % watts
    return "%d.%d kW" % (watts // 1000, watts % 1000 // 100)
