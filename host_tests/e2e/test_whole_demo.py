"""`make demo` succeeds only if every step was observed, and leaves its picture."""

import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def demo(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "tools.demo", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_the_demo_observes_every_step_and_leaves_its_plot(tmp_path):
    process = demo("--speed", "30", "--output", str(tmp_path))
    text, _ = process.communicate(timeout=110)
    assert process.returncode == 0, text
    assert "15 of 15 steps observed" in text
    picture = (tmp_path / "demo.png").read_bytes()
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(picture[16:20], "big") > 1000
    assert "</svg>" in (tmp_path / "demo.svg").read_text()[-20:]


def test_x_evcc_x_evcs_the_demo_of_a_session_observes_every_step(tmp_path):
    arguments = ("--scenario", "session", "--speed", "100", "--output", str(tmp_path))
    text, _ = demo(*arguments).communicate(timeout=110)
    assert "9 of 9 steps observed" in text, text
    assert (tmp_path / "demo-session.png").exists()


def test_a_demo_whose_charger_dies_fails_and_says_where(tmp_path):
    process = demo("--speed", "30", "--output", str(tmp_path))
    lines = []
    for line in process.stdout:
        lines.append(line)
        if " 5 ✓" in line:
            kill_children(process.pid)
    assert process.wait(60) == 1
    text = "".join(lines)
    assert " 6 ✗" in text and "5 of 6 steps observed" in text
    assert (tmp_path / "demo.png").exists(), "the plot shows how far it came"


def kill_children(parent):
    """End the MicroPython process below the demo."""
    for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        os.kill(int(child), signal.SIGKILL)
