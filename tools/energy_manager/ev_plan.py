"""Planning a charge (CEVC) and summing it up (EVCS).

CEVC: the vehicle tells its demand, we answer with a power curve and with prices, it answers with
its plan. EVCS: after the session we tell what it cost.
"""

import asyncio

from .eebus_json import as_bool, as_map, as_maps
from .spine_data import format_duration, parse_duration, scaled, to_scaled
from .writing import NotUsable, WritingUseCase

SERIES = "timeSeriesListData"
SERIES_DESCRIPTIONS = "timeSeriesDescriptionListData"
SERIES_CONSTRAINTS = "timeSeriesConstraintsListData"
TABLE = "incentiveTableData"
TABLE_DESCRIPTION = "incentiveTableDescriptionData"
BILLS = "billListData"
BILL_DESCRIPTIONS = "billDescriptionListData"


class Cevc(WritingUseCase):
    """Coordinated EV charging."""

    name, actor, feature_type = "coordinatedEvCharging", "EV", "TimeSeries"
    entity_types = ("EV",)

    async def setup(self) -> None:
        functions = (SERIES_DESCRIPTIONS, SERIES_CONSTRAINTS, SERIES)
        is_bound, has_table = await asyncio.gather(
            self.prepare("TimeSeries", functions, bind=True),
            self.prepare("IncentiveTable", (TABLE_DESCRIPTION, TABLE), bind=True),
        )
        self.is_usable = is_bound and has_table and self._id("constraints") is not None

    def _id(self, kind: str) -> int | None:
        for item in self.entries("TimeSeries", SERIES_DESCRIPTIONS):
            if item.get("timeSeriesType") == kind:
                return item.get("timeSeriesId")
        return None

    def _slots(self, kind: str) -> list[dict]:
        number = self._id(kind)
        for item in self.entries("TimeSeries", SERIES):
            if item.get("timeSeriesId") == number:
                return as_maps(item.get("timeSeriesSlot"))
        return []

    def snapshot(self) -> dict:
        """Return `min_wh`, `wanted_wh`, `max_wh`, `departure_s` and `plan`, (start s, W) pairs."""
        demand = next(iter(self._slots("singleDemand")), {})
        return {
            "min_wh": scaled(demand.get("minValue")),
            "wanted_wh": scaled(demand.get("value")),
            "max_wh": scaled(demand.get("maxValue")),
            "departure_s": parse_duration(demand.get("duration")),
            "plan": [
                (
                    parse_duration(as_map(slot.get("timePeriod")).get("startTime")),
                    scaled(slot.get("value")),
                )
                for slot in self._slots("plan")
            ],
        }

    async def write_curve(self, slots: list[tuple[float, float]]) -> None:
        """Write the power curve: (duration s, W) of each slot."""
        number = self._id("constraints")
        if number is None:
            raise NotUsable("the charger takes no power curve")
        rows, at = [], 0
        for index, (duration_s, watts) in enumerate(slots):
            period = {"startTime": format_duration(at)}
            at += duration_s
            if index + 1 == len(slots):
                period["endTime"] = format_duration(at)
            rows.append(
                {"timeSeriesSlotId": index, "timePeriod": period, "maxValue": to_scaled(watts)}
            )
        entry = {
            "timeSeriesId": number,
            "timePeriod": {"startTime": "PT0S", "endTime": format_duration(at)},
            "timeSeriesSlot": rows,
        }
        await self.write("TimeSeries", SERIES, [entry], None)

    async def write_prices(self, slots: list[tuple[float, float]], currency: str = "EUR") -> None:
        """Write the tariff and its prices: (duration s, price of a kWh) of each slot."""
        feature = self.server("IncentiveTable")
        content = self.content("IncentiveTable", TABLE_DESCRIPTION)
        known = as_maps(content.get("incentiveTableDescription"))
        tariff = as_map(as_map(next(iter(known), {})).get("tariffDescription")).get("tariffId", 0)
        tier = {
            "tierDescription": {"tierId": 0, "tierType": "dynamicCost"},
            "boundaryDescription": [
                {"boundaryId": 0, "boundaryType": "powerBoundary", "boundaryUnit": "W"}
            ],
            "incentiveDescription": [
                {"incentiveId": 0, "incentiveType": "absoluteCost", "currency": currency}
            ],
        }
        description = {"tariffDescription": {"tariffId": tariff}, "tier": [tier]}
        await self.spine.write(
            feature, {TABLE_DESCRIPTION: {"incentiveTableDescription": [description]}}
        )
        rows, at = [], 0
        for index, (duration_s, price) in enumerate(slots):
            interval = {"startTime": {"relative": format_duration(at)}}
            at += duration_s
            if index + 1 == len(slots):
                interval["endTime"] = {"relative": format_duration(at)}
            rows.append({"timeInterval": interval, "tier": [_priced(price)]})
        table = {"tariff": {"tariffId": tariff}, "incentiveSlot": rows}
        await self.spine.write(feature, {TABLE: {"incentiveTable": [table]}})


def _priced(price: float) -> dict:
    return {
        "tier": {"tierId": 0},
        "boundary": [{"boundaryId": 0, "lowerBoundaryValue": to_scaled(0)}],
        "incentive": [{"incentiveId": 0, "value": to_scaled(price)}],
    }


class Evcs(WritingUseCase):
    """EV charging summary."""

    name, actor, feature_type = "evChargingSummary", "EVSE", "Bill"

    async def setup(self) -> None:
        self.is_usable = await self.prepare("Bill", (BILL_DESCRIPTIONS, BILLS), bind=True)

    def snapshot(self) -> dict:
        """Return `is_wanted`: the session is over and the charger waits for its summary."""
        for item in self.entries("Bill", BILL_DESCRIPTIONS):
            return {"is_wanted": as_bool(item.get("updateRequired"))}
        return {"is_wanted": False}

    async def summarise(
        self, energy_wh: float, cost: float, solar_percent: float, currency: str = "EUR"
    ) -> None:
        """Tell energy and cost of the session, and how much of both came from the sun."""
        number = next((i.get("billId") for i in self.entries("Bill", BILL_DESCRIPTIONS)), None)
        if number is None:
            raise NotUsable("the charger shows no summary")
        shares = (
            ("gridElectricEnergy", 100 - solar_percent),
            ("selfProducedElectricEnergy", solar_percent),
        )
        entry = {
            "billId": number,
            "billType": "chargingSummary",
            "total": {
                "value": [{"unit": "Wh", "value": to_scaled(energy_wh)}],
                "cost": [
                    {"costType": "absolutePrice", "currency": currency, "cost": to_scaled(cost)}
                ],
            },
            "position": [
                {
                    "positionId": index,
                    "positionType": kind,
                    "value": [{"valuePercentage": to_scaled(percent)}],
                }
                for index, (kind, percent) in enumerate(shares, 1)
            ],
        }
        await self.write("Bill", BILLS, [entry], None)
