"""LPC - Limitation of Power Consumption, controllable system, scenarios 1-4 (version 1.0.0).

Maps the state machine of power_limit.py onto SPINE: the limit on LoadControl, the failsafe values
on DeviceConfiguration, the nominal maximum on ElectricalConnection. Heartbeats come through
heartbeat.Guard. What applies is read with `cap_w()`. LPP is this with other names and the other
sign (lpp.py).
"""

from micropython import const

from spine.device import SERVER
from spine.errors import COMMAND_REJECTED, SpineError
from spine.values import duration, parse_duration, scaled, unscale
from usecases.power_limit import (
    MAX_FAILSAFE_DURATION_S,
    MAX_LIMIT_W,
    MIN_FAILSAFE_DURATION_S,
    NAMES,
    PowerLimit,
    Refused,
)
from usecases.use_case import UseCase

_FAILSAFE_DURATION_KEY = const(2)
_ELECTRICAL_CONNECTION_ID = const(1)
_TOTAL_POWER_ID = const(1)  # measurementId = parameterId of MPC's acPowerTotal

# Factory values (PFCAPL, PFSDM): the minimum guaranteed in Germany by §14a EnWG.
DEFAULT_FAILSAFE_W = const(4_200)
DEFAULT_FAILSAFE_DURATION_S = const(7_200)

_LIMITS = "loadControlLimitListData"
_KEY_VALUES = "deviceConfigurationKeyValueListData"
_CHARACTERISTICS = "electricalConnectionCharacteristicListData"

_SET_DURATION = "failsafe_duration_s"  # in the settings store


class Lpc(UseCase):
    """`settings` keeps values over restarts (`get(key, default)`, `put(key, value)`);
    `on_change()` is called when the cap or any data point may have changed. `twin` is the use case
    of the other direction, or None: both share the failsafe duration."""

    name = "limitationOfPowerConsumption"
    actor = "ControllableSystem"
    scenarios = (1, 2, 3, 4)

    number = 1  # limitId, and characteristicId
    failsafe_key = 1  # keyId
    sign = 1  # of the limit on the wire
    direction = "consume"
    failsafe_name = "failsafeConsumptionActivePowerLimit"
    nominal_name = "powerConsumptionNominalMax"
    default_failsafe_w = DEFAULT_FAILSAFE_W
    # Keys in the settings store.
    set_enabled = "lpc_enabled"
    set_limit = "failsafe_consumption_w"

    def __init__(self, entity, guard, nominal_w, settings, clock, on_change):
        super().__init__(entity)
        self.nominal_w = nominal_w
        self._settings = settings
        self._now = clock  # callable: monotonic milliseconds
        self._on_change = on_change
        self.twin = None
        self.limit = PowerLimit(
            clock(),
            nominal_w,
            settings.get(self.set_limit, self.default_failsafe_w),
            settings.get(_SET_DURATION, DEFAULT_FAILSAFE_DURATION_S),
            settings.get(self.set_enabled, False),
            self._changed,
        )
        # As written: a later write without scale refers to the stored one (TC_SPINE_RTS_005).
        self._limit_value = scaled(self.sign * nominal_w)
        self._failsafe_value = scaled(self.limit.failsafe_w)
        guard.listeners.append(self)
        self._load_control = entity.feature("LoadControl", SERVER)
        self._load_control.serve("loadControlLimitDescriptionListData", self._descriptions)
        self._load_control.serve(_LIMITS, self._limits, self._write_limit)
        self._configuration = entity.feature("DeviceConfiguration", SERVER)
        self._configuration.serve(
            "deviceConfigurationKeyValueDescriptionListData", self._key_descriptions
        )
        self._configuration.serve(_KEY_VALUES, self._key_values, self._write_key)
        self._electrical = entity.feature("ElectricalConnection", SERVER)
        self._electrical.serve(_CHARACTERISTICS, self._characteristics)

    # --- state ------------------------------------------------------------------------------

    def cap_w(self):
        """The consumption that must not be exceeded, W, or None."""
        return self.limit.cap_w()

    def state_name(self):
        """The state by its name in the specification."""
        return NAMES[self.limit.state]

    def heartbeat(self, now):
        """The guard's heartbeat (heartbeat.Guard)."""
        self.limit.heartbeat(now)

    def guard_bound(self, peer, now):
        """The first binding switches the limit on, for good (until `release`).

        It binds both directions; a guard that announces only the other one does not mean this.
        """
        if self.twin and not peer.remote.actors_of(self.name):
            if self.sign < 0 or peer.remote.actors_of(self.twin.name):
                return
        self._settings.put(self.set_enabled, True)
        self.limit.enable(now)

    def release(self, now):
        """Nobody is trusted any more, so nobody could ever lift a limit: switch it off."""
        self._settings.put(self.set_enabled, False)
        self.limit.enable(now, False)

    def related(self, kind, peer, client_entity, feature, now):
        """A new subscriber is told the nominal maximum: one known guard never asks."""
        if kind == "subscription" and feature is self._electrical:
            feature.changed(_CHARACTERISTICS)

    def tick(self, now):
        self.limit.tick(now)

    def deadline(self):
        return self.limit.deadline()

    def _changed(self):
        self._load_control.changed(_LIMITS)
        self._on_change()

    # --- scenario 1: the limit --------------------------------------------------------------

    def _descriptions(self, peer):
        yield {
            "limitId": self.number,
            "limitType": "signDependentAbsValueLimit",
            "limitCategory": "obligation",
            "limitDirection": self.direction,
            "measurementId": _TOTAL_POWER_ID,
            "unit": "W",
            "scopeType": "activePowerLimit",
        }

    def _limits(self, peer):
        data = {
            "limitId": self.number,
            "isLimitChangeable": True,
            "isLimitActive": self.limit.is_active(),
            "value": self._limit_value,
        }
        remaining = self.limit.remaining_s(self._now())
        if remaining is not None:
            data["timePeriod"] = {"endTime": duration(remaining)}
        yield data

    def _write_limit(self, change):
        """MSG_01...MSG_17 of the test specification: any mix of value, flag and duration."""
        new = change.new
        stated_period = change.stated.get("timePeriod")
        duration_s = _duration_of(new)
        if "value" not in new or "isLimitActive" not in new:
            raise SpineError(COMMAND_REJECTED, "only the duration can be deleted")
        try:
            limit_w = self._magnitude(new["value"])
        except ValueError:
            raise SpineError(COMMAND_REJECTED, "limit without a usable number")
        now = self._now()
        try:
            self.limit.check(now, limit_w)
        except Refused as reason:
            text = str(reason)
            if limit_w < 0:
                text = "limit of what we %s has the wrong sign" % self.direction
            raise SpineError(COMMAND_REJECTED, text)
        stated = stated_period is not None

        def commit():
            self._limit_value = _stored(new["value"], limit_w, self.sign)
            self.limit.apply(now, limit_w, new["isLimitActive"], duration_s, stated)

        return commit

    def _magnitude(self, value):
        """A written limit as power in our direction, W, rounded to the smaller one."""
        if self.sign < 0 and "number" in value:
            value = scaled(-value["number"], value.get("scale", 0))
        return unscale(value)

    # --- scenario 2: failsafe values --------------------------------------------------------

    def _key_descriptions(self, peer):
        yield {
            "keyId": self.failsafe_key,
            "keyName": self.failsafe_name,
            "valueType": "scaledNumber",
            "unit": "W",
        }
        if self.sign > 0:
            yield {
                "keyId": _FAILSAFE_DURATION_KEY,
                "keyName": "failsafeDurationMinimum",
                "valueType": "duration",
            }

    def _key_values(self, peer):
        yield {
            "keyId": self.failsafe_key,
            "value": {"scaledNumber": self._failsafe_value},
            "isValueChangeable": True,
        }
        if self.sign > 0:  # one duration for both directions
            yield {
                "keyId": _FAILSAFE_DURATION_KEY,
                "value": {"duration": duration(self.limit.failsafe_duration_s)},
                "isValueChangeable": True,
            }

    def _write_key(self, change):
        is_shared = change.new["keyId"] == _FAILSAFE_DURATION_KEY and self.twin
        if not self.limit.is_controlled() and not (is_shared and self.twin.limit.is_controlled()):
            raise SpineError(COMMAND_REJECTED, "needs heartbeat and limit first")
        if change.new["keyId"] == self.failsafe_key:
            value = self._failsafe_limit(change.new)
            return lambda: self._set_failsafe(value, None)
        duration_s = self._failsafe_duration(change.new)
        return lambda: self._set_failsafe(None, duration_s)

    def _failsafe_limit(self, new):
        try:
            value = new["value"]["scaledNumber"]
            # A choice is replaced, not merged: the scale of a bare number is the stored one.
            if "scale" not in value:
                value = scaled(value["number"], self._failsafe_value["scale"])
            failsafe_w = unscale(value)
        except (KeyError, ValueError):
            raise SpineError(COMMAND_REJECTED, "scaledNumber expected")
        if failsafe_w < 0:
            raise SpineError(COMMAND_REJECTED, "failsafe limit must be >= 0")
        return _stored(value, failsafe_w, 1)

    def _failsafe_duration(self, new):
        try:
            duration_s = parse_duration(new["value"]["duration"])
        except (KeyError, ValueError):
            raise SpineError(COMMAND_REJECTED, "duration expected")
        if duration_s < MIN_FAILSAFE_DURATION_S:
            raise SpineError(COMMAND_REJECTED, "failsafe duration below 2 h")
        if duration_s > MAX_FAILSAFE_DURATION_S:
            # LPC-016: rejected, and the own value becomes the largest that is possible.
            self._set_failsafe(None, MAX_FAILSAFE_DURATION_S)
            raise SpineError(COMMAND_REJECTED, "failsafe duration above 24 h")
        return duration_s

    def _set_failsafe(self, value, duration_s):
        """Take a ScaledNumber, or a duration in seconds; None leaves one as it is."""
        if value is not None:
            self._failsafe_value = value
        failsafe_w = None if value is None else unscale(value)
        self.limit.set_failsafe(failsafe_w, duration_s)
        if self.twin and duration_s is not None:
            self.twin.limit.set_failsafe(None, duration_s)
        self._settings.put(self.set_limit, self.limit.failsafe_w)
        self._settings.put(_SET_DURATION, self.limit.failsafe_duration_s)
        self._configuration.changed(_KEY_VALUES)

    # --- scenario 4: constraints ------------------------------------------------------------

    def _characteristics(self, peer):
        yield {
            "electricalConnectionId": _ELECTRICAL_CONNECTION_ID,
            "parameterId": _TOTAL_POWER_ID,
            "characteristicId": self.number,
            "characteristicContext": "entity",
            "characteristicType": self.nominal_name,
            "value": scaled(self.nominal_w),
            "unit": "W",
        }


def _stored(value, power_w, sign):
    """A written ScaledNumber as it is stored: the largest possible one is in W."""
    if power_w > MAX_LIMIT_W:
        return scaled(sign * MAX_LIMIT_W)
    return scaled(value["number"], value.get("scale", 0))


def _duration_of(limit):
    """Seconds of the limit's duration, None without one. Absolute times are not used by LPC."""
    end = limit.get("timePeriod", {}).get("endTime")
    if end is None:
        return None
    try:
        return parse_duration(end)
    except ValueError:
        raise SpineError(COMMAND_REJECTED, "endTime must be a duration")
