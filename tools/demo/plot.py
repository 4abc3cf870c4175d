"""The picture that the demo leaves: limit, allowed current and measured power over time."""

from dataclasses import replace
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from tools.demo.recorder import Sample
from tools.demo.timeline import Step

_LETTER_WIDTH = 0.007  # of the whole width, in the names of the states

# Background of the LPC states, light enough to read on.
_STATE_COLOURS = {
    "init": "#eeeeee",
    "unlimited/controlled": "#ffffff",
    "limited": "#fdf0d5",
    "failsafe": "#f8d7da",
    "unlimited/autonomous": "#e2ecf7",
}


def draw(samples: list[Sample], steps: list[Step], title: str, base: Path, curves) -> list[Path]:
    """Write `base`.png and `base`.svg; return their paths. `curves` are scenario.Curve."""
    figure, (power, current, legend) = plt.subplots(
        3, figsize=(11, 8), height_ratios=(3, 1.3, 1.1), layout="constrained"
    )
    unit_s, unit = (3600, "h") if samples[-1].at_s > 7200 else (1, "s")
    samples = [replace(sample, at_s=sample.at_s / unit_s) for sample in samples]
    steps = [replace(step, at_s=step.at_s and step.at_s / unit_s) for step in steps]
    times = [sample.at_s for sample in samples]
    highest = max([10.5] + [kw for curve in curves for _, kw in curve.points])
    power.set_ylim(
        0, highest * 1.48
    )  # above the curves: names of the states, numbers of the steps
    current.set_ylim(0, 20)
    for axes in (power, current):
        _shade_states(axes, samples, is_named=axes is power)
        axes.set_xlim(times[0], times[-1])
        axes.grid(axis="y", color="#dddddd", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    power.plot(
        times,
        [s.power_w / 1000 for s in samples],
        color="#1d4e89",
        linewidth=2,
        label="measured charging power",
    )
    caps = [None if s.cap_w is None else s.cap_w / 1000 for s in samples]
    # What holds until the first word of the energy manager is not worth a line.
    if any(s.cap_w is not None and s.lpc_state != "init" for s in samples):
        power.step(
            times,
            caps,
            where="post",
            color="#c1121f",
            linewidth=2,
            label="limit in force (LPC or failsafe)",
        )
    current.step(
        times,
        [s.offered_a for s in samples],
        where="post",
        color="#b5651d",
        linewidth=2,
        label="allowed current per phase (control pilot)",
    )
    for curve in curves:
        points = [(at / unit_s, kw) for at, kw in curve.points]
        power.plot(
            *zip(*points, strict=True), color=curve.colour, linewidth=1.6, label=curve.label
        )
    _mark_steps(power, steps)
    power.set_title(title, loc="left", fontsize=12, pad=28)
    power.set_ylabel("kW")
    current.set_ylabel("A")
    current.set_xlabel("time on the charger's clock, " + unit)
    for axes in (power, current):  # beside the curves, never on them
        axes.legend(
            loc="lower left",
            bbox_to_anchor=(0, 1),
            borderaxespad=0,
            ncols=4,
            frameon=False,
            fontsize=9,
        )
    _list_steps(legend, steps)
    base.parent.mkdir(parents=True, exist_ok=True)
    paths = [base.with_name(base.name + suffix) for suffix in (".png", ".svg")]
    for path in paths:
        figure.savefig(path, dpi=130)
    plt.close(figure)
    return paths


def _list_steps(axes, steps: list[Step]) -> None:
    """The numbered steps in two columns."""
    axes.axis("off")
    rows = (len(steps) + 1) // 2
    for index, step in enumerate(steps):
        column, row = divmod(index, rows)
        mark = "" if step.at_s is not None else " (not observed)"
        axes.text(
            column * 0.5,
            1 - row / rows,
            f"{index + 1}  {step.title}{mark}",
            transform=axes.transAxes,
            fontsize=8.5,
            va="top",
            color="#333333",
        )


def _shade_states(axes, samples: list[Sample], is_named: bool) -> None:
    """Colour the background by LPC state and name each stretch that is long enough."""
    span = samples[-1].at_s - samples[0].at_s
    start = samples[0]
    for sample in [*samples[1:], None]:
        if sample is not None and sample.lpc_state == start.lpc_state:
            continue
        end = (sample or samples[-1]).at_s
        axes.axvspan(start.at_s, end, color=_STATE_COLOURS[start.lpc_state], linewidth=0)
        if is_named and end - start.at_s > span * _LETTER_WIDTH * len(start.lpc_state):
            middle = (start.at_s + end) / 2
            axes.text(
                middle,
                axes.get_ylim()[1] * 0.79,
                start.lpc_state,
                ha="center",
                fontsize=9,
                color="#555555",
            )
        start = sample


def _mark_steps(axes, steps: list[Step]) -> None:
    """Number the steps along the top, at the moment each one was observed; "2-5" if at once."""
    left, right = axes.get_xlim()
    groups = []  # [time of the first, its number, number of the last]
    for number, step in enumerate(steps, 1):
        if step.at_s is None:
            continue
        axes.axvline(step.at_s, ymax=0.83, color="#999999", linewidth=0.6, linestyle=":")
        if groups and step.at_s - groups[-1][0] < (right - left) * 0.03:
            groups[-1][2] = number
        else:
            groups.append([step.at_s, number, number])
    for at_s, first, last in groups:
        text = str(first) if first == last else f"{first}-{last}"
        axes.text(at_s, axes.get_ylim()[1] * 0.86, text, ha="center", fontsize=8.5)
