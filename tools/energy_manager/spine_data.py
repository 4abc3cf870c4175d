"""SPINE values and lists: scaled numbers, durations, and how a message changes a stored copy.

Covers the update rules of IEC 63380-3 5.3.3 (restricted function exchange) on the client's side:
a notify or reply may be complete, may name entries by identifier or by selector, and may delete
entries or elements. Values are the dicts and lists of `eebus_json`.

Rules of this file: names follow the data model's own regularity (a list function `xListData` has
items `xData`; selectors are called `xListDataSelectors`, elements `xDataElements`; identifiers
come first in an item), so the only table is that of compound identifiers.
"""

import re
from typing import Any

from .eebus_json import as_int, as_list, as_map, as_maps

# Identifiers of items that have more than one; elsewhere the first element that ends in "Id".
_COMPOUND_KEYS = {
    "measurementListData": ("measurementId", "valueType"),
    "measurementSeriesListData": ("measurementId", "valueType", "timestamp"),
    "electricalConnectionParameterDescriptionListData": ("electricalConnectionId", "parameterId"),
    "electricalConnectionPermittedValueSetListData": ("electricalConnectionId", "parameterId"),
    "electricalConnectionCharacteristicListData": (
        "electricalConnectionId",
        "parameterId",
        "characteristicId",
    ),
}
_OPTIONAL_KEYS = ("valueType", "timestamp")  # sub identifiers; absent equals absent
_ALTERNATIVES = "deviceConfigurationKeyValueListData"  # its `value` holds one of several elements

_DURATION = re.compile(
    r"(-?)P(?:(\d+)D)?(?:T(?:(\d+(?:\.\d+)?)H)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)S)?)?"
)


def scaled(value: Any) -> float | None:
    """Return number times ten to the scale as int or float; None if there is no number."""
    number = as_int(as_map(value).get("number"))
    scale = as_int(as_map(value).get("scale"), 0)
    if number is None or abs(scale) > 30:
        return None
    return number * 10**scale if scale >= 0 else _plain(number / 10**-scale)


def _plain(number: float) -> float:
    return int(number) if number == int(number) else number


def to_scaled(number: float) -> dict:
    """Return the ScaledNumber of an int or float, number and scale always both stated."""
    scale = 0
    while number != int(number) and scale > -6:
        scale -= 1
        number = round(number * 10, 6)
    return {"number": int(number), "scale": scale}


def parse_duration(text: Any) -> float | None:
    """Return an ISO 8601 duration in seconds, None for anything else; years are not accepted."""
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None or not any(match.groups()[1:]):
        return None
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups()[1:])
    total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    return -total if match.group(1) else _plain(total)


def format_duration(seconds: float) -> str:
    """Return whole hours as `PTnH`, all else as `PTnS`."""
    seconds = max(0, round(seconds))
    return f"PT{seconds // 3600}H" if seconds and seconds % 3600 == 0 else f"PT{seconds}S"


def is_list(function: str) -> bool:
    """True for the functions whose content is a list of items."""
    return function.endswith("ListData")


def item_name(function: str) -> str:
    """Return the element name of one item of a list function."""
    return function.removesuffix("ListData") + "Data"


def items(function: str, data: Any) -> list[dict]:
    """Return the items of a list function as a list of dicts."""
    return as_maps(as_map(data).get(item_name(function)))


def merge(function: str, stored: dict, cmd: dict) -> dict:
    """Return the new content of `function` after the command `cmd` of a reply or notify.

    `stored` is the content so far (a dict, `{}` if unknown) and is not changed. The delete filter
    goes first, then the partial one. Raises ValueError for a command that contradicts itself.
    """
    data = as_map(cmd.get(function))
    filters = [_Filter(function, one) for one in as_list(cmd.get("filter"))]
    if not filters:
        return data
    if cmd.get("function", function) != function or len(filters) > 2:
        raise ValueError("filter and function do not fit")
    result = stored
    for one in filters:
        if one.is_delete:
            result = _delete(function, result, one)
    for one in filters:
        if one.is_partial:
            result = _update(function, result, data, one)
    return result


class _Filter:
    """One filter of a command. Selectors may be repeated, so it is read as pairs, not as a map."""

    def __init__(self, function: str, value: Any):
        members = [pair for part in as_list(value) for pair in as_map(part).items()]
        control = as_map(dict(members).get("cmdControl"))
        self.is_delete = "delete" in control
        self.is_partial = "partial" in control
        selectors = function + "Selectors"
        elements = (item_name(function) if is_list(function) else function) + "Elements"
        self.selectors = [as_map(content) for name, content in members if name == selectors]
        self.elements = as_map(dict(members).get(elements))

    def selects(self, item: dict) -> bool:
        """True without selectors, else if any selector's fields all equal those of the item."""
        return not self.selectors or any(_equal(one, item) for one in self.selectors)


def _equal(selector: dict, item: dict) -> bool:
    for name, wanted in selector.items():
        found = item.get(name)
        if isinstance(wanted, dict) and isinstance(found, dict):
            if not _equal(wanted, found):
                return False
        elif wanted != found:
            return False
    return True


def _delete(function: str, stored: dict, chosen: _Filter) -> dict:
    """Apply a delete filter: entries, elements of entries, or elements of a non-list function."""
    if not is_list(function):
        return _without(stored, chosen.elements, ())
    kept = []
    for item in items(function, stored):
        if not chosen.selects(item):
            kept.append(item)
        elif chosen.elements:
            kept.append(_without(item, chosen.elements, _keys(function, [item])))
    return {item_name(function): kept}


def _without(value: dict, elements: dict, keys: tuple) -> dict:
    """Return a copy less the named elements; identifiers stay, emptied structures go."""
    result = dict(value)
    for name, inner in elements.items():
        if name in keys or name not in result:
            continue
        left = {}
        if as_map(inner) and isinstance(result[name], dict):
            left = _without(result[name], as_map(inner), ())
        if left:
            result[name] = left
        else:
            del result[name]
    return result


def _update(function: str, stored: dict, data: dict, chosen: _Filter) -> dict:
    """Apply a partial filter."""
    if not is_list(function):
        return _merged(stored, data)
    incoming = items(function, data)
    entries = [dict(item) for item in items(function, stored)]
    keys = _keys(function, entries + incoming)
    if not keys:
        return data  # no identifiers: only complete exchange is possible
    for item in incoming:
        if chosen.selectors:
            targets = [entry for entry in entries if chosen.selects(entry)]
        elif all(key in item for key in keys if key not in _OPTIONAL_KEYS):
            targets = [e for e in entries if all(e.get(key) == item.get(key) for key in keys)]
            if not targets:
                entries.append(dict(item))
        else:
            stated = [key for key in keys if key in item]
            targets = [e for e in entries if all(e.get(key) == item[key] for key in stated)]
        for entry in targets:
            merged = _merged(entry, item)
            if function == _ALTERNATIVES and set(as_map(item.get("value"))):
                merged["value"] = _alternative(entry.get("value"), item["value"])
            entry.clear()
            entry.update(merged)
    return {item_name(function): entries}


def _keys(function: str, entries: list[dict]) -> tuple:
    """Return the identifier names of a list's items."""
    if function in _COMPOUND_KEYS:
        return _COMPOUND_KEYS[function]
    for entry in entries:
        first = next(iter(entry), "")
        if first.endswith(("Id", "Number")):
            return (first,)
    return ()


def _merged(old: dict, new: dict) -> dict:
    """Return `old` with every stated element of `new`; lists are replaced, structures merged."""
    result = dict(old)
    for name, value in new.items():
        if isinstance(value, dict) and value and isinstance(result.get(name), dict):
            value = _merged(result[name], value)
        result[name] = value
    return result


def _alternative(old: Any, new: dict) -> dict:
    """Return the content of a value that may hold only one of several elements."""
    return _merged(old, new) if set(as_map(old)) & set(new) else new
