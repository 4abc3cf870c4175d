"""The first scenario: an energy guard limits a charging car, is cut off, and comes back.

Each step waits for what it names on the side where it can be observed: the limit in the manager's
copy of the charger's data, the power at the charger's own meter.
"""

import asyncio

from tools.demo.scenario import Scenario
from tools.demo.timeline import StepMissed

TITLE = "A grid limit on a charging car: limit, expiry, loss of the energy manager, recovery"

LIMIT_W = 4_200
LIMIT_S = 90  # long enough to see the power obey, short enough for a demo
FAILSAFE_W = 6_000
FULL_W = 9_500  # an 11 kW car that nobody limits draws more than this
SETTLE_S = 20  # on the charger's clock: pilot lag, ramp of the car, closed-loop trim


class GridLimit(Scenario):
    """A grid limit in all its phases."""

    title = TITLE

    def steps(self):
        return (
            self.discover,
            self.pair,
            self.find_use_cases,
            self.take_control,
            self.plug_in,
            self.limit,
            self.obey,
            self.expire,
            self.rise_again,
            self.write_failsafe,
            self.cut_off,
            self.fall_back,
            self.reconnect,
            self.recover,
            self.part,
        )

    # --- steps: the docstring is the line in the timeline -----------------------------------

    async def find_use_cases(self):
        """SPINE: the use cases LPC, MPC and EVSECC are found"""
        await self.manager.wait_usable("lpc", "mpc", "evsecc", timeout_s=10)
        device = self.manager.values()["device"]
        return f"{device}, LPC on entity {list(self.manager.limit_entity)}"

    async def take_control(self):
        """Heartbeat and an inactive limit: unlimited, but controlled"""
        await self._inactive_limit()
        await self._state("unlimited/controlled", 10)
        return "LPC state unlimited/controlled"

    async def _inactive_limit(self):
        result = await self.manager.write_limit(LIMIT_W, is_active=False, delete_duration=True)
        if not result.ok:
            raise StepMissed(f"the limit was refused: {result.error} {result.text}")

    async def _state(self, state: str, seconds: float):
        return await self.recorder.wait(lambda s: s.lpc_state == state, self.real(seconds))

    async def plug_in(self):
        """A car is plugged in and charges with all it can take"""
        await self.recorder.ask("ev plug phases=3 max_ma=16000 soc_percent=30")
        sample = await self.recorder.wait(lambda s: s.power_w > FULL_W, self.real(60))
        return f"{sample.power_w} W"

    async def limit(self):
        """The manager limits the charger to 4.2 kW for 90 s"""
        result = await self.manager.set_limit(LIMIT_W, duration_s=LIMIT_S)
        if not result.ok:
            raise StepMissed(f"refused: {result.error} {result.text}")
        await self._state("limited", 10)
        return f"accepted in {result.took_ms:.1f} ms"

    async def obey(self):
        """The charging power obeys the limit"""
        sample = await self.recorder.wait(lambda s: s.power_w <= LIMIT_W, self.real(SETTLE_S))
        since = len(self.recorder.samples)
        await asyncio.sleep(self.real(30) - 5)
        highest = max(s.power_w for s in self.recorder.samples[since:])
        if highest > LIMIT_W * 102 // 100:
            raise StepMissed(f"{highest} W is above the limit")
        if highest < LIMIT_W // 2:
            raise StepMissed(f"only {highest} W: the car should go on charging")
        return f"{sample.power_w} W, at most {highest} W in the 30 s after"

    async def expire(self):
        """The limit's duration runs out"""
        await self._state("unlimited/controlled", LIMIT_S)
        limit = self.manager.values()["limit"]
        for _ in range(50):
            if not limit["is_active"]:
                break
            await asyncio.sleep(0.1)
            limit = self.manager.values()["limit"]
        if limit["is_active"]:
            raise StepMissed("the manager was not told")
        return "notified as inactive"

    async def rise_again(self):
        """The charging power comes back by itself"""
        sample = await self.recorder.wait(lambda s: s.power_w > FULL_W, self.real(60))
        return f"{sample.power_w} W"

    async def write_failsafe(self):
        """The manager sets the failsafe limit to 6 kW"""
        result = await self.manager.failsafe(power_w=FAILSAFE_W, duration_s=7200)
        if not result.ok:
            raise StepMissed(f"refused: {result.error} {result.text}")
        return f"accepted in {result.took_ms:.1f} ms"

    async def cut_off(self):
        """The energy manager vanishes without a word"""
        mark = self.charger.mark()
        self.manager.drop()
        await self.manager.wait_closed()
        event = await asyncio.to_thread(self.charger.wait_event, "disconnected", 10, mark)
        return f"the charger sees: {event['reason']}"

    async def fall_back(self):
        """120 s without heartbeat: the failsafe limit takes over"""
        begin = self.timeline.now_s()
        await self._state("failsafe", 130)
        waited = self.timeline.now_s() - begin
        sample = await self.recorder.wait(lambda s: s.power_w <= FAILSAFE_W, self.real(SETTLE_S))
        since = len(self.recorder.samples)
        await asyncio.sleep(self.real(20) - 5)
        highest = max(s.power_w for s in self.recorder.samples[since:])
        if highest > FAILSAFE_W * 102 // 100:
            raise StepMissed(f"{highest} W is above the failsafe limit")
        return f"failsafe {waited:.0f} s after the cut, {sample.power_w} W"

    async def reconnect(self):
        """The manager comes back: no user is asked again"""
        await self.connect()
        await self.manager.wait_usable("lpc", timeout_s=10)
        return f"use cases usable after {self.manager.times_ms['usable']:.0f} ms"

    async def recover(self):
        """Heartbeat and an inactive limit end the failsafe"""
        await self._inactive_limit()
        await self._state("unlimited/controlled", 10)
        sample = await self.recorder.wait(lambda s: s.power_w > FULL_W, self.real(60))
        await asyncio.sleep(self.real(10) - 5)
        return f"{sample.power_w} W"
