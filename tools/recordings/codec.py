"""The firmware's SPINE codec on the host, with the tables of any profile.

Takes from `lib/` only what reads and writes text: `spine.datagram` and `spine.model`. The model
is loaded a second time, so that the tables of another profile do not disturb the ones that the
process may already use.
"""

import importlib
import importlib.util
import sys
import types
from pathlib import Path

from tools import spine_tables

LIB = Path(__file__).resolve().parent.parent.parent / "lib"


def load(profile: str = "all") -> tuple[types.ModuleType, types.ModuleType]:
    """(spine.datagram, spine.model on the tables of `profile`).

    Raises ValueError for an unknown profile.
    """
    description = spine_tables.read_model()
    functions = spine_tables.read_profile(description, profile)
    if "micropython" not in sys.modules:  # the compiler's `const` on a board
        sys.modules["micropython"] = stand_in = types.ModuleType("micropython")
        stand_in.const = lambda value: value
    if str(LIB) not in sys.path:
        sys.path.insert(0, str(LIB))
    spine = importlib.import_module("spine")
    usual = importlib.import_module("spine.tables")
    tables = types.ModuleType("spine.tables")
    tables.__dict__.update(spine_tables.pack(description, functions))
    sys.modules["spine.tables"] = spine.tables = tables
    try:
        spec = importlib.util.spec_from_file_location(
            f"spine_model_{profile}", LIB / "spine" / "model.py"
        )
        model = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(model)
    finally:
        sys.modules["spine.tables"] = spine.tables = usual
    return importlib.import_module("spine.datagram"), model
