"""The line editor of the console: keys as mpremote, picocom and screen send them."""

from firmware.terminal import INTERRUPT, MAX_LINE, Terminal

UP, DOWN, RIGHT, LEFT = b"\x1b[A", b"\x1b[B", b"\x1b[C", b"\x1b[D"


class Session:
    """A terminal with what it wrote; `type` gives the lines that came out."""

    def __init__(self):
        self.written = ""
        self.terminal = Terminal(self._write)
        self.terminal.start("> ")

    def _write(self, text):
        self.written += text

    def type(self, octets, prompt="> ", is_secret=False):
        lines = []
        for octet in octets:
            line = self.terminal.feed(octet)
            if line is not None:
                lines.append(line)
                self.terminal.start(prompt, is_secret)
        return lines


def typed(octets):
    return Session().type(octets)


def test_a_line_is_echoed_and_returned():
    session = Session()
    assert session.type(b"id\r") == ["id"]
    assert session.written == "\r> \x1b[Kid\n\r> \x1b[K"


def test_enter_is_cr_lf_or_both():
    assert typed(b"a\rb\nc\r\nd\r") == ["a", "b", "c", "d"]
    assert typed(b"\r\n\r\n") == ["", ""]
    assert typed(b"\n\n") == ["", ""]


def test_backspace_is_08_or_7f():
    assert typed(b"stax\x08tus\r") == ["status"]
    assert typed(b"stax\x7ftus\r") == ["status"]
    assert typed(b"\x7f\x08a\r") == ["a"]


def test_the_cursor_moves_by_arrows_home_and_end():
    assert typed(b"sttus" + LEFT * 3 + b"a" + RIGHT + b"\r") == ["status"]
    for home, end in (
        (b"\x1b[H", b"\x1b[F"),  # xterm, picocom
        (b"\x1bOH", b"\x1bOF"),  # application mode
        (b"\x1b[1~", b"\x1b[4~"),  # screen
        (b"\x1b[7~", b"\x1b[8~"),  # rxvt
        (b"\x01", b"\x05"),
    ):
        assert typed(b"tatus" + home + b"s" + end + b"!\r") == ["status!"]
    assert typed(LEFT * 3 + b"a" + RIGHT * 3 + b"b\r") == ["ab"]
    assert typed(b"ac\x02b\x06\r") == ["abc"]
    assert typed(b"ac\x1bODb\r") == ["abc"]


def test_delete_and_the_control_keys_cut():
    assert typed(b"abc\x01\x1b[3~\r") == ["bc"]
    assert typed(b"abc\x01\x04\r") == ["bc"]
    assert typed(b"abc" + LEFT + b"\x0b\r") == ["ab"]
    assert typed(b"abc" + LEFT + b"\x15\r") == ["c"]
    assert typed(b"trust ab cd  \x17\r") == ["trust ab "]
    assert typed(b"one\x17\x17\r") == [""]


def test_keys_with_modifiers_and_unknown_sequences_leave_no_trace():
    assert typed(b"a\x1b[1;5Cb\x1b[15~c\x1b[200~d\x1b[9999999999Qe\r") == ["abcde"]
    assert typed(b"a\x1bxb\r") == ["ab"]
    assert typed(b"a\x1b[5~\x1b[6~b\r") == ["ab"]


def test_history_goes_up_and_down_and_keeps_what_was_being_typed():
    session = Session()
    session.type(b"first\rsecond\rsecond\r")
    assert session.type(b"new" + UP + UP + b"\r") == ["first"]
    assert session.type(b"new" + UP * 3 + DOWN * 3 + b"er\r") == ["newer"]
    assert session.type(b"\x10\x0e\x10\r") == ["newer"]
    assert session.type(UP * 20 + b"\r") == ["first"]


def test_history_has_eight_lines():
    session = Session()
    for number in range(20):
        session.type(b"line %d\r" % number)
    assert session.type(UP * 30 + b"\r") == ["line 12"]


def test_a_line_has_an_end():
    assert typed(b"x" * 1000 + b"\r") == ["x" * MAX_LINE]


def test_a_long_line_scrolls_within_eighty_columns():
    session = Session()
    session.type(b"0123456789" * 20)
    for part in session.written.split("\r"):
        assert len(part.replace("\x1b[K", "").split("\x1b[")[0]) < 80, part
    session.written = ""
    session.type(b"\x01")
    assert session.written.startswith("\r> 0123456789")


def test_ctrl_c_gives_the_line_up():
    session = Session()
    assert session.type(b"trus\x03id\r") == [INTERRUPT, "id"]


def test_octets_that_are_no_keys_are_neither_echoed_nor_taken():
    session = Session()
    assert session.type(b"a\x00\xff\xc3\xbcb\r") == ["ab"]
    assert "\xff" not in session.written and "?" not in session.written


def test_tab_completes_a_command_or_shows_the_choice():
    session = Session()
    assert session.type(b"tr\t12\r") == ["trust 12"]
    assert session.type(b"help lim\t\r") == ["help limits "]
    assert session.type(b"stat\t\r") == ["stat"]
    assert "status  station\n" in session.written
    assert session.type(b"x\t\r") == ["x"]
    assert session.type(b"trust st\t\r") == ["trust st"]


def test_secrets_are_asterisks_and_not_in_the_history():
    session = Session()
    for line in (
        b"login hunter2",
        b"json login hunter2",
        b"password hunter2 x",
        b"backup hunter2",
    ):
        assert session.type(line + b"\r") == [str(line, "ascii")]
    session.type(b"network join Home hunter2\r")
    assert "hunter2" not in session.written
    assert "login *******" in session.written.replace("\r> \x1b[K", "")
    assert session.type(UP + b"\r") == [""]


def test_a_secret_line_shows_nothing_at_all():
    session = Session()
    session.type(b"id\r", "password: ", True)
    session.written = ""
    assert session.type(b"hunx\x7fter2" + LEFT + b"_" + UP + b"\t\r") == ["hunter_2"]
    shown = session.written.replace("\r", "").replace("\x1b[K", "").replace("password: ", "")
    assert not any(character in "hunter_2*" for character in shown), shown
    assert session.type(UP + b"\r") == ["id"]


def test_what_is_written_meanwhile_appears_above_the_line():
    session = Session()
    session.type(b"sta")
    session.written = ""
    session.terminal.above("1.000 pending\n")
    assert session.written == "\r\x1b[K1.000 pending\n\r> sta\x1b[K"
