"""Put the modules under test on the path, in the order a board sees them.

`firmware` and `boards` are found in the repository root, the protocol packages in `lib/`, and
the stand-in for the built-in module `micropython` in `host_tests/shims`. Helper modules that
unit files share lie beside them, as for run_on_micropython.py.
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent

for folder in (HERE / "unit", HERE / "shims", HERE.parent / "lib", HERE.parent):
    if str(folder) in sys.path:
        sys.path.remove(str(folder))
    sys.path.insert(0, str(folder))
