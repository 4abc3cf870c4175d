"""Run the demo: `python -m tools.demo`, or `make demo`.

Starts the simulated charger (the unmodified firmware under MicroPython), an energy manager beside
it, and goes through the steps of a scenario. The exit status is 0 only if every step was observed.
"""

import argparse
import asyncio
import shutil
import sys
from pathlib import Path

from tools.console_link import ConsoleError
from tools.demo.grid_limit import TITLE, GridLimit
from tools.demo.recorder import Recorder
from tools.demo.timeline import StepMissed, Timeline
from tools.energy_manager.manager import EnergyManager
from tools.simulate import Simulator

BUILD = Path(__file__).resolve().parent.parent.parent / "build"


def main() -> int:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--speed", type=int, default=10, help="times faster than real (default 10)"
    )
    parser.add_argument("--bits", choices=("64", "32"), default="64", help="MicroPython build")
    parser.add_argument("--code", choices=("source", "romfs"), default="source")
    parser.add_argument("--output", type=Path, default=BUILD, help="folder of the plot")
    options = parser.parse_args()
    return asyncio.run(run(options))


async def run(options: argparse.Namespace) -> int:
    """One run with fresh state on both sides; returns the exit status."""
    state = BUILD / "demo"
    shutil.rmtree(state, ignore_errors=True)
    timeline = Timeline(options.speed)
    timeline.console.print(f"[bold]{TITLE}[/]")
    timeline.console.print(
        f"[dim]charger: MicroPython {options.bits}-bit on 127.0.0.1, its clock runs "
        f"{options.speed} times faster; times below are on that clock[/]"
    )
    charger = Simulator(
        state=str(state / "charger"),
        port=0,
        bits=options.bits,
        code=options.code,
        speed=options.speed,
        serial="DEMO-1",
    )
    failure = None
    recorder = Recorder(charger)
    try:
        with charger:
            timeline.synchronise((await recorder.ask("status"))["uptime_ms"] / 1000)
            sampling = asyncio.create_task(recorder.run())
            async with EnergyManager(state / "energy_manager", speed=options.speed) as manager:
                try:
                    await GridLimit(charger, manager, recorder, timeline).run()
                finally:
                    sampling.cancel()
    except (StepMissed, ConsoleError, OSError) as error:
        failure = str(error)
        timeline.missed(failure)
    return finish(timeline, recorder, failure, options.output)


def finish(timeline: Timeline, recorder: Recorder, failure: str | None, output: Path) -> int:
    """Draw the plot and say how it went."""
    if recorder.samples:
        from tools.demo.plot import draw

        paths = draw(recorder.samples, timeline.steps, TITLE, output)
        timeline.console.print("[dim]plot: " + ", ".join(map(str, paths)) + "[/]")
    met = sum(step.at_s is not None for step in timeline.steps)
    colour = "red" if failure else "green"
    timeline.console.print(
        f"[{colour}]{met} of {len(timeline.steps)} steps observed in {timeline.wall_s():.0f} s[/]"
    )
    return 1 if failure else 0


if __name__ == "__main__":
    sys.exit(main())
