"""The watchdog is fed by the control loop and by nothing else."""

import subprocess
from pathlib import Path

import pytest

from tools.micropython import micropython_path

PROGRAM = Path(__file__).resolve().parent / "watchdog.py"
CYCLES = 20  # of 25 ms in the half second that is watched
TICKS = 5  # of the timers


def watch(wrong: str, folder: Path) -> "tuple[int, int]":
    """How often the watchdog was fed and the timers ran in half a second."""
    command = [micropython_path(32), "-X", "heapsize=2M", PROGRAM, wrong, folder]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    feedings, ticks = map(int, done.stdout.split())
    return feedings, ticks


def test_every_control_cycle_feeds_it(tmp_path):
    feedings, ticks = watch("nothing", tmp_path)
    assert CYCLES // 2 < feedings <= CYCLES + 1
    assert TICKS // 2 < ticks <= TICKS + 1


@pytest.mark.parametrize("wrong", ["control raises", "control waits"])
def test_a_stuck_control_loop_starves_it_though_all_protocols_go_on(tmp_path, wrong):
    feedings, ticks = watch(wrong, tmp_path)
    assert feedings == 0
    assert ticks > TICKS // 2


@pytest.mark.parametrize("wrong", ["protocols wait", "protocols raise"])
def test_stuck_protocol_tasks_do_not_starve_it(tmp_path, wrong):
    feedings, ticks = watch(wrong, tmp_path)
    assert CYCLES // 2 < feedings <= CYCLES + 1
    assert ticks == 0


def test_a_protocol_that_keeps_the_control_from_running_starves_it(tmp_path):
    feedings, _ = watch("a protocol hogs", tmp_path)
    assert feedings < CYCLES // 2
