"""State files on littlefs, as boards have it, when the power goes at any write to the flash."""

import subprocess
from pathlib import Path

from tools.micropython import micropython_path

PROGRAM = Path(__file__).resolve().parent / "flash_cuts.py"


def test_a_cut_at_any_write_to_the_flash_leaves_the_old_or_the_new_value():
    done = subprocess.run([micropython_path(32), PROGRAM], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    # Files that a cut left open are closed by the garbage collector, which prints why it cannot.
    cuts, full = [line for line in done.stdout.splitlines() if not line.startswith("OSError")]
    cuts, old, new = map(int, cuts.split())
    assert cuts > 50 and old + new == cuts
    assert full.split() == ["28", "True", "True", "False"], "ENOSPC, kept, saved later, no rest"
