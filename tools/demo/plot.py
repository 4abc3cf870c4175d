"""The picture that the demo leaves: limit, allowed current and measured power over time."""

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


def draw(samples: list[Sample], steps: list[Step], title: str, folder: Path) -> list[Path]:
    """Write demo.png and demo.svg into `folder`; return their paths."""
    figure, (power, current, legend) = plt.subplots(
        3, figsize=(11, 8), height_ratios=(3, 1.3, 1.1), layout="constrained"
    )
    times = [sample.at_s for sample in samples]
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
    power.step(
        times,
        [None if s.cap_w is None else s.cap_w / 1000 for s in samples],
        where="post",
        color="#c1121f",
        linewidth=2,
        label="limit in force (LPC, or its failsafe value)",
    )
    current.step(
        times,
        [s.offered_a for s in samples],
        where="post",
        color="#b5651d",
        linewidth=2,
        label="allowed current per phase (control pilot)",
    )
    _mark_steps(power, steps)
    power.set_title(title, loc="left", fontsize=12, pad=14)
    power.set_ylabel("kW")
    power.set_ylim(0, 15.5)
    current.set_ylabel("A")
    current.set_ylim(0, 20)
    current.set_xlabel("time on the charger's clock, s")
    power.legend(loc="lower right", fontsize=9, framealpha=1)
    current.legend(loc="lower right", fontsize=9, framealpha=1)
    _list_steps(legend, steps)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / "demo.png", folder / "demo.svg"]
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
            axes.text(middle, 12.3, start.lpc_state, ha="center", fontsize=9, color="#555555")
        start = sample


def _mark_steps(axes, steps: list[Step]) -> None:
    """Number the steps along the top, at the moment each one was observed."""
    level = 0
    last = -1e9  # where the present stack of numbers stands
    left, right = axes.get_xlim()
    for number, step in enumerate(steps, 1):
        if step.at_s is None:
            continue
        axes.axvline(step.at_s, ymax=0.83, color="#999999", linewidth=0.6, linestyle=":")
        level = level + 1 if step.at_s - last < (right - left) * 0.02 else 0
        last = step.at_s if level == 0 else last
        axes.text(step.at_s, 13.2 + 0.6 * level, str(number), ha="center", fontsize=8.5)
