"""The incentive table of CEVC (scenario 3): one tariff whose slots and tiers the broker writes.

The broker first writes the description (which tiers there are and what their incentives mean),
then the data. Tariffs have no identifier of their own, so each write replaces the list: what it
was is removed, what it becomes is added. What counts for us is the incentive of the lowest
tier: the price of the first watt.
"""

from micropython import const

from spine.errors import COMMAND_REJECTED, SpineError
from spine.values import duration, parse_duration, scaled, unscale

_TARIFF = const(0)  # one known broker writes tariff 0, tier 0, whatever is described
_MAX_SLOTS = const(30)
_MAX_TIERS = const(3)
_SCALE = const(-4)

_DESCRIPTION = "incentiveTableDescriptionData"
_DATA = "incentiveTableData"
_CONSTRAINTS = "incentiveTableConstraintsData"


class Incentives:
    """`prices` are (start s, end s or None, price in 1/10000) since the broker's write or the last
    shift by the owner; `on_change()` is called after a write."""

    def __init__(self, feature, on_change):
        self.prices = []
        self._feature = feature
        self._on_change = on_change
        self._is_wanted = False
        self._tiers = None  # natural tiers of the description as the broker wrote them
        self._ids = (0, 0, 0)  # tierId, boundaryId and incentiveId of the lowest tier
        feature.serve(_DESCRIPTION, self._description, self._write_description, True)
        feature.serve(_CONSTRAINTS, self._constraints)
        feature.serve(_DATA, self._data, self._write_data, True)

    def subscribed(self, feature):
        """A feature has a new subscriber."""
        if feature is self._feature:
            feature.changed(_CONSTRAINTS)

    def ask(self, is_wanted):
        """Say that new prices are needed, or that none are."""
        self._is_wanted = is_wanted
        self._feature.changed(_DESCRIPTION)

    def _description(self, peer):
        yield {
            "tariffDescription": {
                "tariffId": _TARIFF,
                "tariffWriteable": True,
                "updateRequired": self._is_wanted,
                "scopeType": "simpleIncentiveTable",
            },
            "tier": self._tiers or [_template()],
        }

    def _constraints(self, peer):
        yield {
            "tariff": {"tariffId": _TARIFF},
            "tariffConstraints": {
                "maxTiersPerTariff": _MAX_TIERS,
                "maxBoundariesPerTier": 1,
                "maxIncentivesPerTier": 3,
            },
            "incentiveSlotConstraints": {"slotCountMin": 1, "slotCountMax": _MAX_SLOTS},
        }

    def _data(self, peer):
        result = {"tariff": {"tariffId": _TARIFF}}
        if self.prices:
            result["incentiveSlot"] = [self._slot(*price) for price in self.prices]
        yield result

    def _slot(self, start, end, price):
        interval = {"startTime": {"relative": duration(start)}}
        if end is not None:
            interval["endTime"] = {"relative": duration(end)}
        tier, boundary, incentive = self._ids
        return {
            "timeInterval": interval,
            "tier": [
                {
                    "tier": {"tierId": tier},
                    "boundary": [{"boundaryId": boundary, "lowerBoundaryValue": scaled(0)}],
                    "incentive": [{"incentiveId": incentive, "value": scaled(price, _SCALE)}],
                }
            ],
        }

    def _write_description(self, change):
        if change.new is None:
            return self._forget_description
        tiers = change.new.get("tier", ())
        if change.new.get("tariffDescription", {}).get("tariffId") != _TARIFF:
            raise SpineError(COMMAND_REJECTED, "there is one tariff, 0")
        if not 1 <= len(tiers) <= _MAX_TIERS:
            raise SpineError(COMMAND_REJECTED, "1 to %d tiers" % _MAX_TIERS)

        def commit():
            self._tiers = tiers

        return commit

    def _forget_description(self):
        self._tiers = None

    def _write_data(self, change):
        if change.new is None:
            return self._forget_data
        slots = change.new.get("incentiveSlot", ())
        if change.new.get("tariff", {}).get("tariffId") != _TARIFF:
            raise SpineError(COMMAND_REJECTED, "there is one tariff, 0")
        if not 1 <= len(slots) <= _MAX_SLOTS:
            raise SpineError(COMMAND_REJECTED, "1 to %d slots" % _MAX_SLOTS)
        try:
            prices, ids = _read(slots)
        except (KeyError, IndexError, ValueError):
            raise SpineError(COMMAND_REJECTED, "slot without time or incentive")

        def commit():
            self._on_change()  # shifts what is there before it is replaced
            self.prices = prices
            self._ids = ids
            self._is_wanted = False
            self._feature.changed(_DESCRIPTION)
            self._on_change()

        return commit

    def _forget_data(self):
        self.prices = []
        self._on_change()


def _template():
    """What a broker is expected to fill: the price of energy."""
    return {
        "tierDescription": {"tierId": 0, "tierType": "dynamicCost"},
        "boundaryDescription": [
            {"boundaryId": 0, "boundaryType": "powerBoundary", "boundaryUnit": "W"}
        ],
        "incentiveDescription": [
            {"incentiveId": 0, "incentiveType": "absoluteCost", "currency": "EUR"}
        ],
    }


def _read(slots):
    """((start, end, price) of each slot, ids of the lowest tier)."""
    rows = []
    ids = (0, 0, 0)
    for slot in slots:
        interval = slot["timeInterval"]
        start = parse_duration(interval["startTime"]["relative"])
        end = interval.get("endTime", {}).get("relative")
        lowest = None
        for tier in slot["tier"]:
            boundary = tier.get("boundary", [{}])[0]
            lower_w = unscale(boundary.get("lowerBoundaryValue", scaled(0)))
            if lowest is None or lower_w < lowest[0]:
                lowest = (lower_w, tier, boundary.get("boundaryId", 0))
        incentive = lowest[1]["incentive"][0]
        rows.append((start, end and parse_duration(end), unscale(incentive["value"], _SCALE)))
        ids = (lowest[1]["tier"]["tierId"], lowest[2], incentive.get("incentiveId", 0))
    prices = []
    for i in range(len(rows)):
        start, end, price = rows[i]
        if end is None and i + 1 < len(rows):
            end = rows[i + 1][0]
        if end is not None and end <= start:
            raise ValueError("slot without duration")
        prices.append((start, end, price))
    return prices, ids
