"""The checker of recordings: finds datagrams in any text, names all that is not understood."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

import spine.model
from tools.recordings import __main__ as program
from tools.recordings import check, find
from tools.recordings.meaning import ABSENT, differences, meaning

ROOT = Path(__file__).resolve().parent.parent.parent

HEADER = (
    '{"header":[{"specificationVersion":"1.3.0"},{"addressSource":[{"device":"d:_n:ACME_\\u00e4"},'
    '{"entity":[1,1]},{"feature":4}]},{"addressDestination":[{"device":"d:_i:12345_HEMS-1"},'
    '{"entity":[1]},{"feature":6}]},{"msgCounter":77},{"msgCounterReference":12},'
    '{"cmdClassifier":"%s"},{"ackRequest":true}]}'
)
LIMITS = (
    '{"loadControlLimitListData":[{"loadControlLimitData":[[{"limitId":1},{"isLimitActive":true},'
    '{"value":[{"number":4200},{"scale":0}]}]]}]}'
)
# A compressor's optional run, a function that a charger does not have.
SEQUENCES = (
    '{"smartEnergyManagementPsData":[{"nodeScheduleInformation":[{"nodeRemoteControllable":true},'
    '{"supportsSingleSlotSchedulingOnly":true},{"alternativesCount":1},'
    '{"totalSequencesCountMax":2},{"supportsReselection":false}]},{"alternatives":[[{"relation":'
    '[{"alternativesId":0}]},{"powerSequence":[[{"description":[{"sequenceId":3},{"powerUnit":"W"},'
    '{"valueSource":"empiricalValue"}]},{"state":[{"state":"scheduled"},'
    '{"sequenceRemoteControllable":true}]},{"scheduleConstraints":[{"earliestStartTime":'
    '"-PT2H7M3.25S"},{"latestEndTime":"PT9H"}]},{"operatingConstraintsInterrupt":[{"isPausable":'
    'false},{"isStoppable":true}]},{"operatingConstraintsDuration":[{"activeDurationMin":"PT5M"}]}'
    ',{"powerTimeSlot":[[{"schedule":[{"slotNumber":0}]},{"valueList":[{"value":[[{"valueType":'
    '"powerMax"},{"value":[{"number":24},{"scale":2}]}]]}]}]]}]]}]]}]}'
)


def datagram(command, classifier="notify"):
    return '{"datagram":[%s,{"payload":[{"cmd":[[%s]]}]}]}' % (HEADER % classifier, command)


TEXT = datagram(LIMITS)
SHIP = '{"data":[{"header":[{"protocolId":"ee1.0"}]},{"payload":%s}]}' % TEXT
PLAIN = json.dumps(
    {
        "datagram": {
            "header": {
                "specificationVersion": "1.3.0",
                "addressSource": {"device": "d:_n:ACME_ä", "entity": [1, 1], "feature": 4},
                "addressDestination": {"device": "d:_i:12345_HEMS-1", "entity": [1], "feature": 6},
                "msgCounter": 77,
                "msgCounterReference": 12,
                "cmdClassifier": "notify",
                "ackRequest": True,
            },
            "payload": {
                "cmd": [
                    {
                        "loadControlLimitListData": {
                            "loadControlLimitData": [
                                {
                                    "limitId": 1,
                                    "isLimitActive": True,
                                    "value": {"number": 4200, "scale": 0},
                                }
                            ]
                        }
                    }
                ]
            },
        }
    }
)
ESCAPED = json.dumps(SHIP)
HALVES = [json.dumps(half) for half in (TEXT[:150], TEXT[150:])]
FORMS = {
    "bare": TEXT,
    "log line": f"[eebus ] TRACE 2025/03/01 Recv: d9a203d9 {SHIP}\n",
    "type octet and NUL": f"\x02{SHIP}\x00\x00",
    "over many lines": json.dumps(json.loads(SHIP), indent=2),
    "Windows lines": json.dumps(json.loads(SHIP), indent=2).replace("\n", "\r\n"),
    "plain objects": PLAIN,
    "log as JSON": f'{{"level":"trace","message":{ESCAPED}}}',
    "log as JSON in JSON": json.dumps({"line": f'{{"message":{ESCAPED}}}'}),
    "literals of C": f"static char text[] = {HALVES[0]}\n    {HALVES[1]};",
    "added literals": f"var text = {HALVES[0]} +\n    {HALVES[1]}",
    "raw string": f'R"({TEXT})"',
    "joined raw strings": f'R"CUT({TEXT[:150]})CUT"\n R"CUT({TEXT[150:]})CUT"',
    "added raw strings": f"`{TEXT[:150]}` +\n\t`{TEXT[150:]}`",
    "wrapped": "\n       ".join(SHIP[at : at + 97] for at in range(0, len(SHIP), 97)),
    "in a comment": "// " + json.dumps(json.loads(TEXT), indent=1).replace("\n", "\n\t// "),
}


@pytest.fixture(scope="module")
def checker():
    return check.Checker()


@pytest.mark.parametrize("form", FORMS)
def test_a_datagram_is_found_in_every_form(form, checker):
    (found,) = find.datagrams("noise {\n" + FORMS[form] + '\n"datagram" : none')
    assert found.line == 2 + FORMS[form][: FORMS[form].index("datagram")].count("\n")
    assert meaning(json.loads(found.text)) == meaning(json.loads(TEXT))
    verdict = checker.check(found.text)
    assert verdict.is_good, verdict
    assert (verdict.function, verdict.classifier) == ("loadControlLimitListData", "notify")


def test_several_in_one_text_keep_their_order_and_lines():
    text = f"{TEXT}\n\n{ESCAPED}{SHIP}\nx {TEXT}"
    found = list(find.datagrams(text))
    assert [one.line for one in found] == [1, 3, 3, 4]
    assert all(meaning(json.loads(one.text)) == meaning(json.loads(TEXT)) for one in found)


@pytest.mark.parametrize("text", [SHIP, ESCAPED, FORMS["literals of C"]])
def test_what_breaks_off_is_told_and_does_not_hide_what_follows(text):
    cut = text[: len(text) * 3 // 4]
    first, second = find.datagrams(f"{cut}\nRecv {SHIP}")
    assert (first.text, first.line) == (None, 1)
    assert second.text is not None and second.line > 1


def test_all_functions_are_known_and_the_charger_knows_less(checker):
    text = datagram(SEQUENCES)
    assert checker.check(text).is_good
    verdict = check.Checker("charger").check(text)
    assert verdict.unknown == ["smartEnergyManagementPsData (function)"]
    assert not verdict.is_good
    # The tables that this process uses otherwise are as before.
    assert spine.model.find_function("smartEnergyManagementPsData") == -1


def test_unknown_elements_are_named_wherever_they_stand(checker):
    limits = LIMITS.replace('{"number":4200}', '{"number":4200},{"unit":[{"x":1}]}')
    text = datagram('{"filter":[[{"cmdControl":[{"partial":[]},{"replace":[]}]}]]},' + limits)
    text = text.replace('{"ackRequest":true}', '{"ackRequest":true},{"traceId":"7"}')
    assert checker.check(text).unknown == [
        "header/traceId",
        "loadControlLimitListData/loadControlLimitData/value/unit",
        "filter[0]/cmdControl/replace",
    ]


def test_filters_are_checked_with_their_own_types(checker):
    good = (
        '{"function":"loadControlLimitListData"},{"filter":[[{"filterId":1},{"cmdControl":'
        '[{"delete":[]}]},{"loadControlLimitListDataSelectors":[{"limitId":1}]},'
        '{"loadControlLimitDataElements":[{"timePeriod":[{"endTime":[]}]}]}],'
        '[{"cmdControl":[{"partial":[]}]}]]},' + LIMITS
    )
    assert checker.check(datagram(good, "write")).is_good
    for old, new, name in (
        ('[{"limitId":1}]', '[{"limit":1}]', "loadControlLimitListDataSelectors/limit"),
        ('"endTime":[]', '"until":[]', "loadControlLimitDataElements/timePeriod/until"),
        ("LimitListDataSelectors", "EventListDataSelectors", "loadControlEventListDataSelectors"),
    ):
        verdict = checker.check(datagram(good.replace(old, new), "write"))
        assert verdict.unknown == [f"filter[0]/{name}"]
    verdict = checker.check(
        datagram(good.replace('[{"limitId":1}]', '[{"limitId":"x"}]'), "write")
    )
    assert verdict.unusable == ['filter[0]/loadControlLimitListDataSelectors/limitId: "x"']


def test_values_that_are_dropped_or_changed_are_named(checker):
    def findings(old, new):
        verdict = checker.check(datagram(LIMITS.replace(old, new)))
        return verdict.unusable + verdict.different

    path = "loadControlLimitListData/loadControlLimitData"
    assert findings('"limitId":1', '"limitId":-1') == [f'{path}/limitId: "-1"']
    assert findings("4200", "4200.5") == [f'{path}/value/number: "4200.5"']
    (line,) = findings("4200", "true")
    assert line == f'{path}/value/number: "true"'
    (line,) = checker.check(
        datagram('{"deviceClassificationManufacturerData":[{"deviceName":"%s"}]}' % ("n" * 300))
    ).different
    assert line.startswith('deviceClassificationManufacturerData/deviceName: "nnn')


def test_a_mistake_of_the_encoder_would_be_seen(checker, monkeypatch):
    right = checker.model.encode_function

    def wrong(out, row, value):
        right(out, row, value)
        out[:] = out.replace(b"4200", b"4201")

    monkeypatch.setattr(checker.model, "encode_function", wrong)
    (line,) = checker.check(TEXT).different
    assert line == (
        'loadControlLimitListData/loadControlLimitData/value/number: "4200" became "4201"'
    )


def test_what_the_firmware_discards_is_no_valid_datagram(checker):
    for old, new, reason in (
        ('{"msgCounter":77},', "", "incomplete header"),
        ('"entity":[1,1]', '"entity":["a"]', "invalid literal"),
        (LIMITS, "", "no data"),
        (f"[[{LIMITS}]]", f"[[{LIMITS}],[{LIMITS}]]", "2 commands"),
        (f"[[{LIMITS}]]", "5", "cmd"),
    ):
        assert old in TEXT
        verdict = checker.check(TEXT.replace(old, new))
        assert reason in verdict.unreadable and not verdict.is_good


def test_whatever_is_broken_gets_a_verdict(checker):
    choice = random.Random(5)
    pieces = ("[", "]", "{", "}", "[[", "]]", "null", '"x"', "-1", "1e400", ",", ":", '"a":', "[]")
    judged = 0
    for _ in range(3000):
        text = TEXT
        for _ in range(choice.randint(1, 3)):
            at = choice.randrange(len(text))
            text = text[:at] + choice.choice(pieces) + text[at + choice.randint(0, 6) :]
        for found in find.datagrams(f"Recv {text} {SHIP}"):
            if found.text is not None:
                judged += isinstance(checker.check(found.text), check.Verdict)
    assert judged > 3000
    deep = TEXT.replace("4200", "[" * 5000 + "]" * 5000)
    assert [found.text for found in find.datagrams(deep)] == [None]
    assert checker.check(TEXT.replace("4200", "[" * 70 + "]" * 70)).unreadable == "nested too deep"


def test_needless_arrays_around_header_and_payload_are_read(checker):
    assert checker.check(
        TEXT.replace('[{"cmd"', '[[{"cmd"').replace("]]}]}]}", "]]}]]}]}")
    ).is_good


def test_meaning_is_the_same_for_all_spellings_and_for_no_other():
    one = meaning(json.loads('[{"a":[[{"b":1},{"c":true}]]},{"d":[]},{"e":[1,2]}]'))
    other = meaning(json.loads('{"a":{"c":"true","b":"1"},"d":{},"e":[1.0,"2",null],"f":null}'))
    assert one == other
    assert list(differences(one, other)) == []
    third = meaning(json.loads('{"a":{"b":2},"d":[],"e":[2,1],"g":0}'))
    assert sorted(path for path, _, _ in differences(one, third)) == [
        *("a/b", "a/c", "e[0]", "e[1]", "g")
    ]
    assert [got for path, _, got in differences(one, third) if path == "a/c"] == [ABSENT]


# --- the program -----------------------------------------------------------------------------


def test_exit_codes_and_output(tmp_path, capsys):
    good = tmp_path / "good.log"
    good.write_text(SHIP + "\n" + datagram(SEQUENCES))
    assert program.main([str(good)]) == 0
    out = capsys.readouterr().out
    assert "2 of 2 datagrams decode completely and encode to the same meaning" in out
    assert "loadControlLimitListData 1, smartEnergyManagementPsData 1" in out

    bad = tmp_path / "bad.log"
    bad.write_text("\n" + SHIP.replace("isLimitActive", "isLimitOn") + "\n" + SHIP[:-40])
    assert program.main([str(tmp_path), "--json", "--each"]) == 1
    first, second = json.loads(capsys.readouterr().out)
    assert (first["datagrams"], first["good"], first["broken_off"]) == (1, 0, 1)
    assert first["findings"] == [
        f"{bad}:2: unknown: loadControlLimitListData/loadControlLimitData/isLimitOn",
        f"{bad}:3: breaks off, not judged",
    ]
    assert second["recording"] == str(good) and second["good"] == 2
    assert second["functions"] == {
        "loadControlLimitListData": 1,
        "smartEnergyManagementPsData": 1,
    }


def test_equal_datagrams_may_count_once(tmp_path, capsys):
    path = tmp_path / "a.log"
    path.write_text("\n".join([SHIP, TEXT, ESCAPED, SHIP.replace("4200", "4300")]))
    (tmp_path / "b.log").write_text(FORMS["over many lines"])
    for arguments, counts in (
        ([], [5]),
        (["--distinct"], [2]),
        (["--distinct", "--each"], [2, 1]),
    ):
        assert program.main([str(tmp_path), "--json", *arguments]) == 0
        out = json.loads(capsys.readouterr().out)
        assert [row["datagrams"] for row in out] == counts


def test_clear_errors(tmp_path, capsys):
    (tmp_path / "empty.log").write_text("nothing here")
    for arguments, text in (
        ([str(tmp_path)], "no SPINE datagram found"),
        ([str(tmp_path / "none")], "no such file or folder"),
        ([str(tmp_path), "--profile", "chargr"], "no function, resource class or profile file"),
    ):
        assert program.main(arguments) == 2
        assert text in capsys.readouterr().err


def test_too_large_a_file_is_refused(tmp_path, monkeypatch, capsys):
    path = tmp_path / "large.log"
    path.write_text(SHIP)
    monkeypatch.setattr(find, "MAX_FILE_OCTETS", len(SHIP))
    assert program.main([str(path)]) == 0
    monkeypatch.setattr(find, "MAX_FILE_OCTETS", len(SHIP) - 1)
    assert program.main([str(path)]) == 2
    assert "are read" in capsys.readouterr().err


def test_the_program_runs_on_its_own(tmp_path):
    path = tmp_path / "a.log"
    path.write_text(ESCAPED)
    done = subprocess.run(
        [sys.executable, "-m", "tools.recordings", str(path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "1 of 1 datagrams" in done.stdout
