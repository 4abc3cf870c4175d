"""EEBUS JSON without a schema: cutting values out, both directions of SHIP 11.4 and 11.5."""

import json

from eebus_json import (
    MAX_NESTING,
    MAX_NUMBER,
    end_of_value,
    from_wire,
    members,
    skip_space,
    to_wire,
)

DATAGRAM = (
    b'{"datagram":[{"header":[{"specificationVersion":"1.3.0"},{"addressSource":'
    b'[{"device":"d:_i:12345_EVSE-0001"},{"entity":[0]},{"feature":0}]},{"msgCounter":7}]},'
    b'{"payload":[{"cmd":[[{"nodeManagementUseCaseData":[]}]]}]}]}'
)


def end(text, start=0):
    """The result for bytes, after checking that a memoryview gives the same."""
    result = end_of_value(text, start)
    assert end_of_value(memoryview(text), start) == result
    return result


def is_refused(text, start=0):
    for form in (text, memoryview(text)):
        try:
            end_of_value(form, start)
        except ValueError:
            continue
        return False
    return True


def test_a_value_of_each_kind_ends_where_it_ends():
    for value in (b"{}", b"[]", b'""', b'"a"', b"0", b"-12.5e3", b"true", b"false", b"null"):
        for behind in (b"", b",1", b"]", b"}", b" ", b"\n"):
            assert end(value + behind) == len(value), (value, behind)


def test_a_value_in_the_middle_is_cut_out():
    text = b'[{"a":[1,{"b":"x"}]},{"c":2}]'
    assert text[1 : end(text, 1)] == b'{"a":[1,{"b":"x"}]}'
    assert text[6 : end(text, 6)] == b'[1,{"b":"x"}]'
    assert text[14 : end(text, 14)] == b'"x"'
    assert text[26 : end(text, 26)] == b"2"


def test_a_whole_datagram_ends_at_its_end():
    assert end(DATAGRAM) == len(DATAGRAM)
    assert end(DATAGRAM + b"}]}") == len(DATAGRAM)


def test_white_space_before_and_inside_is_no_obstacle():
    text = b' \r\n\t{ "accessMethodsRequest" : [ ] } \r\n'
    assert text[: end(text)] == b' \r\n\t{ "accessMethodsRequest" : [ ] }'


def test_brackets_and_quotes_inside_strings_do_not_count():
    for string in (b'"]}"', b'"[{"', b'"\\""', b'"\\\\"', b'"a\\\\\\"b]"', b'"\\u00e4]"'):
        text = b'{"a":' + string + b"}"
        assert end(text + b"]") == len(text), string
        assert end(string + b"]") == len(string), string


def test_strings_of_any_length_at_any_place_are_skipped():
    # 64 and 512 octets are the sizes of the pieces the text is looked at in
    for length in (0, 1, 50, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 510, 511, 512, 513, 5000):
        for tail in (b"", b"\\\\", b'\\"', b'\\"\\\\', b"]}"):
            string = b'"' + b"x" * length + tail + b'"'
            text = b'{"n":[' + string + b"," + string + b"]}"
            assert end(text + b",") == len(text), (length, tail)
            assert end(string + b",") == len(string), (length, tail)


def test_every_cut_of_a_datagram_is_refused():
    for size in range(1, len(DATAGRAM)):
        assert is_refused(DATAGRAM[:size]), size


def test_nothing_and_stray_closers_are_no_values():
    for text in (b"", b"  ", b"]", b"}", b",", b'"', b'"abc', b'"abc\\"', b"[", b"{"):
        assert is_refused(text), text
    assert is_refused(b"[1]", 3)


def test_nesting_is_accepted_up_to_the_limit_and_refused_beyond():
    for opener, closer in ((b"[", b"]"), (b'{"a":', b"}")):
        text = opener * MAX_NESTING + b"0" + closer * MAX_NESTING
        assert end(text) == len(text)
        assert is_refused(opener + text + closer)
    assert is_refused(b"[" * 16384)


def test_space_is_skipped_up_to_the_end():
    assert skip_space(b" \t\r\nx", 0) == 4
    assert skip_space(b"x", 0) == 0
    assert skip_space(b"  ", 0) == 2
    assert skip_space(b"", 0) == 0


def parts(text):
    return [(name, text[start:end]) for name, start, end in members(text, 0)]


def test_members_of_an_element_are_found_in_order():
    assert parts(b'[{"phase":"pending"},{"waiting":60000}]') == [
        (b"phase", b'"pending"'),
        (b"waiting", b"60000"),
    ]


def test_members_of_a_plain_object_are_found_as_well():
    expected = [(b"a", b"[1]"), (b"b", b'{"c":2}')]
    assert parts(b'{"a":[1],"b":{"c":2}}') == expected
    assert parts(b' { "a" : [1] , "b" : {"c":2} } ') == expected
    assert parts(b' [ { "a" : [1] } , { "b" : {"c":2} } ] ') == expected


def test_an_empty_element_has_no_members():
    for text in (b"[]", b"{}", b" [ ] ", b" { } ", b"[{}]"):
        assert parts(text) == []


def test_what_is_no_element_has_no_members_either():
    for text in (
        b"",
        b"1",
        b'"a"',
        b"[1]",
        b"[[]]",
        b'[{"a"}]',
        b'[{"a":}]',
        b'[{"a":1]',
        b'{"a":1',
        b'{"a":1 "b":2}',
        b'[{"a":1}{"b":2}]',
        b"{1:2}",
    ):
        try:
            parts(text)
        except ValueError:
            continue
        raise AssertionError(text)


def decoded(text):
    return from_wire(json.loads(text))


def test_arrays_of_single_members_become_dicts():
    assert decoded('[{"pinState":"none"}]') == {"pinState": "none"}
    assert decoded('[{"formats":[{"format":["JSON-UTF8"]}]}]') == {
        "formats": {"format": ["JSON-UTF8"]}
    }


def test_lists_of_complex_and_simple_values_stay_lists():
    assert decoded('[{"entry":[[{"curve":23},{"id":"x"}],[{"curve":26}]]}]') == {
        "entry": [{"curve": 23, "id": "x"}, {"curve": 26}]
    }
    assert decoded('[{"entity":[1,1]}]') == {"entity": [1, 1]}
    assert decoded('[{"a":1},{"a":2}]') == [{"a": 1}, {"a": 2}]


def test_empty_instances_of_a_list_are_left_out():
    assert decoded('[{"entry":[[]]}]') == {"entry": []}
    assert decoded('[{"entry":[[],[{"curve":23}]]}]') == {"entry": [{"curve": 23}]}


def test_plain_objects_and_empty_values_are_accepted():
    assert decoded('{"phase":"ready","waiting":60000}') == {"phase": "ready", "waiting": 60000}
    assert decoded('[{"dnsSd_mDns":[]}]') == {"dnsSd_mDns": {}}
    assert decoded('[{"dnsSd_mDns":{}}]') == {"dnsSd_mDns": {}}
    assert decoded('[{"value":null}]') == {"value": None}


def test_elements_are_written_in_the_given_order():
    body = (("zeta", "x"), ("alpha", 60000), ("mid", True), ("empty", ()))
    assert to_wire(body) == b'[{"zeta":"x"},{"alpha":60000},{"mid":true},{"empty":[]}]'


def test_lists_and_nested_elements_are_written_as_in_the_schema():
    body = (
        ("version", (("major", 1), ("minor", 0))),
        ("formats", (("format", ["JSON-UTF8", "JSON-UTF16"]),)),
        ("entry", [(("curve", 23),), (("curve", 26),)]),
    )
    assert to_wire(body) == (
        b'[{"version":[{"major":1},{"minor":0}]},'
        b'{"formats":[{"format":["JSON-UTF8","JSON-UTF16"]}]},'
        b'{"entry":[[{"curve":23}],[{"curve":26}]]}]'
    )


def test_strings_are_escaped_and_read_back():
    text = 'quote " backslash \\ newline \n'
    assert json.loads(to_wire(text)) == text
    assert to_wire('a"b') == b'"a\\"b"'


def test_numbers_are_as_long_as_they_need_to_be_and_no_longer():
    """Reading 16 000 digits takes MicroPython 16 ms, in which nothing else runs."""
    longest = b"-1." + b"4" * (MAX_NUMBER - 3)
    for text in (longest, b'{"a":[' + longest + b"," + longest + b"]}", b"[" * 32 + b"]" * 32):
        assert end(text) == len(text)
    nested = b'{"a":' * 31 + longest[:40] + b"}" * 31  # colons and brackets are no digits
    assert end(nested) == len(nested)
    string = b'{"a":"' + b"7" * 500 + b'"}'
    assert end(string) == len(string)
    for digits in (b"1" * (2 * MAX_NUMBER + 1), b"9" * 16_000, b"0." + b"5" * 600 + b"e1"):
        for before, behind in ((b"", b""), (b'{"a":', b"}"), (b'["x",' + b'"y",' * 30, b"]")):
            assert is_refused(before + digits + behind), before
