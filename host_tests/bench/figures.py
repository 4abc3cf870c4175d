"""What a figure is, and the list of those that were measured in one run."""

import statistics
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One measured value; `budget` is None where the design brief sets none."""

    name: str
    value: float
    unit: str
    budget: float | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        """`ok`, `over`, or empty without budget."""
        if self.budget is None:
            return ""
        return "ok" if self.value <= self.budget else "over"


def median(values: list[float]) -> float:
    """Median, rounded to a microsecond."""
    return round(statistics.median(values), 3)


def p95(values: list[float]) -> float:
    """95th percentile (the value that 95 % do not exceed)."""
    return round(sorted(values)[max(0, int(len(values) * 0.95 + 0.5) - 1)], 3)
