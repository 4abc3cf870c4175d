"""`make demo` succeeds only if every step was observed, and leaves its picture."""

import subprocess
import sys
import threading
import time
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
    process = demo("--speed", "15", "--output", str(tmp_path))
    text, _ = process.communicate(timeout=110)
    assert process.returncode == 0, text
    assert "15 of 15 steps observed" in text
    picture = (tmp_path / "demo.png").read_bytes()
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(picture[16:20], "big") > 1000
    assert "</svg>" in (tmp_path / "demo.svg").read_text()[-20:]


def test_a_demo_whose_charger_dies_fails_and_says_where(tmp_path):
    process = demo("--speed", "15", "--output", str(tmp_path))
    killer = threading.Thread(target=_kill_charger, args=(process.pid,))
    killer.start()
    text, _ = process.communicate(timeout=60)
    killer.join()
    assert process.returncode == 1, text
    assert "✗" in text and "steps observed" in text


def _kill_charger(parent):
    """End the MicroPython process below the demo as soon as it has run for a moment."""
    time.sleep(2.5)
    found = subprocess.run(["pgrep", "-P", str(parent)], capture_output=True, text=True)
    for child in found.stdout.split():
        subprocess.run(["kill", "-9", child], check=False)
