"""The event log: what others chose to call themselves cannot move the cursor of a terminal."""

from firmware.log import DEBUG, Log, plain


class Clock:
    def now_ms(self):
        return 12_345


def test_control_characters_become_blanks():
    assert plain("Carport left") == "Carport left"
    assert plain("a\x1b[2Jb\x07c\r\nd\x7fe\x9bf") == "a [2Jb c  d e f"
    assert plain("Süd ☀") == "Süd ☀"
    assert plain("") == ""


def test_an_event_is_one_line_without_control_characters():
    written = []
    log = Log(Clock(), echo=True)
    log.write = written.append
    log.event("pending", ski="ab", brand="x\x1b[2J\ny")
    assert written == ["12.345 pending: brand x [2J y, ski ab\n"]
    assert log.lines() == ["12.345 pending: brand x [2J y, ski ab"]


def test_the_ring_keeps_whole_lines_of_the_newest():
    log = Log(Clock(), DEBUG)
    for number in range(300):
        log.debug("line %d" % number)
    lines = log.lines()
    assert lines[-1] == "12.345 line 299"
    assert all(line.startswith("12.345 line ") for line in lines)
