"""What a write, a notify or a reply does to data (IEC 63380-3 5.3.3, Tables 6, 7 and 9).

Nothing here changes what it is given: `changes` says what a write would do, `apply` returns what a
notify or reply makes of our copy, and the owner of the data decides about it, so that a refused
write leaves no trace (TS 5.3.4.2). One algorithm serves both directions.

Rules of this file, where the standard leaves a choice:
- entries belong to the server unless it says otherwise (`OPEN`): a remote write neither adds nor
  removes any (COMMAND_REJECTED); a write without filter that leaves entries out keeps them;
- a partly stated entry is merged, in a scaled number too (IG 3.3, TC_SPINE_RTS_005);
- an absent write check means "not changeable", and no remote write touches the write check;
- an entry without identifiers and without SELECTORS addresses all entries (note *1 of Table 6);
- lists without identifiers are replaced as a whole;
- deleting what is not there is success.
"""

from micropython import const

from spine import model
from spine.errors import (
    COMMAND_REJECTED,
    RESTRICTED_FUNCTION_EXCHANGE_NOT_SUPPORTED,
    SpineError,
)

# What `changes` allows.
OWNED = const(0)  # the entries are the server's: a write can only change them
OPEN = const(1)  # clients may also add and remove entries
COPY = const(2)  # a client's copy of them: as OPEN, and nothing is locked


class Change:
    """What a write does to the entry at `index`: its `new` form (None: it goes), the elements it
    `stated`, and the ELEMENTS it `deleted` (nested dict of tags, {} if none). An index behind the
    last entry adds one."""

    def __init__(self, index, deleted):
        self.index = index
        self.new = None
        self.stated = {}
        self.deleted = deleted


def changes(function, data, stated, delete, partial, rules=OWNED):
    """What a remote write does (Table 6), as a list of Change in the order of the entries.

    `data` is the function's present data, `stated` the data of the command. Raises SpineError if
    the write addresses unknown or locked entries or combines what cannot be combined.
    """
    field = model.list_field(function)
    if field < 0:
        return [_structure_change(function, data, stated, delete, partial)]
    name = model.field_name(field)
    type_index = model.field_type(field)
    now = list(data.get(name, ()))  # the entries as they become; None: removed
    count = len(now)
    work = {}
    replaced = rules and not delete and not (partial and (partial.selectors or _keys(type_index)))
    if replaced:
        for index in range(count):
            work[index] = Change(index, {})
            now[index] = _kept(type_index, now[index])
    elif delete:
        _delete(type_index, now, name, delete, rules, work)
    # The data of a mere delete has no meaning (Table 6).
    for item in stated.get(name, ()) if partial or not delete else ():
        if rules != COPY:
            item = _without_checks(type_index, item)
        for index in _targets(type_index, now, item, partial, name, rules):
            if index not in work:
                work[index] = Change(index, {})
            now[index] = merge(type_index, now[index], item)
            work[index].stated = merge(type_index, work[index].stated, item)
    result = [work[index] for index in sorted(work)]
    for change in result:
        index = change.index
        if rules != COPY and index < count and not _changeable(type_index, data[name][index]):
            raise SpineError(COMMAND_REJECTED, "entry is not changeable")
        if not replaced or change.stated:
            change.new = now[index]
    return result


def apply(function, copy, stated, delete, partial):
    """What a notify or reply (Tables 7, 9) makes of a client's `copy` of the data: the new copy.

    Without filter it is what was stated; with one, the same happens as to the server's data.
    Raises SpineError if the filters are none that the standard knows: read the function again.
    """
    if not (delete or partial):
        return stated
    found = changes(function, copy, stated, delete, partial, COPY)
    field = model.list_field(function)
    if field < 0:
        return found[0].new
    name = model.field_name(field)
    entries = list(copy.get(name, ()))
    for change in found:
        entries[change.index : change.index + 1] = [change.new]
    return {name: [entry for entry in entries if entry is not None]}


def _structure_change(function, data, stated, delete, partial):
    type_index = model.function_type(function)
    change = Change(0, {})
    if delete:
        if delete.elements is None:
            raise SpineError(RESTRICTED_FUNCTION_EXCHANGE_NOT_SUPPORTED, "delete without elements")
        change.deleted = delete.elements
        data = _strip(type_index, data, delete.elements)
    if partial or not delete:
        change.stated = stated
    change.new = merge(type_index, data, change.stated) if partial or delete else stated
    return change


def _delete(type_index, now, name, delete, rules, work):
    """Remove entries, or elements of entries, from `now`."""
    elements = delete.elements
    if elements is None:
        if not delete.selectors:
            raise SpineError(RESTRICTED_FUNCTION_EXCHANGE_NOT_SUPPORTED, "delete of everything")
        if rules == OWNED:
            raise SpineError(COMMAND_REJECTED, "entries cannot be removed")
    elif rules != COPY:
        elements = _without_checks(type_index, elements)
    for index in range(len(now)):
        if delete.matches(now[index], name):
            work[index] = Change(index, elements or {})
            now[index] = None if elements is None else _strip(type_index, now[index], elements)


def _targets(type_index, now, item, partial, name, rules):
    """Indexes of the entries that an item addresses; a new one is appended to `now`."""
    there = [index for index in range(len(now)) if now[index] is not None]
    if partial and partial.selectors:
        found = [index for index in there if partial.matches(now[index], name)]
    elif [key for key in _keys(type_index) if key in item]:
        found = [index for index in there if _same(type_index, now[index], item)]
        if not found and rules and _has_identifiers(type_index, item):
            found = [len(now)]
            now.append({})
    elif partial and _keys(type_index):
        found = there
    elif rules and not _keys(type_index):
        found = [len(now)]
        now.append({})
    else:
        raise SpineError(COMMAND_REJECTED, "entry without identifier")
    if not found and rules != COPY:
        raise SpineError(COMMAND_REJECTED, "no such entry")
    return found


def _same(type_index, entry, item):
    """Whether the identifiers that `item` states are those of `entry`.

    An optional sub identifier that is absent equals an absent one, it is no wildcard.
    """
    for field in model.fields(type_index):
        if model.is_key(field):
            name = model.field_name(field)
            if name in item or model.is_optional_key(field):
                if entry.get(name) != item.get(name):
                    return False
    return True


def _has_identifiers(type_index, item):
    for field in model.fields(type_index):
        if model.is_key(field) and not model.is_optional_key(field):
            if model.field_name(field) not in item:
                return False
    return True


def _keys(type_index):
    return [model.field_name(f) for f in model.fields(type_index) if model.is_key(f)]


def _kept(type_index, entry):
    """What a complete write leaves of an entry: identifiers and write check."""
    result = {}
    for field in model.fields(type_index):
        name = model.field_name(field)
        if name in entry and (model.is_key(field) or model.is_write_check(field)):
            result[name] = entry[name]
    return result


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
    """A copy of the structure `old` with every element that `new` states.

    Lists are replaced, except those whose entries have identifiers of their own.
    """
    result = dict(old)
    for field in model.fields(type_index):
        name = model.field_name(field)
        if name not in new:
            continue
        result[name] = new[name]
        if name in old and model.is_complex(field) and not model.is_choice(field):
            inner = model.field_type(field)
            if not model.is_list(field):
                result[name] = merge(inner, old[name], new[name])
            elif _keys(inner):
                result[name] = _merge_list(inner, old[name], new[name])
    return result


def _merge_list(type_index, old, new):
    result = list(old)
    for item in new:
        for index in range(len(result)):
            if _same(type_index, result[index], item):
                result[index] = merge(type_index, result[index], item)
                break
        else:
            result.append(item)
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
