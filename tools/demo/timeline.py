"""What happened when: printed live, kept for the summary.

A step is something that must be observed. It is announced, then met or missed; a missed step ends
the demo. Times are those of the charger's clock, which the demo runs faster than the wall clock.
"""

import time
from dataclasses import dataclass, field

from rich.console import Console
from rich.status import Status


class StepMissed(Exception):
    """A step was not observed; the text says what was seen instead."""


@dataclass
class Step:
    """One step: what is to be observed, when it was (seconds of the charger's clock), and how."""

    title: str
    at_s: float | None = None
    detail: str = ""


@dataclass
class Timeline:
    """`speed` is how many times faster the charger's clock runs."""

    speed: int
    console: Console = field(default_factory=lambda: Console(highlight=False))
    steps: list[Step] = field(default_factory=list)
    _start: float = field(default_factory=time.monotonic)
    _offset_s: float = 0.0
    _waiting: Status | None = None

    def synchronise(self, charger_s: float) -> None:
        """Set the charger's clock, so that steps and samples have the same time axis."""
        self._offset_s += charger_s - self.now_s()

    def now_s(self) -> float:
        """Time on the charger's clock, in seconds."""
        return (time.monotonic() - self._start) * self.speed + self._offset_s

    def wall_s(self) -> float:
        """Seconds since the start, on the wall clock."""
        return time.monotonic() - self._start

    def begin(self, title: str) -> None:
        """Announce the next step."""
        self.steps.append(Step(title))
        self._waiting = self.console.status(title, spinner="dots")
        self._waiting.start()

    def met(self, detail: str = "") -> None:
        """The step was observed."""
        step = self.steps[-1]
        step.at_s = self.now_s()
        step.detail = detail
        self._print("[green]✓[/]", step.title, detail)

    def missed(self, detail: str) -> None:
        """The step was not observed."""
        self.steps[-1].detail = detail
        self._print("[red]✗[/]", self.steps[-1].title, detail)

    def note(self, text: str) -> None:
        """Something worth seeing while a step goes on."""
        self.console.print(f"[dim]{self._stamp()}      {text}[/]")

    def _print(self, mark: str, title: str, detail: str) -> None:
        if self._waiting:
            self._waiting.stop()
        number = len(self.steps)
        self.console.print(f"[dim]{self._stamp()}[/] {number:2} {mark} {title}")
        if detail:
            self.console.print(f"[dim]            {detail}[/]")

    def _stamp(self) -> str:
        seconds = int(self.now_s())
        return f"{seconds // 60:3d}:{seconds % 60:02d}"
