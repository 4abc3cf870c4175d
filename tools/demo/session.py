"""A charging session with its summary: the car comes, charges, leaves, and the bill appears."""

import asyncio

from tools.demo.scenario import Curve, Scenario
from tools.demo.timeline import StepMissed

PRICE = 0.32
SOLAR_PERCENT = 65


class Session(Scenario):
    """EVCC, EVCEM, EVSOC and EVCS."""

    title = "A charging session, seen by the energy manager, and its summary"
    speed = 60
    options = {"iso15118": True}
    for_cars = True

    def steps(self):
        return (
            self.discover,
            self.pair,
            self.control,
            self.come,
            self.identify,
            self.charge,
            self.leave,
            self.summarise,
            self.part,
        )

    async def come(self):
        """A car is plugged in: the manager sees it"""
        await self.recorder.ask("ev plug phases=3 soc_percent=60 battery_wh=40000")
        await self.recorder.ask("ev set iso15118 1")
        await self.manager.wait_usable("vehicle", timeout_s=self.real(30))
        return str(self.manager.values()["vehicle"]["state"])

    async def identify(self):
        """The car tells its standard and its state of charge"""
        await self.until(lambda: "soc_percent" in self.manager.values()["vehicle"], 60)
        vehicle = self.manager.values()["vehicle"]
        return f"{vehicle['standard']}, {vehicle['soc_percent']} %"

    async def charge(self):
        """It charges 3 kWh, measured phase by phase"""
        energy = Curve("energy of the session, kWh", "#6a994e")
        charge = Curve("state of charge, % / 10", "#7b2d8b")
        self.curves += [energy, charge]

        def watch() -> bool:
            vehicle = self.manager.values()["vehicle"]
            charged_wh = vehicle.get("charged_wh") or 0
            energy.points.append((self.now_s(), charged_wh / 1000))
            charge.points.append((self.now_s(), vehicle["soc_percent"] / 10))
            return charged_wh > 3_000

        await self.until(watch, 1_800)
        vehicle = self.manager.values()["vehicle"]
        currents = ", ".join(f"{amps:.1f} A" for amps in vehicle["current_a"].values())
        return f"{vehicle['charged_wh']} Wh, {currents}, {vehicle['soc_percent']} %"

    async def leave(self):
        """The car leaves; the charger asks for a summary"""
        self.energy_wh = (await self.recorder.ask("status"))["session_wh"]
        await self.recorder.ask("ev unplug")
        await self.until(lambda: not self.manager.values()["vehicle"]["is_connected"], 30)
        await self.until(lambda: self.manager.values()["evcs"]["is_wanted"], 30)

    async def summarise(self):
        """The manager tells what it cost, the charger shows it"""
        mark = self.charger.mark()
        cost = round(self.energy_wh / 1000 * PRICE * (100 - SOLAR_PERCENT) / 100, 2)
        self.must(await self.manager.summarise(self.energy_wh, cost, SOLAR_PERCENT))
        shown = await asyncio.to_thread(self.charger.wait_event, "summary", 10, mark)
        if (shown["wh"], shown["cost"]) != (self.energy_wh, round(cost * 100)):
            raise StepMissed(f"shown: {shown}")
        return (
            f"{shown['wh']} Wh, {cost:.2f} {shown['currency']}, {shown['solar_percent']} % solar"
        )
