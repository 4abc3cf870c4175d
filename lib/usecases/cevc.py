"""CEVC - Coordinated EV Charging, scenarios 1-8 (version 1.0.1).

The car says how much energy it needs and until when (ISO 15118); the manager answers with a curve
of the power it may take and with prices; the plan that follows is told and kept. Without an answer
nothing is limited by this use case; if the manager falls silent, its last curve stays valid.

Announced as soon as the car has told a demand. Curve and prices are replaced as a whole by each
write; incentives.py has the prices.
"""

from micropython import const

from spine.device import SERVER
from spine.errors import COMMAND_REJECTED, SpineError
from spine.values import duration, parse_duration, scaled, unscale
from usecases import plan as plans
from usecases.incentives import Incentives
from usecases.use_case import UseCase

_NAME = "coordinatedEvCharging"
_DEMAND = const(1)
_CURVE = const(2)
_PLAN = const(3)
MAX_SLOTS = const(30)
_REPLAN_MS = const(900_000)  # the car may have taken less than planned
_DONE_PART = const(50)  # a fiftieth of the demand may be missing then

_DESCRIPTIONS = "timeSeriesDescriptionListData"
_SERIES = "timeSeriesListData"


class Cevc(UseCase):
    """`car` is an evse.car.Car of a board that can ask it; `on_change()` is called when the plan
    may have changed."""

    name = None  # until the car has told a demand
    actor = "EV"
    version = "1.0.1"
    scenarios = (1, 2, 3, 4, 5, 6, 7, 8)

    def __init__(self, entity, car, clock, on_change):
        super().__init__(entity)
        self._car = car
        self._clock = clock
        self._on_change = on_change
        self._demand = None
        self._asked = (0, 0)  # when the demand came, and the session's energy then
        self._needs_curve = False
        self._curve = []  # (start, end or None, W), in seconds from _made
        self._plan = []
        self._made = clock()  # when the curve or the demand came
        self._feature = entity.feature("TimeSeries", SERVER, 8)
        self._feature.serve(_DESCRIPTIONS, self._descriptions)
        self._feature.serve("timeSeriesConstraintsListData", self._constraints)
        self._feature.serve(_SERIES, self._series, self._write)
        self.incentives = Incentives(entity.feature("IncentiveTable", SERVER, 9), self._replan)

    def tick(self, now):
        """Ask for a new curve and new prices when the demand changes."""
        told = self._car.told
        demand = (told.min_wh, told.wanted_wh, told.max_wh, told.departure_s)
        if demand == self._demand:
            if self._curve and now - self._made >= _REPLAN_MS:
                self._replan()
            return
        was_unknown = self.name is None
        self._demand = demand
        self._asked = (now, self._car.session_wh())
        self.name = None if told.wanted_wh is None else _NAME
        self._needs_curve = self.name is not None
        self.incentives.ask(self._needs_curve)
        self._feature.changed(_DESCRIPTIONS)
        self._replan()
        if was_unknown != (self.name is None):
            self.announcement_changed()

    def related(self, kind, peer, client_entity, feature, now):
        """A new subscriber is told the constraints of prices: one known manager never asks."""
        if kind == "subscription":
            self.incentives.subscribed(feature)

    def allowed_w(self, now):
        """The power that the plan gives now, or None: no plan, or it is over."""
        if not self._curve:
            return None
        second = (now - self._made) // 1000
        slot = plans.at(self._plan, second) or plans.at(self._curve, second)
        return slot and slot[2]

    def _car_w(self):
        car = self._car
        return car.max_ma() * (car.nominal_mv // 1000) * car.phases_in_use() // 1000

    def _replan(self):
        now = self._clock()
        passed_s = (now - self._made) // 1000
        self._curve = _shifted(self._curve, passed_s)
        self.incentives.prices = _shifted(self.incentives.prices, passed_s)
        self._made = now
        self._plan = []
        _, demand_wh, _, departure_s = self._demand
        if demand_wh is not None:
            asked, had_wh = self._asked
            wanted_wh = demand_wh - (self._car.session_wh() - had_wh)
            if wanted_wh * _DONE_PART <= demand_wh:
                wanted_wh = 0
            if departure_s is not None:
                departure_s = max(1, departure_s - (now - asked) // 1000)
            prices = self.incentives.prices
            self._plan = plans.make(self._curve, prices, wanted_wh, departure_s, self._car_w())
        self._feature.changed(_SERIES)
        self._on_change()

    # --- scenarios 1, 2 and 4: time series --------------------------------------------------

    def _descriptions(self, peer):
        yield _description(_DEMAND, "singleDemand", False, "Wh")
        data = _description(_CURVE, "constraints", True, "W")
        data["updateRequired"] = self._needs_curve
        yield data
        yield _description(_PLAN, "plan", False, "W")

    def _constraints(self, peer):
        yield {"timeSeriesId": _CURVE, "slotCountMin": 1, "slotCountMax": MAX_SLOTS}

    def _series(self, peer):
        least, wanted, most, departure_s = self._demand or (None, None, None, None)
        slot = {
            "timeSeriesSlotId": 0,
            "timePeriod": {"startTime": duration(0)},
            "value": scaled(wanted or 0),
            "minValue": scaled(least or 0),
            "maxValue": scaled(most or 0),
        }
        if departure_s:
            slot["duration"] = duration(departure_s)
        yield {"timeSeriesId": _DEMAND, "timeSeriesSlot": [slot]}
        yield _written(_CURVE, self._curve, "maxValue")
        yield _written(_PLAN, self._plan, "value")

    def _write(self, change):
        if change.new["timeSeriesId"] != _CURVE:
            raise SpineError(COMMAND_REJECTED, "only the curve is writable")
        slots = change.stated.get("timeSeriesSlot", ())
        if not 1 <= len(slots) <= MAX_SLOTS:
            raise SpineError(COMMAND_REJECTED, "1 to %d slots" % MAX_SLOTS)
        end = change.stated.get("timePeriod", {}).get("endTime")
        try:
            curve = _read_slots(slots, end)
            plans.check_curve(curve)
        except (KeyError, ValueError) as error:
            raise SpineError(COMMAND_REJECTED, "curve: %s" % error)

        def commit():
            # Prices keep their own time: only what was written starts now.
            passed_s = (self._clock() - self._made) // 1000
            self.incentives.prices = _shifted(self.incentives.prices, passed_s)
            self._made = self._clock()
            self._curve = curve
            self._needs_curve = False
            self._feature.changed(_DESCRIPTIONS)
            self._replan()

        return commit


def _description(number, kind, is_writable, unit):
    return {
        "timeSeriesId": number,
        "timeSeriesType": kind,
        "timeSeriesWriteable": is_writable,
        "unit": unit,
    }


def _written(number, slots, member):
    """A series of (start, end, W) slots."""
    result = {"timeSeriesId": number}
    if not slots:
        return result
    result["timePeriod"] = {"startTime": duration(slots[0][0])}
    if slots[-1][1] is not None:
        result["timePeriod"]["endTime"] = duration(slots[-1][1])
    rows = []
    for i in range(len(slots)):
        start, end, power_w = slots[i]
        row = {"timeSeriesSlotId": i, "timePeriod": {"startTime": duration(start)}}
        if i + 1 == len(slots) and end is not None:
            row["timePeriod"]["endTime"] = duration(end)
        if end is not None:
            row["duration"] = duration(end - start)
        row[member] = scaled(power_w)
        rows.append(row)
    result["timeSeriesSlot"] = rows
    return result


def _read_slots(slots, end):
    """(start, end, W) of written slots: each ends where the next begins, unless it says so."""
    starts = []
    at = 0
    for slot in slots:
        period = slot.get("timePeriod", {})
        starts.append(parse_duration(period["startTime"]) if "startTime" in period else at)
        if "duration" in slot:
            at = starts[-1] + parse_duration(slot["duration"])
            last = at
        else:
            last = period.get("endTime", end)
            last = None if last is None else parse_duration(last)
            at = last or 0
    ends = starts[1:] + [last]
    return [
        (start, stop, unscale(slot["maxValue"])) for start, stop, slot in zip(starts, ends, slots)
    ]


def _shifted(slots, passed_s):
    """The same (start, end, …) slots, counted from `passed_s` later."""
    if not passed_s:
        return slots
    result = []
    for start, end, value in slots:
        if end is None or end > passed_s:
            later = None if end is None else end - passed_s
            result.append((max(0, start - passed_s), later, value))
    return result
