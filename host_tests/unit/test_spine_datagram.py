"""Reading datagrams, small and large, and writing their frame."""

from spine import datagram
from spine.datagram import END, address_text, major, parse, write_header
from spine.scan import Cursor, members_of

HEADER = (
    '{"header":[{"specificationVersion":"1.3.0"},{"addressSource":[{"device":"d:_i:1_A"},'
    '{"entity":[1,1]},{"feature":3}]},{"addressDestination":[{"device":"d:_n:B_1"},{"entity":[0]},'
    '{"feature":0}]},{"msgCounter":57},{"msgCounterReference":12},{"cmdClassifier":"reply"},'
    '{"ackRequest":true},{"timestamp":"2025-03-01T10:00:00Z"}]}'
)
FRAME = '{"datagram":[%s,{"payload":[{"cmd":[[%s]]}]}]}'


def read(command, header=HEADER, padding=0):
    """Parse a datagram, with `padding` octets of an ignored element to make it large."""
    if padding:
        command += ',{"manufacturerSpecificExtension":"%s"}' % ("00" * (padding // 2))
    return parse((FRAME % (header, command)).encode())


def discarded(text):
    try:
        parse(text.encode())
    except (ValueError, IndexError, TypeError):
        return True
    return False


def test_header_and_command_of_small_and_large_datagrams():
    command = (
        '{"function":"loadControlLimitListData"},{"filter":[[{"cmdControl":[{"partial":[]}]}]]},'
        '{"loadControlLimitListData":[{"loadControlLimitData":[[{"limitId":1}],[{"limitId":2}]]}]}'
    )
    for padding in (0, 4000):
        d = read(command, padding=padding)
        assert d.source_device == "d:_i:1_A"
        assert (d.source_entity, d.source_feature) == ((1, 1), 3)
        assert d.destination_device == "d:_n:B_1"
        assert (d.destination_entity, d.destination_feature) == ((0,), 0)
        assert (d.counter, d.reference, d.classifier) == (57, 12, "reply")
        assert d.ack_request is True
        assert d.version == "1.3.0"
        assert d.function == d.stated_function == "loadControlLimitListData"
        assert d.filters == [[{"cmdControl": [{"partial": []}]}]]
        assert d.commands == 1
        assert d.data() == [{"loadControlLimitData": [[{"limitId": 1}], [{"limitId": 2}]]}]
        items = list(d.entries("loadControlLimitData"))
        assert items == [[{"limitId": 1}], [{"limitId": 2}]]
        assert list(d.entries("nothing")) == []
        assert list(d.element("loadControlLimitData")) == [items]


def test_white_space_plain_objects_and_needless_arrays_are_read():
    text = """ { "datagram" : { "header" : { "specificationVersion" : "1.2.0",
        "addressSource" : { "device":"d:_i:1_A" , "entity" : [ 0 ] , "feature" : 0 },
        "addressDestination" : [ { "entity" : [ 0 ] , "feature" : 0 } ],
        "msgCounter" : "5" , "cmdClassifier" : "read" } ,
        "payload" : [ { "cmd" : [ { "nodeManagementUseCaseData" : [ ] , %s } ] } ] } } """
    for padding in ("", "x" * 4000):
        d = parse((text % ('"lastUpdateAt" : "%s"' % padding)).encode())
        assert (d.counter, d.classifier, d.function) == (5, "read", "nodeManagementUseCaseData")
        assert d.destination_device is None
        assert d.ack_request is False
        assert d.commands == 1


def test_single_filters_may_come_without_their_array():
    d = read('{"function":"x"},{"filter":[{"cmdControl":[{"delete":[]}]}]},{"x":[]}')
    assert d.filters == [[{"cmdControl": [{"delete": []}]}]]
    d = read('{"function":"x"},{"filter":{"cmdControl":{"delete":{}}}},{"x":[]}')
    assert d.filters == [{"cmdControl": {"delete": {}}}]


def test_the_number_of_commands_is_counted():
    two = FRAME % (HEADER, '{"x":[]}],[{"y":[]}')
    assert parse(two.encode()).commands == 2
    none = '{"datagram":[%s,{"payload":[{"cmd":[]}]}]}' % HEADER
    assert parse(none.encode()).commands == 0


def test_incomplete_headers_are_discarded():
    for part in ("msgCounter", "cmdClassifier", "addressSource", "addressDestination"):
        assert discarded(FRAME % (HEADER.replace(part, "x" + part), '{"x":[]}')), part
        long = '{"x":"%s"}' % ("y" * 4000)
        assert discarded(FRAME % (HEADER.replace(part, "x" + part), long)), part


def test_values_of_wrong_types_in_the_header_are_discarded():
    for old, new in (
        ('"msgCounter":57', '"msgCounter":-1'),
        ('"msgCounter":57', '"msgCounter":"x"'),
        ('"msgCounter":57', '"msgCounter":[]'),
        ('"feature":3', '"feature":"x"'),
        ('"feature":3', '"feature":[]'),
        ('"entity":[1,1]', '"entity":[1,"x"]'),
        ('"entity":[1,1]', '"entity":[%s]' % ",".join(["1"] * 16)),
        ('"device":"d:_i:1_A"', '"device":5'),
        ('"device":"d:_i:1_A"', '"device":"%s"' % ("d" * 257)),
    ):
        assert discarded(FRAME % (HEADER.replace(old, new), '{"x":[]}')), new


def test_what_is_no_datagram_is_discarded():
    texts = ["", "{", "[]", "null", "7", '"x"', '{"datagram":7}', '{"datagram":[]}', '{"x":[]}']
    texts += [text + " " * 4000 for text in texts]
    texts.append(FRAME % (HEADER, '{"x":[' + "[" * 3000))
    for text in texts:
        assert discarded(text), text[:60]


def test_a_large_datagram_cut_at_any_place_is_discarded():
    text = FRAME % (HEADER, '{"x":[{"a":"%s"},{"b":[1,{"c":null}]}]}' % ("y" * 1600))
    assert not discarded(text)
    for end in range(1540, len(text)):
        assert discarded(text[:end]), text[:end][-30:]


def test_addresses_and_headers_are_written_in_wire_order():
    out = bytearray()
    write_header(
        out,
        address_text("d:_n:B_1", (1,), 4),
        address_text(None, (0,), 0),
        7,
        3,
        "result",
        True,
    )
    out.extend(b'{"resultData":[{"errorNumber":0}]}')
    out.extend(END)
    assert bytes(out) == (
        b'{"datagram":[{"header":[{"specificationVersion":"1.3.0"},{"addressSource":[{"device":'
        b'"d:_n:B_1"},{"entity":[1]},{"feature":4}]},{"addressDestination":[{"entity":[0]},'
        b'{"feature":0}]},{"msgCounter":7},{"msgCounterReference":3},{"cmdClassifier":"result"},'
        b'{"ackRequest":true}]},{"payload":[{"cmd":[[{"resultData":[{"errorNumber":0}]}]]}]}]}'
    )
    assert datagram.parse(out).reference == 3


def test_major_versions():
    for version, number in (
        ("1.3.0", 1),
        ("0.3.0", 0),
        ("2.0.0", 2),
        ("v1.3.0", 1),
        ("TS1.3.0", 1),
        ("1.3.0-RC1", 1),
        (None, 1),
        ("", 1),
        (7, 1),
    ):
        assert major(version) == number, version


def test_a_cursor_sees_what_a_tree_shows():
    texts = (
        '[{"a":1},{"b":[2,3]},{"c":[{"d":"x\\"y"}]}]',
        '{"a":1,"b":[2,3],"c":[{"d":"x\\"y"}]}',
        '[ [ { "a" : 1 } , { "b" : [ 2 , 3 ] } , { "c" : [ { "d" : "x\\"y" } ] } ] ]',
    )
    for text in texts:
        cursor = Cursor(text.encode(), 0)
        found = [(name, cursor.value()) for name in cursor.members()]
        assert found == [("a", 1), ("b", [2, 3]), ("c", [{"d": 'x"y'}])]
        assert cursor.at == len(text)
    tree = [[{"a": 1}, {"b": 2}]]
    assert list(members_of(tree)) == [("a", 1), ("b", 2)]
    assert list(members_of(None)) == list(members_of(7)) == []
