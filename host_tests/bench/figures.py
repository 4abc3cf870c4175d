"""What a figure is, and the list of those that were measured in one run."""

import statistics
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One measured value; `budget` is None where the design brief sets none.

    `row` and `column` are its place in a table that compares several programs.
    """

    name: str
    value: float
    unit: str
    budget: float | None = None
    row: str = ""
    column: str = ""

    @property
    def verdict(self) -> str:
        """`ok`, `over`, or empty without budget."""
        if self.budget is None:
            return ""
        return "ok" if self.value <= self.budget else "over"


def as_dict(figures: list[Figure]) -> dict:
    """name → value, unit, budget."""
    return {f.name: {"value": f.value, "unit": f.unit, "budget": f.budget} for f in figures}


def markdown(figures: list[Figure]) -> str:
    """A row for each figure."""
    lines = ["| figure | value | budget | |", "| --- | ---: | ---: | --- |"]
    for f in figures:
        budget = "" if f.budget is None else f"{f.budget:g} {f.unit}"
        lines.append(f"| {f.name} | {f.value:g} {f.unit} | {budget} | {f.verdict} |")
    return "\n".join(lines)


def comparison(figures: list[Figure]) -> str:
    """A column for each program; figures without a column are left out."""
    placed = [f for f in figures if f.column]
    columns = list(dict.fromkeys(f.column for f in placed))
    cells = {(f.row, f.column): f"{f.value:g} {f.unit}" for f in placed}
    lines = ["| | " + " | ".join(columns) + " |", "| --- |" + " ---: |" * len(columns)]
    for row in dict.fromkeys(f.row for f in placed):
        shown = [cells.get((row, column), "–") for column in columns]
        lines.append(f"| {row} | " + " | ".join(shown) + " |")
    return "\n".join(lines)


def median(values: list[float]) -> float:
    """Median, rounded to a microsecond."""
    return round(statistics.median(values), 3)


def p95(values: list[float]) -> float:
    """95th percentile (the value that 95 % do not exceed)."""
    return round(sorted(values)[max(0, int(len(values) * 0.95 + 0.5) - 1)], 3)
