"""The console's password: what it guards, and that guessing is slow even with restarts."""

import pytest

from tools.simulate import Simulator

PASSWORD = "north wall 7"
SPEED = 20  # a minute of waiting is three seconds


@pytest.fixture
def charger(tmp_path):
    with Simulator(port=0, state=tmp_path / "state", no_mdns=True, speed=SPEED) as started:
        assert started.port
        yield started
        started.command("login " + PASSWORD)  # or it would refuse to shut down


def refused(answer):
    assert not answer["ok"]
    return answer["error"]


def test_a_fresh_charger_has_no_password(charger):
    assert charger.command("trust " + "ab" * 20)["ok"]
    assert "password" in refused(charger.command("login " + PASSWORD))
    assert refused(charger.command("password 1234567")) == "a password has 8 characters or more"
    assert charger.command("set installation_ma 8000")["ok"]


def test_the_password_guards_trust_and_limits_but_not_looking(charger):
    assert charger.command("password " + PASSWORD)["ok"]
    assert charger.command("set installation_ma 8000")["ok"]  # who set it is logged in
    assert charger.command("logout")["ok"]
    ski = "ab" * 20
    for command in (
        "trust " + ski,
        "untrust " + ski,
        "reject",
        "accept",
        "choose",
        "setup",
        "set installation_ma 16000",
        "network leave",
        "password off",
        "backup correct horse battery",
        "restore clear",
        "factory-reset yes",
        "shutdown",
    ):
        assert refused(charger.command(command)) == "locked: login first", command
    for command in ("status", "limits", "peers", "log", "test", "id", "set", "network", "help"):
        assert charger.command(command)["ok"], command
    assert charger.command("set")["installation_ma"] == 8000
    assert charger.command("login " + PASSWORD)["ok"]
    assert charger.command("trust " + ski)["ok"]
    assert charger.command("password off")["ok"]
    assert charger.command("logout")["ok"]
    assert charger.command("untrust " + ski)["ok"]


def test_after_five_wrong_passwords_one_waits_whatever_one_does(charger):
    charger.command("password " + PASSWORD)
    charger.command("logout")
    for left in (4, 3, 2, 1):
        error = refused(charger.command("login guess"))
        assert error == f"wrong password; {left} more before you have to wait"
    assert refused(charger.command("login guess")) == "too many wrong passwords; wait 60 s"
    assert "wait" in refused(charger.command("login " + PASSWORD))
    charger.kill()
    charger.start()
    assert charger.port
    error = refused(charger.command("login " + PASSWORD))
    assert 50 <= int(error.split("wait ")[1].split(" ")[0]) <= 60  # from the start on
    while not (answer := charger.command("login guess"))["error"].endswith("wait 120 s"):
        assert "wait" in refused(answer)
    assert refused(charger.command("trust " + "ab" * 20)) == "locked: login first"
    charger.command("station set button 1")
    assert charger.command("login button")["ok"]
    assert charger.command("password " + PASSWORD + "!")["ok"]
    assert charger.command("login " + PASSWORD + "!")["ok"]
    assert charger.command("password " + PASSWORD)["ok"]


def test_a_damaged_password_file_locks_and_the_button_opens(charger):
    charger.command("password " + PASSWORD)
    charger.command("logout")
    for file in charger.options.state.glob("lock*"):
        file.write_bytes(b"nonsense")
    assert refused(charger.command("trust " + "ab" * 20)) == "locked: login first"
    assert "button" in refused(charger.command("login " + PASSWORD))
    charger.command("station set button 1")
    assert charger.command("login button")["ok"]
    assert charger.command("password " + PASSWORD)["ok"]


def test_the_password_is_nowhere_in_the_clear(charger):
    charger.command("password " + PASSWORD)
    charger.command("logout")
    charger.command("login a secret guess")
    kept = b"".join(path.read_bytes() for path in charger.options.state.iterdir())
    assert PASSWORD.encode() not in kept
    assert b"a secret guess" not in kept
    assert not any(PASSWORD in line or "secret guess" in line for line in charger.lines)
