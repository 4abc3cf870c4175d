"""EVCS - EV Charging Summary, scenario 1 (version 1.0.1).

When a car has left, the energy manager may tell what the session cost and where its energy came
from; the station shows it. It may write while the car is here and for a minute after [EVCS-008].
Nothing of it is kept over a restart, and nothing is good for billing.
"""

from micropython import const

from spine.device import SERVER
from spine.errors import COMMAND_REJECTED, SpineError
from spine.values import unscale
from usecases.use_case import UseCase

_BILL = const(1)
_OPEN_MS = const(60_000)
_MAX_POSITIONS = const(2)

_DESCRIPTIONS = "billDescriptionListData"
_BILLS = "billListData"


class Evcs(UseCase):
    """`on_summary(summary)` is called with a dict: `wh`, `cost` (in 1/100 of `currency`), and
    `grid_percent`, `solar_percent` of the energy, each if it was told."""

    name = "evChargingSummary"
    actor = "EVSE"
    version = "1.0.1"
    scenarios = (1,)

    def __init__(self, entity, clock, on_summary):
        super().__init__(entity)
        self._clock = clock
        self._on_summary = on_summary
        self._closes = clock()  # until when a summary may be written; None: a car is here
        self._is_wanted = False
        self._bill = {}
        self._feature = entity.feature("Bill", SERVER)
        self._feature.serve(_DESCRIPTIONS, self._descriptions)
        self._feature.serve("billConstraintsListData", self._constraints)
        self._feature.serve(_BILLS, self._bills, self._write)

    def session(self, is_open, now):
        """A session has begun or ended."""
        self._closes = None if is_open else now + _OPEN_MS
        self._want(not is_open)
        if is_open:
            self._bill = {}
            self._feature.changed(_BILLS)

    def tick(self, now):
        if self._is_wanted and self._closes is not None and now >= self._closes:
            self._want(False)

    def deadline(self):
        return self._closes if self._is_wanted else None

    def _want(self, is_wanted):
        """Say that a summary is expected, or no longer [EVCS-009]."""
        self._is_wanted = is_wanted
        self._feature.changed(_DESCRIPTIONS)

    def _descriptions(self, peer):
        yield {
            "billId": _BILL,
            "billWriteable": True,
            "updateRequired": self._is_wanted,
            "supportedBillType": ["chargingSummary"],
        }

    def _constraints(self, peer):
        yield {"billId": _BILL, "positionCountMin": 0, "positionCountMax": _MAX_POSITIONS}

    def _bills(self, peer):
        data = {"billId": _BILL, "billType": "chargingSummary"}
        data.update(self._bill)
        yield data

    def _write(self, change):
        new = change.new
        if self._closes is not None and self._clock() >= self._closes:
            raise SpineError(COMMAND_REJECTED, "no session to sum up")
        if new.get("billType") != "chargingSummary" or len(new.get("position", ())) > 2:
            raise SpineError(COMMAND_REJECTED, "not a charging summary")
        try:
            summary = _summary(new)
        except (KeyError, IndexError, ValueError):
            raise SpineError(COMMAND_REJECTED, "summary without a usable number")

        def commit():
            self._bill = {name: new[name] for name in ("total", "position") if name in new}
            self._want(False)
            self._on_summary(summary)

        return commit


def _summary(bill):
    """What the station shows."""
    result = {}
    total = bill.get("total", {})
    if total.get("value"):
        result["wh"] = unscale(total["value"][0]["value"])
    if total.get("cost"):
        cost = total["cost"][0]
        result["cost"] = unscale(cost["cost"], -2)
        result["currency"] = cost.get("currency", "")
    names = {"gridElectricEnergy": "grid", "selfProducedElectricEnergy": "solar"}
    for position in bill.get("position", ()):
        name = names.get(position.get("positionType"))
        if name and position.get("value"):
            share = position["value"][0].get("valuePercentage")
            if share:
                result[name + "_percent"] = unscale(share)
    return result
