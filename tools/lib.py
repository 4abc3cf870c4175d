"""The text formats of `lib/` for host programs: the label's QR text and how an SKI is written.

`lib/` is not on the path of host programs, and its modules name `micropython`, which CPython does
not have; both are put right here. Nothing else of `lib/` belongs into a host program: the energy
manager has its own protocol code, so that a mistake cannot cancel itself out.
"""

import sys
import types
from pathlib import Path

_LIB = str(Path(__file__).resolve().parent.parent / "lib")

sys.modules.setdefault("micropython", types.SimpleNamespace(const=lambda value: value))
if _LIB not in sys.path:
    sys.path.append(_LIB)

from ship import qr, ski  # noqa: E402

__all__ = ["qr", "ski"]
