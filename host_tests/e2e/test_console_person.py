"""A person at the console, behind a pseudo-terminal: typing errors and wrong turns included."""

import time

import pytest

from host_tests.e2e.peer import Peer, make_certificate
from host_tests.e2e.terminal import (
    CTRL_C,
    DOWN,
    END,
    ENTER,
    HOME,
    LEFT,
    TAB,
    UP,
    Person,
)


def group(ski: str) -> str:
    """An SKI as people read it."""
    return " ".join(ski[at : at + 4] for at in range(0, 40, 4))


def waiting(port: int, certificate) -> Peer:
    """A peer that is not trusted and waits for the user."""
    peer = Peer(port, certificate).reach("cmi")
    peer.control("connectionHello", {"phase": "ready", "waiting": 60_000})
    assert peer.expect("connectionHello")[1]["phase"] == "pending"
    return peer


PASSWORD = "north wall 7"


@pytest.fixture
def person(tmp_path):
    with Person(port=0, state=tmp_path / "state", no_mdns=True, log_level="error") as somebody:
        somebody.begin()
        yield somebody


def test_typing_errors_are_mended_as_on_any_terminal(person):
    assert "unknown command statsu; try help" in person.does("statsu\r")[0]
    assert any(line.startswith("state: ") for line in person.does(UP + "\x7f\bus\r"))
    person.type("limist\b\bts")
    assert person.line == "> limits"
    person.type(HOME + "x" + END + "y" + LEFT)
    assert person.line == "> xlimitsy"
    person.type("\x15lim\x0b")  # up to the cursor, then the rest
    assert person.line == "> lim"
    person.type(TAB + ENTER)
    person.sees("why: 16.0 A on L1-L3 because hardware 16.0 A")
    assert person.does(UP + UP + DOWN + ENTER)[-1].startswith("why: ")


def test_help_is_there_for_the_lost(person):
    lines = person.does("help\r")
    assert any(line.startswith("setup ") for line in lines)
    assert all(len(line) < 80 for line in lines)
    assert person.does("help trust\r")[-2:] == [
        "example: trust b467 a399 9eb5 …",
        "Needs the password, once there is one.",
    ]
    assert person.does("?\r") == ["error: unknown command ?; try help"]
    assert person.does("help me\r") == ["error: unknown command me; try help"]
    assert person.does("\r") == []
    assert person.does("   \r\n") == []


def test_ctrl_c_gives_up_a_line_and_only_twice_the_charger(person):
    start = person.mark()
    person.type("factory-reset" + CTRL_C)
    person.sees("Ctrl-C again ends the firmware", start)
    assert person.does("id\r")[-1].startswith("ski_label: ")
    person.type(CTRL_C)
    person.sees_prompt()
    person.type(CTRL_C)
    person.sees("goodbye", start)
    assert person.ended() == 0


def test_a_set_up_with_wrong_turns(person):
    person.type("setup\r")
    person.sees("Set a password")
    person.type("y\r")
    person.sees("new password: ")
    person.type("short\r")
    person.sees("a password has 8 characters or more")
    person.type(PASSWORD + "\r")
    person.sees("once more: ")
    person.type("north wall 8\r")
    person.sees("the two differ")
    start = person.mark()
    person.type(PASSWORD[:-1] + "x\x7f7\r")
    person.sees("once more: ", start - 1)
    person.type(PASSWORD + "\r")
    person.sees("password set")
    person.sees("Look for Wi-Fi networks? [no]")
    person.type("yes\r")
    person.sees("1  Carport")
    person.type("1\r")
    person.sees("Password of Carport")
    person.type("rainy side\r")
    person.sees("cannot join Carport: wrong password")
    person.type("y\r")
    person.sees_prompt("number or name: ")
    person.type("Carport\r")
    person.sees_prompt("Password of Carport (Enter: none): ")
    person.type("sunny side\r")
    person.sees("joined Carport")
    person.sees("Name of the charger [none]")
    person.type("Carport, left\r")
    person.sees("(6000 or more; none: as much as the board's 16000) [none]")
    for wrong in ("16", "90000", "-1", "ten"):
        start = person.mark()
        person.type(wrong + "\r")
        person.sees("installation_ma is 0, or 6000 to 80000, or none", start)
    person.type("10000\r")
    person.sees("No energy manager is waiting or announced")
    person.type("12 34\r")
    person.sees("a SKI has 40 hexadecimal digits")
    person.type("7\r")
    person.sees("there is no number 7")
    person.type("\r")
    person.sees("Your energy manager can also scan the label")
    person.sees("Self-test: passed")
    person.sees("Set up.")
    assert person.does("limits\r")[-1] == "why: 10.0 A on L1-L3 because installation 10.0 A"
    assert "installation_ma: 10000" in person.does("set\r")
    for secret in (PASSWORD, "short", "sunny", "rainy"):
        assert secret not in person.raw


def test_a_set_up_that_is_left_keeps_what_was_done(person):
    person.type("setup\r")
    person.sees("Set a password")
    person.type("\r")
    person.sees("Look for Wi-Fi")
    person.type("\r")
    person.sees("Name of the charger")
    person.type("Barn\r")
    person.sees("(6000 or more; none:")
    person.type("60" + CTRL_C)
    person.sees("error: stopped; what was done before stays")
    lines = person.does("set\r")
    assert "installation_ma: -" in lines
    assert "name: Barn" in lines


def test_who_waits_is_shown_confirmed_or_turned_away(tmp_path):
    stranger = make_certificate(tmp_path)
    with Person(port=0, state=tmp_path / "state", no_mdns=True) as person:
        port = int(person.sees("listening").split("port ")[1].split(",")[0])
        with waiting(port, stranger) as peer:
            assert "pending: " in person.sees("ski " + stranger.ski)
            person.type("choose\r")
            person.sees(f"1  {group(stranger.ski)}  not in mDNS, waits for an answer")
            person.type("1\r")
            person.sees_prompt("Is this the SKI that the energy manager shows? yes/no: ")
            person.type("no\r")
            person.sees("not trusted: not in mDNS")
            peer.wait_closed()
        start = person.mark()
        with waiting(port, stranger) as peer:
            assert "pending: " in person.sees("ski " + stranger.ski, start)
            person.type("choose\r")
            person.sees("waits for an answer", start)
            person.type("1\r")
            person.sees_prompt("Is this the SKI that the energy manager shows? yes/no: ")
            person.type("yes\r")
            person.sees("trusted: " + group(stranger.ski), start)
            while peer.expect("connectionHello")[1]["phase"] != "ready":
                pass
        start = person.mark()
        person.type("reject\r")
        person.sees("error: nobody is waiting; see peers", start)


def test_watch_goes_on_until_a_key_is_pressed(person):
    person.does("ev plug\r")
    start = person.mark()
    person.type("watch\r")
    person.sees("any key ends this", start)
    time.sleep(2.5)
    person.type("q")
    person.sees_prompt()
    lines = [line for line in person.screen.lines[start:] if "16.0 A on L1-L3" in line]
    assert len(lines) >= 3
    assert not person.screen.lines[-2].startswith("q")


def test_what_happens_meanwhile_leaves_the_line_alone(tmp_path):
    with Person(port=0, state=tmp_path / "state", no_mdns=True) as person:
        person.sees("state A")
        person.type("ev plug\rlim")
        person.sees("state B")
        assert person.line == "> lim"
        person.type("its\r")
        person.sees("why: ")


def test_a_password_that_is_forgotten_and_found(person):
    assert "error: there is no password yet" in person.does("login\r")[0]
    person.type("password\r")
    person.sees_prompt("new password: ")
    person.type(PASSWORD + "\r")
    person.sees_prompt("once more: ")
    person.type(PASSWORD + "\r")
    person.sees("password set")
    assert person.does("logout\r") == ["logged out"]
    assert person.does("set installation_ma 8000\r") == ["error: locked: login first"]
    assert "installation_ma: -" in person.does("set\r")
    person.type("login\r")
    person.sees_prompt("password: ")
    person.type("south wall\r")
    person.sees("wrong password; 4 more before you have to wait")
    start = person.mark()
    person.does("login south\r")
    assert person.screen.lines[start - 1] == "> login *****"
    person.does("login " + PASSWORD + "\r")
    assert "installation_ma: 8000" in person.does("set installation_ma 8000\r")
    person.type(UP + UP)
    assert person.line == "> login"  # what was typed with a password is not kept
    assert PASSWORD not in person.raw
    assert "south" not in person.raw


def test_a_script_at_the_same_terminal_gets_neither_echo_nor_prompt(person):
    person.sees_prompt()
    person.type("json\r")
    person.line  # noqa: B018 - let the echo come
    start = len(person.raw)
    person.paste("json id\njson ev plug\n")
    end = time.monotonic() + 10
    while "charging" not in person.raw[start:]:
        assert time.monotonic() < end
        person.line  # noqa: B018
    lines = person.raw[start:].split("\r\n")
    assert all(line.startswith("{") and line.endswith("}") for line in lines if line), lines
    assert "> " not in person.raw[start:]
    person.type(CTRL_C)
    assert person.does("logout\r") == ["logged out"]


def test_a_backup_is_copied_from_the_screen_and_pasted_back(person):
    person.does("set name Barn\r")
    person.type("backup\r")
    person.sees_prompt("passphrase for this backup: ")
    person.type("correct horse\r")
    person.sees_prompt("once more: ")
    person.type("correct horse\r")
    person.sees("END PILOTWIRE BACKUP")
    lines = person.screen.lines
    start = next(i for i, line in enumerate(lines) if line.startswith("-----BEGIN"))
    end = next(i for i, line in enumerate(lines) if line.startswith("-----END"))
    text = "\n".join(lines[start : end + 1]) + "\n"
    person.does("set name Shed\r")
    for passphrase, answer in (
        ("wrong horse 123", "error: wrong passphrase, or the backup is damaged; nothing was"),
        ("correct horse", "restored: SKI "),
    ):
        start = person.mark()
        person.type("restore\r")
        person.sees("paste the backup", start - 1)
        person.paste(text)
        person.sees_prompt("passphrase: ")
        person.type(passphrase + "\r")
        person.sees(answer, start)
    person.sees("Console: type help.", start)
    person.type(ENTER)
    assert "name: Barn" in person.does("set\r")
    assert "horse" not in person.raw


def test_a_session_that_is_left_alone_ends(tmp_path):
    """Ten minutes on a clock that runs a thousand times as fast."""
    options = {"no_mdns": True, "log_level": "error", "speed": 1000}
    with Person(port=0, state=tmp_path / "state", **options) as person:
        person.begin()
        person.does("password " + PASSWORD + "\r")
        person.sees_prompt("")  # the prompt has gone, and with it what the password had opened
        assert person.does_not_know(UP)
        assert person.does("trust " + "ab" * 20 + "\r")[0].startswith("error: locked")
        person.does("login " + PASSWORD + "\r")
        person.type("setup\r")
        person.sees("error: stopped; what was done before stays")  # nobody answered
