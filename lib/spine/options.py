"""The cmdOptions of a restricted command of our own (IEC 63380-3 5.3.3, Tables 4, 6-9).

The way back of `spine.restricted.parse_filters`: for the reads and writes of spine.client, and for
a notify between `Peer.begin_notify` and `finish`. Which combinations have which effect is in
spine.changes; what a partner takes is in the possibleOperations of its discovery.
"""

from spine import model
from spine.restricted import elements_name


def options(function, delete=None, partial=None):
    """`{"function":…},{"filter":[…]},` as bytes, to stand before the data element of a command.

    `function` is a name, `delete` and `partial` are restricted.Filter objects. The data of a mere
    delete and of a read is {}.
    """
    row = model.find_function(function)
    out = bytearray()
    out.extend(b'{"function":"%s"},{"filter":' % function.encode())
    separator = b"["
    for control, chosen in ((b"delete", delete), (b"partial", partial)):
        if chosen:
            out.extend(separator + b'[{"cmdControl":[{"%s":[]}]}' % control)
            _write_filter(out, row, chosen)
            out.extend(b"]")
            separator = b","
    out.extend(b"]},")
    return bytes(out)


def _write_filter(out, row, chosen):
    for selector in chosen.selectors:
        out.extend(b',{"%sSelectors":' % model.function_name(row).encode())
        model.encode(out, model.selectors_type(row), selector)
        out.extend(b"}")
    if chosen.elements is not None:
        entries = model.list_field(row)
        elements = chosen.elements
        type_index = model.function_type(row)
        if entries >= 0 and model.elements_cover_function(row):
            elements = {model.field_name(entries): elements}
        elif entries >= 0:
            type_index = model.field_type(entries)
        out.extend(b',{"%s":' % elements_name(row).encode())
        _write_tags(out, type_index, elements)
        out.extend(b"}")


def _write_tags(out, type_index, elements):
    """ELEMENTS in wire order: a tag for each name."""
    separator = b"["
    for field in model.fields(type_index) if elements else ():
        name = model.field_name(field)
        if name in elements:
            out.extend(separator + b'{"%s":' % name.encode())
            _write_tags(out, model.field_type(field), elements[name])
            out.extend(b"}")
            separator = b","
    out.extend(b"]" if elements else b"[]")
