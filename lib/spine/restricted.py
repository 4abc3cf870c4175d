"""Restricted function exchange (IEC 63380-3 5.3.3, Tables 6-9): filters on read and on write.

Works on natural data (spine.model): a list function's entries, or the one structure of another
function. Nothing here changes what it is given: `changes` returns new entries, and the owner of
the data decides about them, so that a refused write leaves no trace (TS 5.3.4.2).

Rules of this file, where the standard leaves a choice:
- entries belong to the server: a remote write neither adds nor removes any (COMMAND_REJECTED); a
  write without filter that leaves entries out therefore keeps them;
- entries without identifiers of their own (incentive tables) can only be replaced, each by the one
  in its place;
- a partly stated entry is merged, in a scaled number too (IG 3.3, TC_SPINE_RTS_005);
- an absent write check means "not changeable";
- an entry without identifiers and without SELECTORS addresses all entries (note *1 of Table 6);
- deleting what is not there is success.
"""

from spine import model
from spine.errors import (
    COMMAND_REJECTED,
    GENERAL_ERROR,
    RESTRICTED_FUNCTION_EXCHANGE_NOT_SUPPORTED,
    SpineError,
)


class Filter:
    """One `filter` of a command: SELECTORS (any one matches) and ELEMENTS (None: not given)."""

    def __init__(self):
        self.is_delete = False
        self.is_partial = False
        self.selectors = []
        self.elements = None

    def matches(self, entry, entries_name):
        """Whether the filter addresses `entry`. Without SELECTORS it addresses every entry."""
        if not self.selectors:
            return True
        for selector in self.selectors:
            if _selected(selector, entry, entries_name):
                return True
        return False


class Change:
    """What a write does to the entry at `index`: its `new` form, the elements it `stated`, and the
    ELEMENTS it `deleted` (nested dict of tags, {} if none)."""

    def __init__(self, index, new, stated, deleted):
        self.index = index
        self.new = new
        self.stated = stated
        self.deleted = deleted


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
    entries = model.list_field(function)
    whole = entries < 0 or model.elements_cover_function(function)
    elements_name = (name if whole else model.field_name(entries)) + "Elements"
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
            elif key == elements_name:
                result.elements = _tags(value)
            elif key != "filterId":
                raise SpineError(COMMAND_REJECTED, "filter of another function")
    if whole and entries >= 0 and result.elements is not None:
        # ELEMENTS of the whole function name the list first.
        result.elements = result.elements.get(model.field_name(entries)) or None
    return result


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
            if not _within(wanted, entry.get("timestamp")):
                return False
        elif name not in entry or not _equal(wanted, entry[name]):
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


def _within(interval, timestamp):
    """Times in the same spelling compare as text; an entry without time lies in no interval."""
    if timestamp is None:
        return False
    return interval.get("startTime", timestamp) <= timestamp <= interval.get("endTime", timestamp)


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


# --- writing ---------------------------------------------------------------------------------


def changes(function, data, stated, delete, partial):
    """What a remote write does (Table 6), as a list of Change in the order of the entries.

    `data` is the function's present data, `stated` the data of the command. Raises SpineError if
    the write addresses unknown or locked entries or combines what cannot be combined.
    """
    entries_field = model.list_field(function)
    if entries_field < 0:
        return _structure_changes(function, data, stated, delete)
    name = model.field_name(entries_field)
    type_index = model.field_type(entries_field)
    work = {}
    entries = data.get(name, [])
    if not _keys(type_index):
        return _replacements(entries, stated.get(name, ()), delete or partial)
    if delete:
        _delete_elements(type_index, entries, name, delete, work)
    for item in stated.get(name, ()):
        for index in _targets(type_index, entries, item, partial, name):
            change = work.get(index)
            if change is None:
                change = work[index] = Change(index, entries[index], {}, {})
            change.new = merge(type_index, change.new, _without_checks(type_index, item))
            change.stated = merge(type_index, change.stated, item)
    for index in work:
        if not _changeable(type_index, entries[index]):
            raise SpineError(COMMAND_REJECTED, "entry is not changeable")
    return [work[index] for index in sorted(work)]


def _replacements(entries, items, is_restricted):
    if is_restricted:
        raise SpineError(RESTRICTED_FUNCTION_EXCHANGE_NOT_SUPPORTED, "entries have no identifier")
    if len(items) > len(entries):
        raise SpineError(COMMAND_REJECTED, "no such entry")
    return [Change(index, items[index], items[index], {}) for index in range(len(items))]


def _structure_changes(function, data, stated, delete):
    type_index = model.function_type(function)
    deleted = {}
    if delete:
        if delete.elements is None:
            raise SpineError(RESTRICTED_FUNCTION_EXCHANGE_NOT_SUPPORTED, "delete without elements")
        deleted = delete.elements
        data = _strip(type_index, data, deleted)
    return [Change(0, merge(type_index, data, stated), stated, deleted)]


def _delete_elements(type_index, entries, name, delete, work):
    if delete.elements is None:
        if not delete.selectors:
            raise SpineError(RESTRICTED_FUNCTION_EXCHANGE_NOT_SUPPORTED, "delete of everything")
        raise SpineError(COMMAND_REJECTED, "entries cannot be removed")
    for index in range(len(entries)):
        if delete.matches(entries[index], name):
            new = _strip(type_index, entries[index], delete.elements)
            work[index] = Change(index, new, {}, delete.elements)


def _targets(type_index, entries, item, partial, name):
    """Indexes of the entries that an item of a write addresses."""
    if partial and partial.selectors:
        found = [i for i in range(len(entries)) if partial.matches(entries[i], name)]
    else:
        keys = [n for n in _keys(type_index) if n in item]
        if not keys and not partial:
            raise SpineError(COMMAND_REJECTED, "entry without identifier")
        found = [i for i in range(len(entries)) if _same(entries[i], item, keys)]
    if not found:
        raise SpineError(COMMAND_REJECTED, "no such entry")
    return found


def _same(entry, item, keys):
    for name in keys:
        if entry.get(name) != item[name]:
            return False
    return True


def _keys(type_index):
    return [model.field_name(f) for f in model.fields(type_index) if model.is_key(f)]


def _changeable(type_index, entry):
    for field in model.fields(type_index):
        if model.is_write_check(field):
            return entry.get(model.field_name(field)) is True
    return True


def _without_checks(type_index, item):
    """A remote write never changes the write check itself."""
    for field in model.fields(type_index):
        if model.is_write_check(field) and model.field_name(field) in item:
            item = dict(item)
            del item[model.field_name(field)]
    return item


def merge(type_index, old, new):
    """A copy of the structure `old` with every element that `new` states; lists are replaced."""
    result = dict(old)
    for field in model.fields(type_index):
        name = model.field_name(field)
        if name not in new:
            continue
        nested = model.is_complex(field) and not model.is_list(field)
        if nested and name in old and not model.is_choice(field):
            result[name] = merge(model.field_type(field), old[name], new[name])
        else:
            result[name] = new[name]
    return result


def _strip(type_index, entry, elements):
    """A copy of `entry` without the named elements; identifiers stay, emptied structures go."""
    result = dict(entry)
    for field in model.fields(type_index):
        name = model.field_name(field)
        if name not in elements or name not in entry or model.is_key(field):
            continue
        deeper = elements[name]
        if deeper and model.is_complex(field) and not model.is_list(field):
            result[name] = _strip(model.field_type(field), entry[name], deeper)
            if result[name]:
                continue
        del result[name]
    return result
