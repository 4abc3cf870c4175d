"""Restricted function exchange (IEC 63380-3 5.3.3): filters, and what they choose (Tables 8, 10).

Works on natural data (spine.model): a list function's entries, or the one structure of another
function. What a write or notify does to data is in spine.changes.
"""

from spine import model
from spine.errors import (
    COMMAND_REJECTED,
    GENERAL_ERROR,
    RESTRICTED_FUNCTION_EXCHANGE_NOT_SUPPORTED,
    SpineError,
)
from spine.values import parse_datetime


class Filter:
    """One `filter` of a command: SELECTORS (any one matches) and ELEMENTS (None: not given).

    `selectors` are natural data, `elements` is a nested dict of the names, {} at a leaf.
    """

    def __init__(self, selectors=(), elements=None):
        self.is_delete = False
        self.is_partial = False
        self.selectors = list(selectors)
        self.elements = elements

    def matches(self, entry, entries_name):
        """Whether the filter addresses `entry`. Without SELECTORS it addresses every entry."""
        if not self.selectors:
            return True
        for selector in self.selectors:
            if _selected(selector, entry, entries_name):
                return True
        return False


def parse_filters(function, trees, decoder):
    """(delete filter or None, partial filter or None) of a command's `filter` trees.

    Raises SpineError for more than one of a kind and for members that belong to another function.
    """
    delete = partial = None
    for tree in trees:
        parsed = _parse_filter(function, tree, decoder)
        if parsed.is_delete and delete is None and not parsed.is_partial:
            delete = parsed
        elif parsed.is_partial and partial is None and not parsed.is_delete:
            partial = parsed
        else:
            raise SpineError(RESTRICTED_FUNCTION_EXCHANGE_NOT_SUPPORTED, "filter combination")
    return delete, partial


def _parse_filter(function, tree, decoder):
    result = Filter()
    name = model.function_name(function)
    named = elements_name(function)
    for members in tree if isinstance(tree, list) else (tree,):
        if not isinstance(members, dict):
            raise SpineError(GENERAL_ERROR, "malformed filter")
        for key in members:
            value = members[key]
            if key == "cmdControl":
                control = _tags(value)
                result.is_delete = "delete" in control
                result.is_partial = "partial" in control
            elif key == name + "Selectors" and model.selectors_type(function) >= 0:
                result.selectors.append(decoder.decode(model.selectors_type(function), value))
            elif key == named:
                result.elements = _tags(value)
            elif key != "filterId":
                raise SpineError(COMMAND_REJECTED, "filter of another function")
    entries = model.list_field(function)
    if result.elements and entries >= 0 and model.elements_cover_function(function):
        # ELEMENTS of the whole function name the list first.
        result.elements = result.elements.get(model.field_name(entries)) or None
    return result


def elements_name(function):
    """Name of the function's ELEMENTS: of its entries, or of the whole function."""
    entries = model.list_field(function)
    if entries < 0 or model.elements_cover_function(function):
        return model.function_name(function) + "Elements"
    return model.field_name(entries) + "Elements"


def _tags(tree):
    """ELEMENTS as a nested dict of the names they state; {} at a leaf means the whole element."""
    result = {}
    for members in tree if isinstance(tree, list) else (tree,):
        if isinstance(members, dict):
            for name in members:
                result[name] = _tags(members[name])
    return result


# --- selecting -------------------------------------------------------------------------------


def _selected(selector, entry, entries_name):
    """All fields of one SELECTORS instance match (AND)."""
    for name in selector:
        wanted = selector[name]
        if name == entries_name:
            if not _selected(wanted, entry, None):
                return False
        elif name.endswith("Interval"):
            if not _within(wanted, entry.get(name[:-8])):
                return False
        elif name not in entry:
            # The identifier of entries inside this one (timeSeriesSlotId).
            inner = [v for v in entry.values() if isinstance(v, list) and _equal(selector, v)]
            if not inner:
                return False
        elif not _equal(wanted, entry[name]):
            return False
    return True


def _equal(wanted, value):
    if isinstance(wanted, dict) and isinstance(value, dict):
        for name in wanted:
            if name not in value or not _equal(wanted[name], value[name]):
                return False
        return True
    if isinstance(value, list) and isinstance(wanted, dict):
        for item in value:
            if _equal(wanted, item):
                return True
        return False
    return wanted == value


def _within(interval, time):
    """Whether a dateTime lies in an interval; what has no readable time lies in none."""
    try:
        at = parse_datetime(time)
        start = parse_datetime(interval["startTime"]) if "startTime" in interval else at
        end = parse_datetime(interval["endTime"]) if "endTime" in interval else at
    except (ValueError, AttributeError):
        return False
    return start <= at <= end


# --- reading ---------------------------------------------------------------------------------


def reduce(function, data, partial):
    """The reply data to a read with a partial filter (Table 8): identifiers always stay."""
    entries = model.list_field(function)
    if entries < 0:
        return _project(model.function_type(function), data, partial.elements)
    name = model.field_name(entries)
    chosen = [entry for entry in data.get(name, ()) if partial.matches(entry, name)]
    item_type = model.field_type(entries)
    return {name: [_project(item_type, entry, partial.elements) for entry in chosen]}


def _project(type_index, entry, elements):
    if elements is None:
        return entry
    result = {}
    for field in model.fields(type_index):
        name = model.field_name(field)
        if name not in entry:
            continue
        if name in elements:
            deeper = elements[name]
            nested = deeper and model.is_complex(field) and not model.is_list(field)
            result[name] = (
                _project(model.field_type(field), entry[name], deeper) if nested else entry[name]
            )
        elif model.is_key(field):
            result[name] = entry[name]
    return result
