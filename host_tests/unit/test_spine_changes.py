"""Every row of Tables 6-9 (IEC 63380-3 5.3.3), towards a server's data and towards our copy.

W1...W7 are write combinations (Table 6), the same rows as N are notifies (Table 7), R1...R4 reads
(Table 8), Y1 and Y2 replies (Table 9).
"""

import json

from spine import model, restricted
from spine.changes import COPY, OPEN, OWNED, apply, changes
from spine.errors import SpineError

MEASUREMENTS = "measurementListData"  # two identifiers, one of them optional
LIMIT = "loadControlLimitListData"
STATE = "deviceDiagnosisStateData"
INCENTIVES = "incentiveTableData"
BILL = "billListData"

PARTIAL = '[{"cmdControl":[{"partial":[]}]}%s]'
DELETE = '[{"cmdControl":[{"delete":[]}]}%s]'
SELECT = ',{"loadControlLimitListDataSelectors":[{"limitId":%d}]}'
PERIOD = ',{"loadControlLimitDataElements":[{"timePeriod":[]}]}'
END = ',{"loadControlLimitDataElements":[{"timePeriod":[{"endTime":[]}]}]}'
NOTHING = "[]"


def limit(number, watts=100, **more):
    entry = {"limitId": number, "isLimitChangeable": True, "value": {"number": watts, "scale": 0}}
    entry["timePeriod"] = {"endTime": "PT60S"}
    entry.update(more)
    return entry


def limits(*rows):
    return {"loadControlLimitData": list(rows)}


def stated(*rows):
    """Wire text of a limit list."""
    texts = ["[%s]" % ",".join(["{%s}" % member for member in row]) for row in rows]
    return '[{"loadControlLimitData":[%s]}]' % ",".join(texts)


def command(function, filters, text):
    """(function, natural data, delete filter, partial filter) of a command."""
    decoder = model.Decoder()
    row = model.find_function(function)
    trees = json.loads("[%s]" % ",".join(filters))
    delete, partial = restricted.parse_filters(row, trees, decoder)
    data = decoder.decode(model.function_type(row), json.loads(text))
    assert decoder.unknown == 0
    return row, data, delete, partial


def write(rules, data, filters, text, function=LIMIT):
    """The data after a remote write under `rules`, or the error number that refuses it."""
    before = json.dumps(data)
    row, new, delete, partial = command(function, filters, text)
    try:
        found = changes(row, data, new, delete, partial, rules)
    except SpineError as error:
        found = None
        number = error.number
    assert json.dumps(data) == before
    if found is None:
        return number
    if model.list_field(row) < 0:
        return found[0].new
    name = model.field_name(model.list_field(row))
    entries = list(data.get(name, ()))
    for change in found:
        entries[change.index : change.index + 1] = [change.new]
    return {name: [entry for entry in entries if entry is not None]}


def notify(copy, filters, text, function=LIMIT):
    """Our copy after a notify."""
    before = json.dumps(copy)
    row, new, delete, partial = command(function, filters, text)
    result = apply(row, copy, new, delete, partial)
    assert json.dumps(copy) == before
    return result


ONE = ('"limitId":1', '"value":[{"number":7},{"scale":2}]')
ONE_MERGED = limit(1, value={"number": 7, "scale": 2})
ONE_ALONE = {"limitId": 1, "value": {"number": 7, "scale": 2}}
THREE = ('"limitId":3', '"isLimitActive":true')
WATTS = ('"value":[{"number":7},{"scale":2}]',)
TWO = limits(limit(1), limit(2))


def bare(number, **more):
    """A limit without its time period."""
    entry = limit(number, **more)
    del entry["timePeriod"]
    return entry


# --- Table 6: writes --------------------------------------------------------------------------


def test_w1_a_complete_write_keeps_the_servers_entries():
    assert write(OWNED, TWO, [], stated(ONE)) == limits(ONE_MERGED, limit(2))
    assert write(OWNED, TWO, [], NOTHING) == TWO
    assert write(OWNED, TWO, [], stated(THREE)) == 7


def test_w1_a_complete_write_replaces_open_entries():
    kept = {"limitId": 1, "isLimitChangeable": True, "value": {"number": 7, "scale": 2}}
    added = {"limitId": 3, "isLimitActive": True}
    assert write(OPEN, TWO, [], stated(ONE, THREE)) == limits(kept, added)
    assert write(OPEN, TWO, [], NOTHING) == limits()


def test_w1_nothing_locked_may_be_replaced_or_removed():
    data = limits(limit(1), limit(2, isLimitChangeable=False))
    assert write(OPEN, data, [], stated(ONE)) == 7
    assert write(OWNED, data, [], stated(ONE)) == limits(
        ONE_MERGED, data["loadControlLimitData"][1]
    )


def test_w2_partial_merges_and_adds():
    filters = [PARTIAL % ""]
    assert write(OWNED, TWO, filters, stated(ONE)) == limits(ONE_MERGED, limit(2))
    assert write(OWNED, TWO, filters, stated(THREE)) == 7
    added = {"limitId": 3, "isLimitActive": True}
    assert write(OPEN, TWO, filters, stated(ONE, THREE)) == limits(ONE_MERGED, limit(2), added)


def test_w2b_without_identifier_all_entries_change():
    value = {"number": 7, "scale": 2}
    expected = limits(limit(1, value=value), limit(2, value=value))
    for rules in (OWNED, OPEN):
        assert write(rules, TWO, [PARTIAL % ""], stated(WATTS)) == expected


def test_w3_partial_with_selectors_changes_matching_entries_and_cannot_add():
    for rules in (OWNED, OPEN):
        filters = [PARTIAL % (SELECT % 1)]
        assert write(rules, TWO, filters, stated(WATTS)) == limits(ONE_MERGED, limit(2))
        assert write(rules, TWO, [PARTIAL % (SELECT % 9)], stated(WATTS)) == 7


def test_w4_delete_with_selectors_removes_open_entries_only():
    filters = [DELETE % (SELECT % 1)]
    assert write(OPEN, TWO, filters, NOTHING) == limits(limit(2))
    assert write(OPEN, TWO, [DELETE % (SELECT % 1 + SELECT % 2)], NOTHING) == limits()
    assert write(OPEN, TWO, [DELETE % (SELECT % 9)], NOTHING) == TWO  # nothing to do is success
    assert write(OWNED, TWO, filters, NOTHING) == 7


def test_w4_of_a_locked_entry_is_refused():
    assert (
        write(OPEN, limits(limit(1, isLimitChangeable=False)), [DELETE % (SELECT % 1)], "[]") == 7
    )


def test_w5_delete_with_elements_strips_all_entries():
    for rules in (OWNED, OPEN):
        assert write(rules, TWO, [DELETE % PERIOD], NOTHING) == limits(bare(1), bare(2))


def test_w6_delete_with_both_strips_matching_entries():
    for elements in (PERIOD, END):  # a structure that has lost all its members is absent
        filters = [DELETE % (SELECT % 1 + elements)]
        for rules in (OWNED, OPEN):
            assert write(rules, TWO, filters, NOTHING) == limits(bare(1), limit(2))


def test_w7_delete_comes_first_then_partial():
    expected = limits(bare(1, value={"number": 7, "scale": 2}), limit(2))
    for rules in (OWNED, OPEN):
        for filters in (
            [DELETE % (SELECT % 1 + PERIOD), PARTIAL % ""],
            [PARTIAL % "", DELETE % (SELECT % 1 + PERIOD)],
        ):
            assert write(rules, TWO, filters, stated(ONE)) == expected
    # W4 and W2 in one message: the entry is new, nothing of the old one is left
    filters = [DELETE % (SELECT % 1), PARTIAL % ""]
    assert write(OPEN, TWO, filters, stated(ONE, THREE)) == limits(
        limit(2), ONE_ALONE, {"limitId": 3, "isLimitActive": True}
    )


def test_the_data_of_a_mere_delete_has_no_meaning():
    assert write(OWNED, TWO, [DELETE % (SELECT % 1 + PERIOD)], stated(THREE, ONE)) == limits(
        bare(1), limit(2)
    )


def test_identifiers_and_write_checks_survive_every_remote_delete():
    marks = ',{"loadControlLimitDataElements":[{"limitId":[]},{"isLimitChangeable":[]}]}'
    assert write(OPEN, TWO, [DELETE % marks], NOTHING) == TWO


def test_delete_of_everything_and_odd_combinations_are_error_8():
    for rules in (OWNED, OPEN):
        assert write(rules, TWO, [DELETE % ""], NOTHING) == 8
    try:
        command(LIMIT, [DELETE % PERIOD, DELETE % PERIOD], NOTHING)
    except SpineError as error:
        assert error.number == 8
    else:
        assert False


def test_structures_know_w1_w2_w5_and_w7():
    data = {"operatingState": "failure", "lastErrorCode": "E1"}
    elements = DELETE % ',{"deviceDiagnosisStateDataElements":[{"lastErrorCode":[]}]}'
    new = '[{"operatingState":"standby"}]'
    for rules in (OWNED, OPEN, COPY):
        assert write(rules, data, [], new, STATE) == {"operatingState": "standby"}
        assert write(rules, data, [PARTIAL % ""], new, STATE) == {
            "operatingState": "standby",
            "lastErrorCode": "E1",
        }
        assert write(rules, data, [elements], "[]", STATE) == {"operatingState": "failure"}
        assert write(rules, data, [elements, PARTIAL % ""], new, STATE) == {
            "operatingState": "standby"
        }


def test_lists_without_identifiers_are_exchanged_as_a_whole():
    data = {"incentiveTable": [{"tariff": {"tariffId": 1}}, {"tariff": {"tariffId": 2}}]}
    new = '[{"incentiveTable":[[{"tariff":[{"tariffId":3}]}]]}]'
    expected = {"incentiveTable": [{"tariff": {"tariffId": 3}}]}
    for filters in ([], [PARTIAL % ""]):
        assert write(OPEN, data, filters, new, INCENTIVES) == expected
        assert notify(data, filters, new, INCENTIVES) == expected
        assert write(OWNED, data, filters, new, INCENTIVES) == 7


# --- keys and sub-keys ------------------------------------------------------------------------


def test_an_optional_sub_identifier_that_is_absent_equals_an_absent_one():
    plain = {"measurementId": 1, "value": {"number": 1, "scale": 0}}
    mean = {"measurementId": 1, "valueType": "averageValue", "value": {"number": 2, "scale": 0}}
    data = {"measurementData": [plain, mean]}
    new = '[{"measurementData":[[{"measurementId":1}%s,{"value":[{"number":9},{"scale":0}]}]]}]'
    result = notify(data, [PARTIAL % ""], new % "", MEASUREMENTS)["measurementData"]
    assert [e["value"]["number"] for e in result] == [9, 2]
    result = notify(data, [PARTIAL % ""], new % ',{"valueType":"averageValue"}', MEASUREMENTS)
    assert [e["value"]["number"] for e in result["measurementData"]] == [1, 9]
    result = notify(data, [PARTIAL % ""], new % ',{"valueType":"minValue"}', MEASUREMENTS)
    assert len(result["measurementData"]) == 3


def test_entries_inside_an_entry_merge_by_their_own_identifiers():
    data = {
        "billData": [
            {
                "billId": 1,
                "position": [
                    {"positionId": 1, "label": "grid"},
                    {"positionId": 2, "label": "sun"},
                ],
            }
        ]
    }
    new = (
        '[{"billData":[[{"billId":1},{"position":[[{"positionId":2},{"label":"roof"}],'
        '[{"positionId":3}]]}]]}]'
    )
    positions = notify(data, [PARTIAL % ""], new, BILL)["billData"][0]["position"]
    assert positions == [
        {"positionId": 1, "label": "grid"},
        {"positionId": 2, "label": "roof"},
        {"positionId": 3},
    ]


def test_an_entry_is_added_only_with_all_its_identifiers():
    electrical = "electricalConnectionPermittedValueSetListData"
    name = "electricalConnectionPermittedValueSetData"
    new = '[{"%s":[[{"electricalConnectionId":1}%s]]}]'
    assert write(OPEN, {}, [PARTIAL % ""], new % (name, ""), electrical) == 7
    assert notify({}, [PARTIAL % ""], new % (name, ""), electrical) == {name: []}
    whole = new % (name, ',{"parameterId":2}')
    entry = {"electricalConnectionId": 1, "parameterId": 2}
    assert write(OPEN, {}, [PARTIAL % ""], whole, electrical) == {name: [entry]}


# --- Table 7: notifies; Table 9: replies --------------------------------------------------------


def test_n1_and_y1_complete_data_replaces_the_copy():
    assert notify(TWO, [], stated(ONE)) == limits(ONE_ALONE)
    assert notify(TWO, [], NOTHING) == {}


def test_n2_and_y2_partial_data_is_merged_and_added_whatever_is_locked():
    data = limits(limit(1, isLimitChangeable=False), limit(2))
    merged = limit(1, value={"number": 7, "scale": 2}, isLimitChangeable=False)
    added = {"limitId": 3, "isLimitActive": True}
    assert notify(data, [PARTIAL % ""], stated(ONE, THREE)) == limits(merged, limit(2), added)
    assert notify({}, [PARTIAL % ""], stated(ONE)) == limits(ONE_ALONE)


def test_a_server_may_notify_a_changed_write_check():
    new = stated(('"limitId":1', '"isLimitChangeable":false'))
    assert notify(TWO, [PARTIAL % ""], new) == limits(limit(1, isLimitChangeable=False), limit(2))


def test_n2b_and_n3_address_all_or_the_selected_entries():
    value = {"number": 7, "scale": 2}
    everywhere = limits(limit(1, value=value), limit(2, value=value))
    assert notify(TWO, [PARTIAL % ""], stated(WATTS)) == everywhere
    assert notify(TWO, [PARTIAL % (SELECT % 1)], stated(WATTS)) == limits(ONE_MERGED, limit(2))
    assert notify(TWO, [PARTIAL % (SELECT % 9)], stated(WATTS)) == TWO


def test_n4_to_n7_delete_entries_and_elements():
    assert notify(TWO, [DELETE % (SELECT % 1)], NOTHING) == limits(limit(2))
    assert notify(TWO, [DELETE % PERIOD], NOTHING) == limits(bare(1), bare(2))
    assert notify(TWO, [DELETE % (SELECT % 2 + PERIOD)], NOTHING) == limits(limit(1), bare(2))
    filters = [DELETE % (SELECT % 2), PARTIAL % ""]
    assert notify(TWO, filters, stated(ONE)) == limits(ONE_MERGED)


# --- Table 8: reads -----------------------------------------------------------------------------


def test_r2_r3_and_r4_restrict_a_read():
    row = model.find_function(LIMIT)
    elements = ',{"loadControlLimitDataElements":[{"value":[]}]}'
    narrow = [{"limitId": n, "value": {"number": 100, "scale": 0}} for n in (1, 2)]
    for filters, expected in (
        ("", TWO),
        (elements, limits(*narrow)),
        (SELECT % 2, limits(limit(2))),
        (SELECT % 2 + elements, limits(narrow[1])),
        (SELECT % 9, limits()),
    ):
        _, _, _, partial = command(LIMIT, [PARTIAL % filters], NOTHING)
        assert restricted.reduce(row, TWO, partial) == expected


def test_intervals_compare_instants_not_text():
    data = {
        "measurementData": [
            {"measurementId": 1, "timestamp": "2025-03-01T12:00:00+01:00"},  # 11:00 UTC
            {"measurementId": 2, "timestamp": "2025-03-01T11:30:00.5Z"},
            {"measurementId": 3, "timestamp": "2025-03-01T24:00:00"},
            {"measurementId": 4, "timestamp": "PT5M"},
            {"measurementId": 5},
        ]
    }
    interval = ',{"measurementListDataSelectors":[{"timestampInterval":[%s{"endTime":"%s"}]}]}'
    row = model.find_function(MEASUREMENTS)
    for start, end, expected in (
        ('{"startTime":"2025-03-01T11:00:00Z"},', "2025-03-01T11:30:00.500Z", [1, 2]),
        ("", "2025-03-01T11:30:00Z", [1]),
        ('{"startTime":"2025-03-02T00:00:00Z"},', "2025-03-03T00:00:00Z", [3]),
        ("", "PT1H", []),
    ):
        _, _, _, partial = command(MEASUREMENTS, [PARTIAL % (interval % (start, end))], NOTHING)
        chosen = restricted.reduce(row, data, partial)["measurementData"]
        assert [e["measurementId"] for e in chosen] == expected
