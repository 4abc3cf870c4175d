"""How other SPINE codecs take part in `make bench`, and the table they are in."""

import sys

import pytest

from host_tests.bench import __main__ as bench
from host_tests.bench import spine
from host_tests.bench.figures import Figure, comparison, markdown
from host_tests.bench.peers import Peer, PeerError

ECHO = (
    "import json, sys; text = open(sys.argv[-1]).read(); "
    "print(json.dumps({'decode_us': len(text), 'encode_us': '2.5', 'peak_bytes': 70, 'x': 1}))"
)


def peer(program):
    return Peer("other", (sys.executable, "-c", program))


def test_a_peer_is_a_name_and_a_command():
    assert Peer.parse('spine-go=/opt/bench "a b" -q') == Peer(
        "spine-go", ("/opt/bench", "a b", "-q")
    )
    for text in ("name", "=command", "name=", " = "):
        with pytest.raises(ValueError, match="NAME=COMMAND"):
            Peer.parse(text)


def test_the_command_gets_the_file_and_its_numbers_are_taken(tmp_path):
    path = tmp_path / "datagram.json"
    path.write_text(spine.messages()["heartbeat"])
    assert peer(ECHO).measure(path) == {
        "decode_us": path.stat().st_size,
        "encode_us": 2.5,
        "peak_bytes": 70,
    }


@pytest.mark.parametrize(
    ("program", "text"),
    [
        ("import sys; print('no such function', file=sys.stderr); sys.exit(3)", "exit code 3: no"),
        ("print('hello')", "expected a line of JSON with decode_us and encode_us, got 'hello"),
        ("print('{\"decode_us\": 1}')", "expected a line of JSON"),
        ('print(\'{"decode_us": 1, "encode_us": null}\')', "expected a line of JSON"),
        ("print('[]')", "expected a line of JSON"),
    ],
)
def test_a_command_that_fails_is_told_with_its_reason(program, text, tmp_path):
    with pytest.raises(PeerError) as error:
        peer(program).measure(tmp_path / "none")
    assert str(error.value).startswith("codec peer other: ") and text in str(error.value)


def test_a_command_that_is_not_there_ends_the_bench_with_exit_code_1(capsys, monkeypatch):
    arguments = ["bench", "--only", "spine", "--codec-peer", "x=/nowhere/at/all"]
    monkeypatch.setattr(sys, "argv", arguments)
    assert bench.main() == 1
    assert "codec peer x" in capsys.readouterr().err


def test_messages_are_what_they_say():
    messages = spine.messages()
    assert list(messages) == ["heartbeat", "limit", "use cases", "discovery"]
    assert len(messages["discovery"]) > 10_240


def test_the_comparison_has_a_column_for_each_program():
    figures = [
        Figure("a: decode", 1.25, "ms", None, "a: decode", "ours"),
        Figure("a: decode, other", 0.5, "ms", None, "a: decode", "other"),
        Figure("alone", 7, "%", 33),
        Figure("model, other", 800, "B", None, "model", "other"),
    ]
    assert comparison(figures).splitlines() == [
        "| | ours | other |",
        "| --- | ---: | ---: |",
        "| a: decode | 1.25 ms | 0.5 ms |",
        "| model | – | 800 B |",
    ]
    assert "| alone | 7 % | 33 % | ok |" in markdown(figures)


def test_only_what_stands_between_the_marks_is_replaced():
    begin, end = bench.CODEC_MARKS
    text = f"before\n{begin}\nold\n{end}\nafter\n"
    new = bench.replaced(text, bench.CODEC_MARKS, "| new |")
    assert new.startswith(f"before\n{begin}\n\nMeasured 20") and "old" not in new
    assert new.endswith(f"\n\n| new |\n\n{end}\nafter\n")
    assert bench.README.read_text().count(begin) == bench.README.read_text().count(end) == 1


def test_the_codec_table_keeps_its_columns_when_there_are_no_peers(tmp_path, monkeypatch):
    readme = tmp_path / "README.md"
    monkeypatch.setattr(bench, "README", readme)
    figures = [
        Figure("alone", 7, "%", 33),
        Figure("a: decode", 1.25, "ms", None, "a: decode", "ours"),
    ]
    old = " OLD ".join(bench.MARKS) + "\n" + " OLD ".join(bench.CODEC_MARKS)
    for only, has_peers, is_main, is_codec in (
        (None, False, True, False),
        (None, True, True, True),
        ("spine", False, False, True),
        ("spine", True, False, True),
    ):
        readme.write_text(old)
        bench.write_readme(figures, only, has_peers)
        new = readme.read_text()
        assert ("| alone | 7 % |" in new) == is_main
        assert ("| a: decode | 1.25 ms |" in new) == is_codec
        assert new.count("OLD") == 2 - is_main - is_codec
