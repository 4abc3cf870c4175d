"""The energy manager's EEBUS JSON, SPINE values, and the merging of notifies into its copy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.energy_manager.eebus_json import (
    Document,
    MalformedJson,
    as_bool,
    as_int,
    as_list,
    as_maps,
    decode,
    encode,
    from_wire,
    to_wire,
)
from tools.energy_manager.peers import Peer, Peers, Target, UnknownTarget, parse_target
from tools.energy_manager.remote_device import RemoteDevice
from tools.energy_manager.spine_data import (
    format_duration,
    merge,
    parse_duration,
    scaled,
    to_scaled,
)

LIMITS = "loadControlLimitListData"
KEY_VALUES = "deviceConfigurationKeyValueListData"
MEASUREMENTS = "measurementListData"

# -- EEBUS JSON ---------------------------------------------------------------------------------


def test_a_complex_element_becomes_an_array_of_single_members_in_order():
    hello = {"phase": "ready", "waiting": 60000}
    assert encode("connectionHello", hello) == (
        b'{"connectionHello":[{"phase":"ready"},{"waiting":60000}]}'
    )


def test_repeated_and_empty_elements_take_their_wire_forms():
    body = {"entry": [{"a": 1}, {"b": [2, 3], "c": {}}]}
    assert encode("r", body) == b'{"r":[{"entry":[[{"a":1}],[{"b":[2,3]},{"c":[]}]]}]}'


def test_an_embedded_document_keeps_its_root_as_an_object():
    body = {"header": {"protocolId": "ee1.0"}, "payload": Document("datagram", {"header": {}})}
    assert encode("data", body) == (
        b'{"data":[{"header":[{"protocolId":"ee1.0"}]},{"payload":{"datagram":[{"header":[]}]}}]}'
    )


@pytest.mark.parametrize(
    "text",
    [
        b'{"connectionHello":[{"phase":"ready"},{"waiting":60000}]}',
        b'{"connectionHello":[{"phase":"ready"},{"waiting":60000}]}\x00\x00',
        b' { "connectionHello" : [ {"phase" : "ready"} , {"waiting":60000} ] }\r\n',
        b'{"connectionHello":{"phase":"ready","waiting":60000}}',
        b'[{"connectionHello":[{"phase":"ready"},{"waiting":60000}]}]',
        b'{"connectionHello":[{"waiting":60000},{"phase":"ready"}]}',
        b'{"connectionHello":[{"phase":"ready","waiting":60000}]}',
    ],
)
def test_deviating_spellings_of_a_hello_read_the_same(text):
    assert decode(text) == ("connectionHello", {"phase": "ready", "waiting": 60000})


@pytest.mark.parametrize(
    "text", [b"", b"{}", b"[]", b"1", b'"x"', b"{", b"\xff", b"[" * 5000, b"9" * 5000, b'{"a":1}}']
)
def test_what_is_no_document_is_one_kind_of_error(text):
    with pytest.raises(MalformedJson):
        decode(text)


def test_too_deep_nesting_is_refused():
    with pytest.raises(MalformedJson):
        decode(b'{"a":' + b"[" * 70 + b"]" * 70 + b"}")


def test_an_empty_list_instance_carries_no_entry():
    assert from_wire([{"entry": [[]]}]) == {"entry": []}
    assert as_list(from_wire([])) == []


def test_repeated_selectors_survive_decoding():
    wire = [{"cmdControl": [{"delete": []}]}, {"s": [{"id": 1}]}, {"s": [{"id": 2}]}]
    assert from_wire(wire) == [{"cmdControl": {"delete": {}}}, {"s": {"id": 1}}, {"s": {"id": 2}}]


def test_numbers_and_booleans_sent_as_text_are_understood():
    assert as_int("60000") == 60000
    assert as_int(True) is None
    assert as_int("many", 7) == 7
    assert as_bool("true") is True
    assert as_bool("maybe", False) is False
    assert as_maps([{"a": 1}, 3, "x"]) == [{"a": 1}]


_names = st.text(alphabet="abcdefgh", min_size=1, max_size=4)
_simple = st.one_of(st.integers(), st.booleans(), st.text(max_size=8))
_complex = st.recursive(
    st.dictionaries(_names, _simple, min_size=1, max_size=3),
    lambda inner: st.dictionaries(
        _names,
        st.one_of(
            inner,
            _simple,
            st.lists(inner, min_size=1, max_size=3),
            st.lists(st.integers(), min_size=1),
        ),
        min_size=1,
        max_size=3,
    ),
    max_leaves=12,
)


@given(_complex)
def test_whatever_is_sent_is_read_back_the_same(value):
    assert from_wire(to_wire(value)) == value


@given(st.binary(max_size=60))
def test_no_octets_raise_anything_but_malformed_json(octets):
    try:
        decode(octets)
    except MalformedJson:
        pass


# -- values -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wire", "value"),
    [
        ({"number": 4200, "scale": 0}, 4200),
        ({"number": 42, "scale": 2}, 4200),
        ({"number": 102, "scale": -1}, 10.2),
        ({"number": 2300, "scale": -1}, 230),
        ({"number": 7}, 7),
        ({"scale": 1}, None),
        ({}, None),
        ({"number": 1, "scale": 400}, None),
        ("17", None),
    ],
)
def test_scaled_numbers_are_read_as_plain_numbers(wire, value):
    assert scaled(wire) == value


@pytest.mark.parametrize("number", [0, 4200, 10.5, -1000, 0.1, 16.25])
def test_scaled_numbers_state_number_and_scale(number):
    wire = to_scaled(number)
    assert list(wire) == ["number", "scale"]
    assert scaled(wire) == number
    assert isinstance(wire["number"], int)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("PT900S", 900),
        ("PT15M", 900),
        ("PT1H30M", 5400),
        ("P1DT2H", 93600),
        ("PT4.5S", 4.5),
        ("P0D", 0),
        ("-PT5S", -5),
        ("P1Y", None),
        ("PT", None),
        ("P", None),
        ("2025-06-01T08:00:00Z", None),
        (None, None),
    ],
)
def test_durations_are_read_in_seconds(text, seconds):
    assert parse_duration(text) == seconds


def test_durations_are_written_in_the_two_forms_every_peer_reads():
    assert [format_duration(s) for s in (0, 60, 900, 7200, 90.4)] == [
        "PT0S",
        "PT60S",
        "PT900S",
        "PT2H",
        "PT90S",
    ]


# -- merging ------------------------------------------------------------------------------------


def limit(number, **rest):
    return {"limitId": number, **rest}


def cmd(function, entries, *filters):
    item = function.replace("ListData", "Data")
    data = {item: entries} if entries else {}
    return (
        {"function": function, "filter": list(filters), function: data}
        if filters
        else {function: data}
    )


PARTIAL = {"cmdControl": {"partial": {}}}
STORED = {
    "loadControlLimitData": [
        limit(
            0, isLimitActive=True, timePeriod={"endTime": "PT1H"}, value={"number": 7, "scale": 3}
        ),
        limit(1, isLimitActive=False, value={"number": 16, "scale": 0}),
    ]
}


def merged(command, stored=STORED):
    return merge(LIMITS, stored, command)["loadControlLimitData"]


def test_a_complete_notify_replaces_the_list():
    assert merged(cmd(LIMITS, [limit(5)])) == [limit(5)]


def test_a_partial_notify_changes_what_it_states_and_leaves_the_rest():
    result = merged(cmd(LIMITS, [limit(0, isLimitActive=False)], PARTIAL))
    assert result[0] == {**STORED["loadControlLimitData"][0], "isLimitActive": False}
    assert result[1] == STORED["loadControlLimitData"][1]
    assert STORED["loadControlLimitData"][0]["isLimitActive"] is True  # the copy, not the original


def test_a_partial_notify_adds_an_unknown_entry():
    assert merged(cmd(LIMITS, [limit(9, isLimitActive=True)], PARTIAL))[2] == limit(
        9, isLimitActive=True
    )


def test_an_item_without_identifier_changes_all_entries():
    result = merged(cmd(LIMITS, [{"isLimitActive": False}], PARTIAL))
    assert [entry["isLimitActive"] for entry in result] == [False, False]


def test_a_number_without_scale_keeps_the_stored_scale():
    result = merged(cmd(LIMITS, [limit(0, value={"number": 9})], PARTIAL))
    assert result[0]["value"] == {"number": 9, "scale": 3}


def test_a_selector_chooses_the_entries_to_change():
    chosen = {**PARTIAL, f"{LIMITS}Selectors": {"limitId": 1}}
    result = merged(cmd(LIMITS, [{"isLimitActive": True}], chosen))
    assert [entry["isLimitActive"] for entry in result] == [True, True]
    nothing = {**PARTIAL, f"{LIMITS}Selectors": {"limitId": 8}}
    assert (
        merged(cmd(LIMITS, [{"isLimitActive": True}], nothing)) == STORED["loadControlLimitData"]
    )


def test_several_selectors_delete_several_entries():
    # as decoded from the wire: a filter with two selectors is a list of pairs
    chosen = [
        {"cmdControl": {"delete": {}}},
        {f"{LIMITS}Selectors": {"limitId": 0}},
        {f"{LIMITS}Selectors": {"limitId": 1}},
    ]
    assert merged(cmd(LIMITS, [], chosen)) == []


def test_delete_takes_elements_from_the_selected_entry_only():
    chosen = {
        "cmdControl": {"delete": {}},
        f"{LIMITS}Selectors": {"limitId": 0},
        "loadControlLimitDataElements": {"timePeriod": {}, "limitId": {}},
    }
    result = merged(cmd(LIMITS, [], chosen))
    assert "timePeriod" not in result[0]
    assert result[0]["limitId"] == 0  # identifiers are never deleted
    assert result[1] == STORED["loadControlLimitData"][1]


def test_a_nested_delete_that_empties_a_structure_removes_it():
    chosen = {
        "cmdControl": {"delete": {}},
        "loadControlLimitDataElements": {"timePeriod": {"endTime": {}}},
    }
    assert "timePeriod" not in merged(cmd(LIMITS, [], chosen))[0]


def test_delete_and_partial_in_one_command_are_applied_in_that_order():
    delete = {"cmdControl": {"delete": {}}, f"{LIMITS}Selectors": {"limitId": 0}}
    result = merged(cmd(LIMITS, [limit(0, isLimitActive=False)], PARTIAL, delete))
    assert result == [STORED["loadControlLimitData"][1], limit(0, isLimitActive=False)]


def test_a_measurement_without_value_type_is_its_own_entry():
    stored = {
        "measurementData": [{"measurementId": 1, "valueType": "value", "value": {"number": 5}}]
    }
    update = cmd(MEASUREMENTS, [{"measurementId": 1, "value": {"number": 6}}], PARTIAL)
    assert len(merge(MEASUREMENTS, stored, update)["measurementData"]) == 2
    update = cmd(
        MEASUREMENTS, [{"measurementId": 1, "valueType": "value", "value": {"number": 6}}], PARTIAL
    )
    assert merge(MEASUREMENTS, stored, update)["measurementData"][0]["value"] == {"number": 6}


def test_another_kind_of_configuration_value_replaces_the_old_one():
    stored = {"deviceConfigurationKeyValueData": [{"keyId": 1, "value": {"string": "iec61851"}}]}
    update = cmd(KEY_VALUES, [{"keyId": 1, "value": {"boolean": False}}], PARTIAL)
    entry = merge(KEY_VALUES, stored, update)["deviceConfigurationKeyValueData"][0]
    assert entry["value"] == {"boolean": False}


def test_elements_of_a_function_that_is_no_list_can_be_changed_and_deleted():
    function = "deviceDiagnosisStateData"
    stored = {"operatingState": "failure", "lastErrorCode": "RCD"}
    update = {"function": function, "filter": [PARTIAL], function: {"operatingState": "standby"}}
    assert merge(function, stored, update) == {"operatingState": "standby", "lastErrorCode": "RCD"}
    delete = {"cmdControl": {"delete": {}}, f"{function}Elements": {"lastErrorCode": {}}}
    update = {"function": function, "filter": [delete], function: {}}
    assert merge(function, stored, update) == {"operatingState": "failure"}


def test_a_command_that_contradicts_itself_is_refused():
    with pytest.raises(ValueError):
        merge(LIMITS, STORED, {"function": KEY_VALUES, "filter": [PARTIAL], LIMITS: {}})


def test_unknown_elements_are_kept_and_do_no_harm():
    result = merged(cmd(LIMITS, [limit(0, futureElement={"x": 1})], PARTIAL))
    assert result[0]["futureElement"] == {"x": 1}


# -- the charger's structure --------------------------------------------------------------------


def described_entity(entity, kind=None, change=None):
    description = {"entityAddress": {"entity": entity}}
    if kind:
        description["entityType"] = kind
    if change:
        description["lastStateChange"] = change
    return {"description": description}


def described_feature(entity, number, kind, role="server", functions=()):
    return {
        "description": {
            "featureAddress": {"device": "d:_n:X", "entity": entity, "feature": number},
            "featureType": kind,
            "role": role,
            "supportedFunction": [
                {"function": name, "possibleOperations": operations}
                for name, operations in functions
            ],
        }
    }


def charger():
    remote = RemoteDevice()
    changes = remote.apply_discovery(
        {
            "deviceInformation": {"description": {"deviceAddress": {"device": "d:_n:X"}}},
            "entityInformation": [
                described_entity([0], "DeviceInformation"),
                described_entity([1], "EVSE"),
            ],
            "featureInformation": [
                described_feature([1], 0, "Generic", "client"),
                described_feature(
                    [1],
                    3,
                    "LoadControl",
                    functions=[(LIMITS, {"read": {}, "write": {"partial": {}}})],
                ),
            ],
        },
        is_partial=False,
    )
    assert changes == [("added", (0,), "DeviceInformation"), ("added", (1,), "EVSE")]
    return remote


def test_discovery_lists_features_with_their_operations():
    remote = charger()
    feature = remote.server((1,), "LoadControl")
    assert (feature.number, remote.address) == (3, "d:_n:X")
    assert feature.can("read", LIMITS)
    assert feature.can("partial write", LIMITS)
    assert not feature.can("partial read", LIMITS)
    assert remote.server((1,), "Generic") is None  # a client feature serves nothing


def test_a_vehicle_comes_and_goes_with_its_data():
    remote = charger()
    added = {
        "entityInformation": [described_entity([1, 1], "EV", "added")],
        "featureInformation": [described_feature([1, 1], 5, "Measurement")],
    }
    assert remote.apply_discovery(added, is_partial=True) == [("added", (1, 1), "EV")]
    assert remote.server((1, 1), "Measurement").number == 5
    assert remote.server((1,), "LoadControl").number == 3
    remote.apply((1, 1), 5, MEASUREMENTS, cmd(MEASUREMENTS, [{"measurementId": 1}]))
    removed = {"entityInformation": [described_entity([1, 1], None, "removed")]}
    assert remote.apply_discovery(removed, is_partial=True) == [("removed", (1, 1), "EV")]
    assert remote.server((1, 1), "Measurement") is None
    assert remote.data == {}


def test_removing_an_entity_removes_its_children():
    remote = charger()
    remote.apply_discovery({"entityInformation": [described_entity([1, 1], "EV")]}, True)
    remote.apply_discovery({"entityInformation": [described_entity([1], None, "removed")]}, True)
    assert list(remote.entities) == [(0,)]


def test_a_bare_modification_of_the_device_entity_changes_nothing():
    remote = charger()
    before = dict(remote.entities), dict(remote.features)
    changes = remote.apply_discovery(
        {"entityInformation": [described_entity([0], None, "modified")]}, is_partial=True
    )
    assert changes == []
    assert (remote.entities, remote.features) == before


def test_a_complete_notify_without_an_entity_removes_it():
    remote = charger()
    only_root = {"entityInformation": [described_entity([0], "DeviceInformation")]}
    assert remote.apply_discovery(only_root, is_partial=False) == [("removed", (1,), "EVSE")]


def use_case(actor, name, **address):
    entry = {"actor": actor, "useCaseSupport": [{"useCaseName": name, "scenarioSupport": [1]}]}
    return {"address": address, **entry} if address else entry


@pytest.mark.parametrize(
    "address", [{"device": "d:_n:X", "entity": [1]}, {"device": "d:_n:X"}, {}, {"entity": [7]}]
)
def test_the_entity_of_a_use_case_is_found_however_it_is_announced(address):
    remote = charger()
    announced = use_case("ControllableSystem", "limitationOfPowerConsumption", **address)
    remote.apply_use_cases({"useCaseInformation": [announced]}, is_partial=False)
    found = remote.players(
        "limitationOfPowerConsumption", "ControllableSystem", ("EVSE",), "LoadControl", False
    )
    assert found == [(1,)]


def test_a_use_case_that_is_not_announced_is_not_guessed_unless_allowed():
    remote = charger()
    other = use_case("EVSE", "evseCommissioningAndConfiguration", entity=[1])
    remote.apply_use_cases({"useCaseInformation": [other]}, is_partial=False)
    wanted = ("limitationOfPowerConsumption", "ControllableSystem", ("EVSE",), "LoadControl")
    assert remote.players(*wanted, False) == []
    assert remote.players(*wanted, True) == [(1,)]


def test_a_partial_use_case_notify_replaces_the_entry_of_the_same_actor():
    remote = charger()
    first = [use_case("EVSE", "a", entity=[1]), use_case("EV", "b", entity=[1, 1])]
    remote.apply_use_cases({"useCaseInformation": first}, is_partial=False)
    remote.apply_use_cases({"useCaseInformation": [use_case("EVSE", "c", entity=[1])]}, True)
    assert sorted(u.name for u in remote.use_cases) == ["b", "c"]


# -- how a user names a charger -----------------------------------------------------------------

SKI = "b467a3999eb5efa671de0032f08a9c9e5efda0e1"


@pytest.mark.parametrize(
    "text", [SKI, SKI.upper(), "b467 a399 9eb5 efa6 71de 0032 f08a 9c9e 5efd a0e1"]
)
def test_an_ski_is_read_in_every_usual_spelling(text):
    assert parse_target(text) == Target(ski=SKI)


def test_the_text_of_a_qr_code_names_a_charger():
    text = (
        "SHIP;SKI:B467 A399 9EB5 EFA6 71DE 0032 F08A 9C9E 5EFD A0E1;ID:i:12345_u:EVSE-0001;"
        "BRAND:Acme;MODEL:EVSE22;FUTURE:x:y;ENDSHIP;IGNORED:1;"
    )
    assert parse_target(text) == Target(SKI, ship_id="i:12345_u:EVSE-0001", name="Acme EVSE22")


def test_an_address_names_a_charger():
    assert parse_target("127.0.0.1:4712") == Target(host="127.0.0.1", port=4712)
    assert parse_target("[fe80::1]:4712") == Target(host="fe80::1", port=4712)


@pytest.mark.parametrize(
    "text", ["", "evse", "host:", ":4712", "host:99999", "SHIP;ID:x;", SKI[:-1]]
)
def test_anything_else_names_nothing(text):
    with pytest.raises(UnknownTarget):
        parse_target(text)


def test_paired_chargers_are_kept_and_found_by_the_beginning_of_their_ski(tmp_path):
    Peers(tmp_path).store(Peer(SKI, "i:1", "192.0.2.7", 4712, "/ship/", "Acme"))
    peers = Peers(tmp_path)
    assert peers.named("B467").host == peers.named("Acme").host == "192.0.2.7"
    with pytest.raises(UnknownTarget):
        peers.named("5b")
    peers.store(Peer("5b" * 20, host="192.0.2.7", port=4712))  # the same place, another key
    assert [peer.ski for peer in peers] == ["5b" * 20]
