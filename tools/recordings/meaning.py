"""What a piece of EEBUS JSON means, without any model: to compare two spellings of it.

The elements are what the energy manager's reader makes of them (an independent second reader, see
tools/energy_manager/eebus_json.py). On top of that all spellings that mean the same become one:
a list of one item is the item, numbers and booleans may be text, null and empty instances are
absent.
"""

from collections.abc import Iterator
from typing import Any

from tools.energy_manager.eebus_json import from_wire

ABSENT = object()


def meaning(tree: Any) -> Any:
    """Dicts, lists of at least two items, and text."""
    return _plain(from_wire(tree))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        members = {name: _plain(member) for name, member in value.items()}
        return {name: member for name, member in members.items() if member is not ABSENT}
    if isinstance(value, list):
        items = [item for item in map(_plain, value) if item not in (ABSENT, {})]
        return items[0] if len(items) == 1 else items or {}
    if value is None:
        return ABSENT
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def differences(wanted: Any, got: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """(path, value, value) where two meanings differ; ABSENT stands for what is not there."""
    if isinstance(wanted, dict) and isinstance(got, dict):
        for name in [*wanted, *(name for name in got if name not in wanted)]:
            inside = f"{path}/{name}" if path else name
            yield from differences(wanted.get(name, ABSENT), got.get(name, ABSENT), inside)
    elif isinstance(wanted, list) and isinstance(got, list) and len(wanted) == len(got):
        for index, pair in enumerate(zip(wanted, got)):
            yield from differences(*pair, f"{path}[{index}]")
    elif wanted != got:
        yield path, wanted, got
