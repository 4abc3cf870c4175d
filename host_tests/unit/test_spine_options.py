"""Restricted commands of our own: as Tables 6-9 of IEC 63380-3 5.3.3 say, and read back alike."""

import json

from spine_world import CLIENT, LOAD_CONTROL, SERVER, World, flat

from spine import model, restricted
from spine.changes import COPY, changes
from spine.options import options
from spine.restricted import Filter

LIMITS = "loadControlLimitListData"
USER = "deviceClassificationManufacturerData"
MEASUREMENTS = "measurementListData"
INCENTIVES = "incentiveTableData"
PERIOD = {"timePeriod": {}}
LIMIT_1 = {"limitId": 1}

# Row of Table 6 or 8, function, delete, partial, the text of the cmdOptions.
ROWS = (
    ("W2", LIMITS, None, Filter(), '[[{"cmdControl":[{"partial":[]}]}]]'),
    (
        "W3",
        LIMITS,
        None,
        Filter([LIMIT_1]),
        '[[{"cmdControl":[{"partial":[]}]},{"loadControlLimitListDataSelectors":[{"limitId":1}]}]]',
    ),
    (
        "W4",
        MEASUREMENTS,
        Filter([{"measurementId": 1}, {"measurementId": 2}]),
        None,
        (
            '[[{"cmdControl":[{"delete":[]}]},{"measurementListDataSelectors":[{"measurementId":1}]},'
            '{"measurementListDataSelectors":[{"measurementId":2}]}]]'
        ),
    ),
    (
        "W5",
        LIMITS,
        Filter((), {"timePeriod": {"endTime": {}}}),
        None,
        (
            '[[{"cmdControl":[{"delete":[]}]},'
            '{"loadControlLimitDataElements":[{"timePeriod":[{"endTime":[]}]}]}]]'
        ),
    ),
    (
        "W5",
        USER,
        Filter((), {"brandName": {}}),
        None,
        (
            '[[{"cmdControl":[{"delete":[]}]},'
            '{"deviceClassificationManufacturerDataElements":[{"brandName":[]}]}]]'
        ),
    ),
    (
        "W6",
        LIMITS,
        Filter([LIMIT_1], PERIOD),
        None,
        (
            '[[{"cmdControl":[{"delete":[]}]},{"loadControlLimitListDataSelectors":[{"limitId":1}]},'
            '{"loadControlLimitDataElements":[{"timePeriod":[]}]}]]'
        ),
    ),
    (
        "W7",
        LIMITS,
        Filter([LIMIT_1], PERIOD),
        Filter(),
        (
            '[[{"cmdControl":[{"delete":[]}]},{"loadControlLimitListDataSelectors":[{"limitId":1}]},'
            '{"loadControlLimitDataElements":[{"timePeriod":[]}]}],[{"cmdControl":[{"partial":[]}]}]]'
        ),
    ),
    (
        "R2",
        MEASUREMENTS,
        None,
        Filter((), {"value": {}, "timestamp": {}}),
        (
            '[[{"cmdControl":[{"partial":[]}]},'
            '{"measurementDataElements":[{"timestamp":[]},{"value":[]}]}]]'
        ),
    ),
    (
        "R4",
        MEASUREMENTS,
        None,
        Filter([{"measurementId": 3}], {"value": {}}),
        (
            '[[{"cmdControl":[{"partial":[]}]},{"measurementListDataSelectors":[{"measurementId":3}]},'
            '{"measurementDataElements":[{"value":[]}]}]]'
        ),
    ),
)


def test_every_row_has_its_text():
    for row, function, delete, partial, filters in ROWS:
        text = options(function, delete, partial).decode()
        assert text == '{"function":"%s"},{"filter":%s},' % (function, filters), row


def test_every_row_is_read_back_alike():
    for row, function, delete, partial, filters in ROWS:
        decoder = model.Decoder()
        found = restricted.parse_filters(
            model.find_function(function), json.loads(filters), decoder
        )
        for sent, read in zip((delete, partial), found):
            assert (sent is None) == (read is None), row
            assert sent is None or sent.selectors == read.selectors, row
            assert sent is None or sent.elements == read.elements, row
        assert decoder.unknown == decoder.unusable == 0


def test_elements_of_a_whole_function_name_its_list_first():
    row = model.find_function(INCENTIVES)
    text = options(INCENTIVES, Filter((), {"tariff": {}})).decode()
    assert '{"incentiveTableDataElements":[{"incentiveTable":[{"tariff":[]}]}]}' in text
    filters = flat(json.loads("[%s{}]" % text))["filter"]
    delete, _ = restricted.parse_filters(row, filters, model.Decoder())
    assert delete.elements == {"tariff": {}}


def asked(world):
    """The only datagram the station has sent."""
    sent = world.manager.take()
    assert len(sent) == 1
    return sent[0]


def commissioned():
    world = World()
    world.manager.commission()
    world.manager.take()
    return world


def test_a_restricted_read_reaches_the_partner_and_is_repeated_as_it_was():
    world = commissioned()
    restriction = options(MEASUREMENTS, None, Filter([{"measurementId": 3}]))
    world.manager.peer.read(world.now, ((1,), 1), SERVER, MEASUREMENTS, None, restriction)
    first = asked(world)
    assert (first.classifier, first.function, first.data) == ("read", MEASUREMENTS, [])
    assert first.command["function"] == MEASUREMENTS
    world.pass_time(40)
    again = [a for a in world.manager.take() if a.function == MEASUREMENTS]
    assert [a.command for a in again] == [first.command]
    assert again[0].counter > first.counter


def test_a_write_asks_for_an_acknowledgement_and_hands_it_on():
    world = commissioned()
    answers = []
    data = {"loadControlLimitData": [{"limitId": 1, "isLimitActive": False}]}
    world.manager.peer.write(
        world.now,
        ((1,), 1),
        SERVER,
        LIMITS,
        data,
        lambda datagram, number, now: answers.append(number),
        options(LIMITS, None, Filter()),
    )
    sent = asked(world)
    assert sent.classifier == "write" and '{"ackRequest":true}' in sent.text
    assert sent.text.endswith(
        '{"function":"loadControlLimitListData"},{"filter":[[{"cmdControl":[{"partial":[]}]}]]},'
        '{"loadControlLimitListData":[{"loadControlLimitData":'
        '[[{"limitId":1},{"isLimitActive":false}]]}]}]]}]}]}'
    )
    refused = '{"resultData":[{"errorNumber":7}]}'
    world.manager.send("result", SERVER, ((1,), 1), refused, False, sent.counter)
    assert answers == [7]
    world.pass_time(60)  # a refusal is an answer: nothing is repeated
    assert [a for a in world.manager.take() if a.function == LIMITS] == []


def test_a_restricted_notify_changes_the_subscribers_copy():
    world = commissioned()
    feature = world.device.find_feature(*LOAD_CONTROL)
    relation = world.device.subscriptions.of_feature(feature)[0]
    out = world.manager.peer.begin_notify(relation)
    out.extend(options(LIMITS, Filter([{"limitId": 2}]), Filter()))
    row = model.find_function(LIMITS)
    model.encode_function(
        out, row, {"loadControlLimitData": [{"limitId": 1, "isLimitActive": True}]}
    )
    world.manager.peer.finish(out)
    sent = asked(world)
    assert (sent.classifier, sent.destination) == ("notify", CLIENT)
    decoder = model.Decoder()
    delete, partial = restricted.parse_filters(row, sent.command["filter"], decoder)
    copy = {"loadControlLimitData": [{"limitId": 1}, {"limitId": 2}]}
    stated = decoder.decode(model.function_type(row), sent.data)
    found = changes(row, copy, stated, delete, partial, COPY)
    assert [(c.index, c.new) for c in found] == [
        (0, {"limitId": 1, "isLimitActive": True}),
        (1, None),
    ]
