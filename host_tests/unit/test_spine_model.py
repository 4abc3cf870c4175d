"""The packed data model and the codec that it drives."""

import json

from spine import model

LIMITS = (
    '[{"loadControlLimitData":[[{"limitId":1},{"isLimitChangeable":true},{"isLimitActive":true},'
    '{"timePeriod":[{"endTime":"PT900S"}]},{"value":[{"number":4200},{"scale":0}]}]]}]'
)
LIMITS_NATURAL = {
    "loadControlLimitData": [
        {
            "limitId": 1,
            "isLimitChangeable": True,
            "isLimitActive": True,
            "timePeriod": {"endTime": "PT900S"},
            "value": {"number": 4200, "scale": 0},
        }
    ]
}


def decode(function, text):
    decoder = model.Decoder()
    row = model.find_function(function)
    return decoder.decode(model.function_type(row), json.loads(text)), decoder


def limits(text):
    return decode("loadControlLimitListData", text)


def test_functions_are_found_by_name_and_no_others():
    names = list(model.functions())
    assert "loadControlLimitListData" in names
    assert names == sorted(names)
    for name in names:
        assert model.function_name(model.find_function(name)) == name
    assert model.find_function("loadControlLimit") == -1
    assert model.find_function("") == -1


def test_fields_are_found_by_their_whole_name_only():
    row = model.find_function("loadControlLimitListData")
    entry = model.field_type(model.list_field(row))
    names = [model.field_name(field) for field in model.fields(entry)]
    assert names == ["limitId", "isLimitChangeable", "isLimitActive", "timePeriod", "value"]
    for name in names:
        assert model.field_name(model.find_field(entry, name.encode())) == name
    assert model.find_field(entry, b"limit") == -1
    assert model.find_field(entry, b"limitIdx") == -1


def test_identifiers_and_write_checks_are_marked():
    row = model.find_function("measurementListData")
    entry = model.field_type(model.list_field(row))
    keys = [model.field_name(f) for f in model.fields(entry) if model.is_key(f)]
    assert keys == ["measurementId", "valueType"]
    assert model.is_optional_key(model.find_field(entry, b"valueType"))
    row = model.find_function("loadControlLimitListData")
    entry = model.field_type(model.list_field(row))
    checks = [model.field_name(f) for f in model.fields(entry) if model.is_write_check(f)]
    assert checks == ["isLimitChangeable"]


def test_canonical_text_decodes_and_encodes_back_to_the_same_text():
    natural, decoder = limits(LIMITS)
    assert natural == LIMITS_NATURAL
    assert decoder.unknown == decoder.unusable == 0
    out = bytearray()
    model.encode_function(out, model.find_function("loadControlLimitListData"), natural)
    assert bytes(out).decode() == '{"loadControlLimitListData":%s}' % LIMITS


def test_other_spellings_mean_the_same():
    plain = (
        '{"loadControlLimitData":[{"limitId":1,"isLimitChangeable":true,"isLimitActive":true,'
        '"timePeriod":{"endTime":"PT900S"},"value":{"number":4200,"scale":0}}]}'
    )
    disordered = (
        '[{"loadControlLimitData":[{"value":[{"scale":0},{"number":4200}]},{"limitId":1},'
        '{"isLimitChangeable":"true"},{"isLimitActive":1},{"timePeriod":[{"endTime":"PT900S"}]}]}]'
    )
    spellings = (
        plain,
        disordered,
        "[%s]" % LIMITS,
        LIMITS.replace('"number":4200', '"number":"4200"'),
        LIMITS.replace('"number":4200', '"number":4200.0'),
        LIMITS.replace('{"limitId":1}', '{"limitId":1},{"unknown":[{"deep":[1,2]}]}'),
        LIMITS.replace("]]}]", "],[]]}]"),
    )
    for text in spellings:
        natural, _ = limits(text)
        assert natural == LIMITS_NATURAL, text


def test_empty_lists_and_structures():
    for text in ("[]", "{}", "null", '[{"loadControlLimitData":[]}]'):
        assert limits(text)[0] in ({}, {"loadControlLimitData": []})
    assert limits('[{"loadControlLimitData":[[]]}]')[0] == {"loadControlLimitData": []}
    out = bytearray()
    model.encode_function(out, model.find_function("loadControlLimitListData"), {})
    assert bytes(out) == b'{"loadControlLimitListData":[]}'


def test_a_list_without_inner_arrays_is_an_entry_for_each_repeated_name():
    natural, _ = limits('[{"loadControlLimitData":[{"limitId":1},{"limitId":2}]}]')
    assert natural == {"loadControlLimitData": [{"limitId": 1}, {"limitId": 2}]}


def test_unknown_elements_are_skipped_and_counted():
    natural, decoder = limits(
        '[{"loadControlLimitData":[[{"limitId":1},{"x":1},{"y":[]}]]},{"z":0}]'
    )
    assert natural == {"loadControlLimitData": [{"limitId": 1}]}
    assert decoder.unknown == 3


def test_values_of_a_wrong_type_are_dropped_and_counted():
    bad = ('"a"', "-1", "1.5", "true", "[]", "{}", '"12a"', '"99999999999999999999999"')
    for text in bad:
        natural, decoder = limits('[{"loadControlLimitData":[[{"limitId":%s}]]}]' % text)
        assert natural.get("loadControlLimitData") in ([{}], []), text
        assert decoder.unusable == 1, text
    _, decoder = limits('[{"loadControlLimitData":[[{"isLimitActive":"perhaps"}]]}]')
    assert decoder.unusable == 1


def test_numbers_keep_64_bits():
    text = '[{"loadControlLimitData":[[{"value":[{"number":-9223372036854775808}]}]]}]'
    natural, _ = limits(text)
    assert natural["loadControlLimitData"][0]["value"]["number"] == -9223372036854775808


def test_unknown_enumeration_values_are_kept():
    natural, _ = decode("deviceDiagnosisStateData", '[{"operatingState":"_i:123_resting"}]')
    assert natural == {"operatingState": "_i:123_resting"}


def test_long_text_is_cut():
    natural, _ = decode("deviceDiagnosisStateData", '[{"lastErrorCode":"%s"}]' % ("x" * 5000))
    assert len(natural["lastErrorCode"]) == model.MAX_STRING


def test_text_is_escaped_on_the_way_out():
    out = bytearray()
    row = model.find_function("deviceDiagnosisStateData")
    model.encode_function(out, row, {"lastErrorCode": 'a"\\\n'})
    data = json.loads(bytes(out))
    assert data == {"deviceDiagnosisStateData": [{"lastErrorCode": 'a"\\\n'}]}


def test_element_tags_and_lists_of_scalars():
    text = (
        '[{"featureInformation":[[{"description":[{"featureAddress":[{"entity":[1,1]},{"feature":3}]},'
        '{"supportedFunction":[[{"function":"loadControlLimitListData"},{"possibleOperations":'
        '[{"read":[]},{"write":[{"partial":[]}]}]}]]}]}]]}]'
    )
    natural, decoder = decode("nodeManagementDetailedDiscoveryData", text)
    description = natural["featureInformation"][0]["description"]
    assert description["featureAddress"] == {"entity": [1, 1], "feature": 3}
    operations = description["supportedFunction"][0]["possibleOperations"]
    assert operations == {"read": {}, "write": {"partial": {}}}
    assert decoder.unknown == decoder.unusable == 0
    out = bytearray()
    model.encode_function(out, model.find_function("nodeManagementDetailedDiscoveryData"), natural)
    assert bytes(out).decode() == '{"nodeManagementDetailedDiscoveryData":%s}' % text
    single, _ = decode(
        "nodeManagementUseCaseData", '[{"useCaseInformation":[[{"address":{"entity":1}}]]}]'
    )
    assert single == {"useCaseInformation": [{"address": {"entity": [1]}}]}
