"""Restricted function exchange on lists and structures, on the data level."""

import json

from spine import model, restricted
from spine.changes import changes
from spine.errors import SpineError

LIMIT = "loadControlLimitListData"


def entries(*rows):
    return {"loadControlLimitData": [dict(row) for row in rows]}


def row(number, active=False, watts=4200, changeable=True):
    return {
        "limitId": number,
        "isLimitChangeable": changeable,
        "isLimitActive": active,
        "timePeriod": {"endTime": "PT60S"},
        "value": {"number": watts, "scale": 0},
    }


def run(function, data, filters, stated):
    """Apply a command to data; returns {index: new entry} or an error number."""
    decoder = model.Decoder()
    index = model.find_function(function)
    stated = decoder.decode(model.function_type(index), json.loads(stated))
    before = json.dumps(data)
    try:
        delete, partial = restricted.parse_filters(index, json.loads(filters), decoder)
        found = changes(index, data, stated, delete, partial)
    except SpineError as error:
        found = None
        number = error.number
    assert json.loads(before) == data  # whatever happens, nothing is changed in place
    return number if found is None else {change.index: change.new for change in found}


PARTIAL = '[{"cmdControl":[{"partial":[]}]}]'
DELETE = '[{"cmdControl":[{"delete":[]}]}%s]'
ONLY_1 = ',{"loadControlLimitListDataSelectors":[{"limitId":1}]}'
PERIOD = ',{"loadControlLimitDataElements":[{"timePeriod":[]}]}'


def test_w2_partial_merges_into_the_entry_with_equal_identifier():
    new = run(
        LIMIT,
        entries(row(1), row(2)),
        "[%s]" % PARTIAL,
        '[{"loadControlLimitData":[[{"limitId":2},{"isLimitActive":true}]]}]',
    )
    expected = row(2, active=True)
    assert new == {1: expected}


def test_w2b_without_identifier_addresses_all_entries():
    new = run(
        LIMIT,
        entries(row(1), row(2)),
        "[%s]" % PARTIAL,
        '[{"loadControlLimitData":[[{"isLimitActive":true}]]}]',
    )
    assert new == {0: row(1, active=True), 1: row(2, active=True)}


def test_w3_selectors_address_entries_and_several_of_them_are_or():
    two = ',{"loadControlLimitListDataSelectors":[{"limitId":3}]}'
    filters = '[[{"cmdControl":[{"partial":[]}]}%s%s]]' % (ONLY_1, two)
    new = run(
        LIMIT,
        entries(row(1), row(2), row(3)),
        filters,
        '[{"loadControlLimitData":[[{"isLimitActive":true}]]}]',
    )
    assert sorted(new) == [0, 2]


def test_w5_and_w6_delete_elements_but_never_identifiers():
    filters = "[%s]" % (DELETE % PERIOD)
    new = run(LIMIT, entries(row(1), row(2)), filters, "[]")
    assert sorted(new) == [0, 1]
    assert "timePeriod" not in new[0]
    filters = "[%s]" % (DELETE % (ONLY_1 + ',{"loadControlLimitDataElements":[{"limitId":[]}]}'))
    assert run(LIMIT, entries(row(1)), filters, "[]") == {0: row(1)}


def test_a_structure_emptied_by_a_nested_delete_is_absent():
    nested = ',{"loadControlLimitDataElements":[{"timePeriod":[{"endTime":[]}]}]}'
    new = run(LIMIT, entries(row(1)), "[%s]" % (DELETE % (ONLY_1 + nested)), "[]")
    assert "timePeriod" not in new[0]


def test_w7_deletes_first_and_merges_then():
    filters = "[%s,%s]" % (DELETE % (ONLY_1 + PERIOD), PARTIAL)
    new = run(
        LIMIT,
        entries(row(1)),
        filters,
        '[{"loadControlLimitData":[[{"limitId":1},{"value":[{"number":7},{"scale":3}]}]]}]',
    )
    assert "timePeriod" not in new[0]
    assert new[0]["value"] == {"number": 7, "scale": 3}


def test_deleting_what_is_not_there_is_success():
    bare = row(1)
    del bare["timePeriod"]
    assert run(LIMIT, entries(bare), "[%s]" % (DELETE % (ONLY_1 + PERIOD)), "[]") == {0: bare}
    other = ',{"loadControlLimitListDataSelectors":[{"limitId":9}]}'
    assert run(LIMIT, entries(row(1)), "[%s]" % (DELETE % (other + PERIOD)), "[]") == {}


def test_entries_are_neither_added_nor_removed():
    unknown = '[{"loadControlLimitData":[[{"limitId":7},{"isLimitActive":true}]]}]'
    assert run(LIMIT, entries(row(1)), "[%s]" % PARTIAL, unknown) == 7
    assert run(LIMIT, entries(row(1)), "[%s]" % (DELETE % ONLY_1), "[]") == 7
    assert run(LIMIT, entries(row(1)), "[%s]" % (DELETE % ""), "[]") == 8


def test_locked_entries_refuse_the_whole_write():
    stated = '[{"loadControlLimitData":[[{"limitId":1},{"isLimitActive":true}],[{"limitId":2}]]}]'
    data = entries(row(1), row(2, changeable=False))
    assert run(LIMIT, data, "[%s]" % PARTIAL, stated) == 7
    unmarked = row(1)
    del unmarked["isLimitChangeable"]
    assert run(LIMIT, entries(unmarked), "[%s]" % PARTIAL, stated) == 7


def test_the_write_check_cannot_be_written():
    stated = '[{"loadControlLimitData":[[{"limitId":1},{"isLimitChangeable":false}]]}]'
    assert run(LIMIT, entries(row(1)), "[%s]" % PARTIAL, stated) == {0: row(1)}


def test_scaled_numbers_merge_per_element():
    data = entries(row(1))
    data["loadControlLimitData"][0]["value"] = {"number": 105, "scale": -1}
    stated = '[{"loadControlLimitData":[[{"limitId":1},{"value":[{"%s":%d}]}]]}]'
    new = run(LIMIT, data, "[%s]" % PARTIAL, stated % ("number", 14))
    assert new[0]["value"] == {"number": 14, "scale": -1}
    new = run(LIMIT, data, "[%s]" % PARTIAL, stated % ("scale", 2))
    assert new[0]["value"] == {"number": 105, "scale": 2}


def test_alternatives_of_a_key_value_replace_each_other():
    data = {
        "deviceConfigurationKeyValueData": [
            {"keyId": 2, "value": {"duration": "PT2H"}, "isValueChangeable": True}
        ]
    }
    stated = '[{"deviceConfigurationKeyValueData":[[{"keyId":2},{"value":[{"string":"x"}]}]]}]'
    new = run("deviceConfigurationKeyValueListData", data, "[%s]" % PARTIAL, stated)
    assert new[0]["value"] == {"string": "x"}


def test_filters_of_another_function_and_odd_combinations_are_refused():
    foreign = (
        '[[{"cmdControl":[{"partial":[]}]},{"setpointListDataSelectors":[{"setpointId":1}]}]]'
    )
    assert run(LIMIT, entries(row(1)), foreign, "[]") == 7
    assert run(LIMIT, entries(row(1)), "[%s,%s]" % (PARTIAL, PARTIAL), "[]") == 8
    both = '[[{"cmdControl":[{"partial":[]},{"delete":[]}]}]]'
    assert run(LIMIT, entries(row(1)), both, "[]") == 8
    assert run(LIMIT, entries(row(1)), "[[]]", "[]") == 8
    assert run(LIMIT, entries(row(1)), "[[7]]", "[]") == 1


def test_an_entry_without_identifier_needs_a_partial_filter():
    stated = '[{"loadControlLimitData":[[{"isLimitActive":true}]]}]'
    assert run(LIMIT, entries(row(1)), "[]", stated) == 7


def test_a_structure_is_written_and_stripped():
    # IEC 63380-3 5.3.3 W5/W7 on a function that is no list
    data = {"operatingState": "failure", "lastErrorCode": "E1"}
    function = "deviceDiagnosisStateData"
    elements = ',{"deviceDiagnosisStateDataElements":[{"lastErrorCode":[]}]}'
    new = run(function, data, "[%s]" % (DELETE % elements), "[]")
    assert new == {0: {"operatingState": "failure"}}
    new = run(function, data, "[%s]" % PARTIAL, '[{"lastErrorCode":"E2"}]')
    assert new == {0: {"operatingState": "failure", "lastErrorCode": "E2"}}
    assert run(function, data, "[%s]" % (DELETE % ""), "[]") == 8


def reduced(function, data, filters):
    decoder = model.Decoder()
    index = model.find_function(function)
    _, partial = restricted.parse_filters(index, json.loads(filters), decoder)
    return restricted.reduce(index, data, partial)


def test_read_with_elements_keeps_identifiers():
    filters = '[[{"cmdControl":[{"partial":[]}]},{"loadControlLimitDataElements":[{"value":[]}]}]]'
    assert reduced(LIMIT, entries(row(1), row(2)), filters) == {
        "loadControlLimitData": [
            {"limitId": 1, "value": {"number": 4200, "scale": 0}},
            {"limitId": 2, "value": {"number": 4200, "scale": 0}},
        ]
    }


def test_read_with_nested_elements():
    filters = (
        '[[{"cmdControl":[{"partial":[]}]},{"loadControlLimitDataElements":'
        '[{"value":[{"number":[]}]}]}]]'
    )
    assert reduced(LIMIT, entries(row(1)), filters) == {
        "loadControlLimitData": [{"limitId": 1, "value": {"number": 4200}}]
    }


def test_read_with_selectors_is_and_inside_and_or_between():
    filters = '[[{"cmdControl":[{"partial":[]}]}%s]]' % ONLY_1
    assert reduced(LIMIT, entries(row(1), row(2)), filters) == entries(row(1))
    description = {
        "loadControlLimitDescriptionData": [
            {"limitId": 1, "limitDirection": "consume", "scopeType": "activePowerLimit"},
            {"limitId": 2, "limitDirection": "produce", "scopeType": "activePowerLimit"},
        ]
    }
    selector = (
        '[[{"cmdControl":[{"partial":[]}]},{"loadControlLimitDescriptionListDataSelectors":'
        '[{"limitDirection":"produce"},{"scopeType":"activePowerLimit"}]}]]'
    )
    chosen = reduced("loadControlLimitDescriptionListData", description, selector)
    assert [e["limitId"] for e in chosen["loadControlLimitDescriptionData"]] == [2]


def test_interval_selectors_test_the_time_stamp():
    data = {
        "measurementData": [
            {"measurementId": 1, "timestamp": "2025-03-01T10:00:00Z"},
            {"measurementId": 2, "timestamp": "2025-03-01T12:00:00Z"},
            {"measurementId": 3},
        ]
    }
    filters = (
        '[[{"cmdControl":[{"partial":[]}]},{"measurementListDataSelectors":[{"timestampInterval":'
        '[{"startTime":"2025-03-01T11:00:00Z"}]}]}]]'
    )
    chosen = reduced("measurementListData", data, filters)["measurementData"]
    assert [entry["measurementId"] for entry in chosen] == [2]


def test_wrapped_selectors_of_node_management():
    data = {
        "bindingEntry": [
            {"bindingId": 1, "clientAddress": {"device": "a", "entity": [1], "feature": 1}},
            {"bindingId": 2, "clientAddress": {"device": "a", "entity": [1], "feature": 2}},
        ]
    }
    filters = (
        '[[{"cmdControl":[{"partial":[]}]},{"nodeManagementBindingDataSelectors":[{"bindingEntry":'
        '[{"clientAddress":[{"device":"a"},{"entity":[1]},{"feature":2}]}]}]}]]'
    )
    chosen = reduced("nodeManagementBindingData", data, filters)["bindingEntry"]
    assert [entry["bindingId"] for entry in chosen] == [2]
