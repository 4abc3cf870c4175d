"""SPINE datagrams: reading and writing header and command frame (IEC 63380-3 5.3.1-5.3.3).

Reading is tolerant as 5.3.1 asks. A small datagram is parsed as a whole by the C `json`; a large
one (a peer's detailed discovery may reach 16 KiB) is only scanned: its header is parsed, its data
stays text and is decoded entry by entry, so that the heap never holds the tree of all of it.

`parse` raises ValueError for what is no datagram: the caller discards it (IG 2.1).
"""

import json

from micropython import const

from spine.scan import Cursor, members_of

VERSION = "1.3.0"

_PARSE_WHOLE = const(1536)  # octets; larger datagrams are read entry by entry
_MAX_ENTITY_LEVELS = const(15)  # deeper entity paths may be dropped (5.2.3 rule 6)
_MAX_TEXT = const(256)  # octets of a device address

# Members of a command that are not its data element (TS 5.3.2).
_FRAME = ("function", "filter", "manufacturerSpecificExtension", "lastUpdateAt")


class Datagram:
    """A received datagram. Absent parts are None; entity addresses are tuples of ints.

    `function` is the name of the data element, `filters` the trees of the filters, `commands` the
    number of commands (exactly one is legal).
    """

    def __init__(self):
        self.version = None
        self.source_device = None
        self.source_entity = ()
        self.source_feature = None
        self.destination_device = None
        self.destination_entity = ()
        self.destination_feature = None
        self.counter = None
        self.reference = None
        self.classifier = None
        self.ack_request = False
        self.commands = 0
        self.function = None
        self.stated_function = None
        self.filters = ()
        self._data = None  # tree of the data element, or
        self._text = None  # the text that holds it, from _start to _end
        self._start = 0
        self._end = 0

    def data(self):
        """The data element as a JSON tree."""
        if self._text is None:
            return self._data
        return json.loads(bytes(self._text[self._start : self._end]))

    def element(self, name):
        """Yield the tree of the element `name` of the data element, if it is there."""
        if self._text is None:
            for member, value in members_of(self._data):
                if member == name:
                    yield value
            return
        cursor = Cursor(self._text, self._start)
        for member in cursor.members():
            if member == name:
                yield cursor.value()
            else:
                cursor.skip()

    def entries(self, name):
        """Yield the trees of the repeated element `name` of the data element, one by one."""
        if self._text is None:
            for value in self.element(name):
                if isinstance(value, list):
                    for item in value:
                        yield item
            return
        cursor = Cursor(self._text, self._start)
        for member in cursor.members():
            if member == name:
                for _ in cursor.items():
                    yield cursor.value()
            else:
                cursor.skip()


def parse(text):
    """Read one datagram from bytes or a memoryview, `{"datagram":[…]}`.

    The result may refer to `text`: use it before the buffer changes.
    """
    result = Datagram()
    if len(text) <= _PARSE_WHOLE:
        _read_tree(result, json.loads(bytes(text)))
    else:
        _read_text(result, text)
    if result.classifier is None or result.counter is None:
        raise ValueError("incomplete header")
    if result.source_feature is None or result.destination_feature is None:
        raise ValueError("incomplete address")
    return result


def _read_tree(result, tree):
    for name, datagram in members_of(tree):
        if name != "datagram":
            continue
        for part, value in members_of(datagram):
            if part == "header":
                _read_header(result, value)
            elif part == "payload":
                for member, commands in members_of(value):
                    if member == "cmd":
                        _read_commands(result, commands)


def _read_commands(result, commands):
    if not isinstance(commands, list):
        raise ValueError("cmd")
    if commands and isinstance(commands[0], dict):
        commands = [commands]  # one command given flat
    result.commands = len(commands)
    if len(commands) == 1:
        for name, value in members_of(commands[0]):
            if not _frame_member(result, name, value):
                result.function = name
                result._data = value


def _frame_member(result, name, value):
    if name == "function":
        result.stated_function = value
    elif name == "filter":
        result.filters = _filters(value)
    return name in _FRAME


def _filters(value):
    """One tree for each filter; a single filter may come without its own array."""
    if isinstance(value, dict):
        return [value] if value else []
    if not isinstance(value, list):
        raise ValueError("filter")
    if value and isinstance(value[0], dict):
        return [value]
    return value


def _read_text(result, text):
    cursor = Cursor(text, 0)
    for name in cursor.members():
        if name != "datagram":
            cursor.skip()
            continue
        for part in cursor.members():
            if part == "header":
                _read_header(result, cursor.value())
            elif part == "payload":
                _scan_payload(result, cursor)
            else:
                cursor.skip()


def _scan_payload(result, cursor):
    for member in cursor.members():
        if member != "cmd":
            cursor.skip()
            continue
        for _ in cursor.items():
            result.commands += 1
            for name in cursor.members():
                if name in _FRAME:
                    _frame_member(result, name, cursor.value())
                else:
                    result.function = name
                    result._text = cursor.text
                    result._start = cursor.at
                    cursor.skip()
                    result._end = cursor.at


def _read_header(result, tree):
    for name, value in members_of(tree):
        if name == "addressSource":
            address = read_address(value)
            result.source_device, result.source_entity, result.source_feature = address
        elif name == "addressDestination":
            address = read_address(value)
            result.destination_device, result.destination_entity = address[:2]
            result.destination_feature = address[2]
        elif name == "msgCounter":
            result.counter = _integer(value)
        elif name == "msgCounterReference":
            result.reference = _integer(value)
        elif name == "cmdClassifier":
            result.classifier = value
        elif name == "ackRequest":
            result.ack_request = value in (True, "true")
        elif name == "specificationVersion":
            result.version = value


def read_address(tree):
    """(device or None, entity as a tuple, feature or None) of a FeatureAddressType tree.

    Raises ValueError for values of the wrong type.
    """
    device = feature = None
    entity = ()
    for name, value in members_of(tree):
        if name == "device" and value is not None:
            if not isinstance(value, str) or len(value) > _MAX_TEXT:
                raise ValueError("device")
            device = value
        elif name == "entity":
            if not isinstance(value, list):
                value = (value,)
            if len(value) > _MAX_ENTITY_LEVELS:
                raise ValueError("entity")
            entity = tuple([_integer(number) for number in value])
        elif name == "feature" and value is not None:
            feature = _integer(value)
    return device, entity, feature


def _integer(value):
    if isinstance(value, str):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError("number")
    return value


def major(version):
    """Major number of a specificationVersion, 1 if absent or unreadable (TC_SPINE_COMP_006)."""
    if not isinstance(version, str):
        return 1
    text = version.lstrip("TSVv").split(".")[0]
    return int(text) if text.isdigit() else 1


# --- writing ---------------------------------------------------------------------------------


def entity_text(entity):
    """An entity address as JSON text, `[1,1]`."""
    return "[" + ",".join([str(number) for number in entity]) + "]"


def write_header(out, source, destination, counter, reference, classifier, ack_request):
    """Append everything up to the members of the command to `out`; `END` closes what this opens.

    `source` and `destination` are address texts from `address_text`.
    """
    out.extend(
        (
            '{"datagram":[{"header":[{"specificationVersion":"%s"},{"addressSource":%s},'
            '{"addressDestination":%s},{"msgCounter":%d}%s,{"cmdClassifier":"%s"}%s]},'
            '{"payload":[{"cmd":[['
            % (
                VERSION,
                source,
                destination,
                counter,
                "" if reference is None else ',{"msgCounterReference":%d}' % reference,
                classifier,
                ',{"ackRequest":true}' if ack_request else "",
            )
        ).encode()
    )


END = b"]]}]}]}"


def address_text(device, entity, feature):
    """A FeatureAddressType as JSON text; `device` None is left out (first discovery read)."""
    prefix = "" if device is None else '{"device":%s},' % json.dumps(device)
    return '[%s{"entity":%s},{"feature":%d}]' % (prefix, entity_text(entity), feature)
