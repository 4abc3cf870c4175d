"""Run the demo: `python -m tools.demo`, or `make demo`.

Starts the simulated charger (the unmodified firmware under MicroPython), an energy manager beside
it, and goes through the steps of a scenario. The exit status is 0 only if every step was observed.

    make demo                                  a grid limit
    make demo SCENARIO=solar
    make demo ARGS=--list
"""

import argparse
import asyncio
import shutil
import sys
from pathlib import Path

from tools.console_link import ConsoleError
from tools.demo.fuse import Fuse
from tools.demo.grid_limit import GridLimit
from tools.demo.price_plan import PricePlan
from tools.demo.recorder import Recorder
from tools.demo.session import Session
from tools.demo.solar import Solar
from tools.demo.timeline import StepMissed, Timeline
from tools.energy_manager.manager import EnergyManager
from tools.simulate import Simulator

SCENARIOS = {
    "grid_limit": GridLimit,
    "fuse": Fuse,
    "solar": Solar,
    "price_plan": PricePlan,
    "session": Session,
}
BUILD = Path(__file__).resolve().parent.parent.parent / "build"


def main() -> int:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenario", choices=SCENARIOS, default="grid_limit")
    parser.add_argument("--list", action="store_true", help="list the scenarios")
    parser.add_argument("--speed", type=int, help="times faster than real")
    parser.add_argument("--bits", choices=("64", "32"), default="64", help="MicroPython build")
    parser.add_argument("--code", choices=("source", "romfs"), default="source")
    parser.add_argument("--output", type=Path, default=BUILD, help="folder of the plot")
    options = parser.parse_args()
    if options.list:
        for name, scenario in SCENARIOS.items():
            print(f"{name:12} {scenario.title}")
        return 0
    return asyncio.run(run(options))


async def run(options: argparse.Namespace) -> int:
    """One run with fresh state on both sides; returns the exit status."""
    kind = SCENARIOS[options.scenario]
    speed = options.speed or kind.speed
    state = BUILD / "demo"
    shutil.rmtree(state, ignore_errors=True)
    timeline = Timeline(speed)
    timeline.console.print(f"[bold]{kind.title}[/]")
    timeline.console.print(
        f"[dim]charger: MicroPython {options.bits}-bit on 127.0.0.1, its clock runs "
        f"{speed} times faster; times below are on that clock[/]"
    )
    charger = Simulator(
        state=str(state / "charger"),
        port=0,
        bits=options.bits,
        code=options.code,
        speed=speed,
        serial="DEMO-1",
        **kind.options,
    )
    failure = scenario = None
    recorder = Recorder(charger)
    try:
        with charger:
            timeline.synchronise((await recorder.ask("status"))["uptime_ms"] / 1000)
            sampling = asyncio.create_task(recorder.run())
            folder = state / "energy_manager"
            async with EnergyManager(folder, speed=speed, for_cars=kind.for_cars) as manager:
                scenario = kind(charger, manager, recorder, timeline)
                try:
                    await scenario.run()
                finally:
                    sampling.cancel()
    except (StepMissed, ConsoleError, OSError) as error:
        failure = str(error)
        timeline.missed(failure)
    if recorder.samples:
        from tools.demo.plot import draw

        name = "demo" if kind is GridLimit else f"demo-{options.scenario}"
        curves = scenario.curves if scenario else []
        paths = draw(recorder.samples, timeline.steps, kind.title, options.output / name, curves)
        timeline.console.print("[dim]plot: " + ", ".join(map(str, paths)) + "[/]")
    met = sum(step.at_s is not None for step in timeline.steps)
    colour = "red" if failure else "green"
    timeline.console.print(
        f"[{colour}]{met} of {len(timeline.steps)} steps observed in {timeline.wall_s():.0f} s[/]"
    )
    return 1 if failure else 0


if __name__ == "__main__":
    sys.exit(main())
