"""Backup and restore between a charger and the host: what comes back, and what is refused."""

import contextlib
import hashlib
import json
import random
import time
from base64 import b64encode

import pytest

from host_tests.e2e.peer import Peer, make_certificate
from tools import backup, cli
from tools.simulate import Simulator

PASSPHRASE = "correct horse battery"


@pytest.fixture(scope="module")
def charger(tmp_path_factory):
    state = tmp_path_factory.mktemp("backup") / "state"
    with Simulator(port=0, state=state, no_mdns=True, bits=32, code="romfs") as started:
        assert started.port
        yield started


@pytest.fixture(scope="module")
def saved(charger, tmp_path_factory):
    """A backup of a charger that has been set up, the peer it trusts, and its SKI."""
    peer = make_certificate(tmp_path_factory.mktemp("peer"))
    charger.command("trust " + peer.ski)
    charger.command("set installation_ma 10000")
    charger.command("set name Carport, left")
    charger.command("network join Carport sunny side")
    return backup.take(charger.command, PASSPHRASE), peer, charger.command("id")["ski"]


def restarted(charger, mark):
    return charger.wait_event("listening", start=mark)["port"]


def test_the_host_reads_what_the_charger_sealed(charger, saved):
    text, peer, ski = saved
    found = backup.unseal(text, PASSPHRASE)
    assert found.about["ski"] == ski
    assert found.about["ship_id"] == "Pilotwire-0001"
    assert [entry["ski"] for entry in json.loads(found.files["peers.2"])] == [peer.ski]
    assert json.loads(found.files["settings"])["installation_ma"] == 10000
    key = found.files["identity"]
    assert key in (charger.options.state / "identity").read_bytes()


def test_all_comes_back_after_a_reset_and_the_peer_connects(charger, saved):
    text, peer, ski = saved
    mark = charger.mark()
    charger.command("factory-reset yes")
    restarted(charger, mark)
    assert charger.command("peers")["trusted"] == []
    mark = charger.mark()
    seen = []
    answer = backup.give(
        charger.command, text, PASSPHRASE, lambda *progress: seen.append(progress)
    )
    assert answer["ski"] == ski
    assert seen == sorted(seen) and len(seen) > 3
    port = restarted(charger, mark)
    with Peer(port, peer).reach("data") as connection:
        assert connection.discover().address
    assert charger.command("set")["name"] == "Carport, left"
    assert "installation 10.0 A" in charger.command("limits")["why"]


def test_the_charger_takes_what_the_host_sealed(charger, saved):
    text, _, ski = saved
    found = backup.unseal(text, PASSPHRASE)
    settings = json.loads(found.files["settings"])
    settings["name"] = "From the host"
    found.files["settings"] = json.dumps(settings).encode()
    mark = charger.mark()
    backup.give(charger.command, backup.seal(found, "another passphrase"), "another passphrase")
    restarted(charger, mark)
    assert charger.command("set")["name"] == "From the host"
    assert charger.command("id")["ski"] == ski


def test_counters_of_messages_never_go_back(charger, saved):
    text, _, _ = saved
    before = json.loads(_state(charger, "settings"))["msg_counter"]
    mark = charger.mark()
    backup.give(charger.command, text, PASSPHRASE)
    restarted(charger, mark)
    assert json.loads(_state(charger, "settings"))["msg_counter"] > before


def test_a_wrong_passphrase_or_a_flipped_bit_changes_nothing(charger, saved):
    text, _, _ = saved
    before = _kept(charger)
    octets = backup._octets(text)
    dice = random.Random(7)
    places = [0, 3, 4, 7, 8, 24, 40, len(octets) - 33, len(octets) - 1]
    places += [dice.randrange(len(octets)) for _ in range(6)]
    for place in places:
        broken = bytearray(octets)
        broken[place] ^= 1 << dice.randrange(8)
        assert not _give_unchecked(charger, bytes(broken), PASSPHRASE)["ok"], place
    for cut in (0, 20, 55, len(octets) - 16, len(octets) - 1):
        assert not _give_unchecked(charger, octets[:cut], PASSPHRASE)["ok"], cut
    for passphrase in ("correct horse batterz", "Correct horse battery", "x"):
        error = _give_unchecked(charger, octets, passphrase)["error"]
        assert error == "wrong passphrase, or the backup is damaged; nothing was changed"
    assert _kept(charger) == before


def test_what_is_no_backup_is_refused_without_harm(charger):
    assert charger.command("restore add AAAA")["octets"] == 3
    assert not charger.command("restore add !!!")["ok"]
    assert not charger.command("restore add A")["ok"]
    assert "no backup" in charger.command("restore apply " + PASSPHRASE)["error"]
    assert "nothing to apply" in charger.command("restore apply " + PASSPHRASE)["error"]
    assert "restore add BASE64" in charger.command("restore everything")["error"]
    piece = "A" * 200
    answers = [charger.command("restore add " + piece) for _ in range(60)]
    assert "too long" in answers[-1]["error"]
    assert charger.command("restore clear")["octets"] == 0


def test_the_backup_of_another_charger_is_refused(charger, saved, tmp_path):
    text, _, _ = saved
    with Simulator(port=0, state=tmp_path / "other", no_mdns=True, serial="0002") as other:
        assert other.port
        with pytest.raises(backup.BackupError, match="Pilotwire-0001, this charger is"):
            backup.give(other.command, text, PASSPHRASE)
        assert other.command("peers")["trusted"] == []


def test_a_cut_during_the_restore_leaves_old_or_new(charger, saved):
    """The checked backup is one file; what a start does with it may be done again."""
    text, _, ski = saved
    found = backup.unseal(text, PASSPHRASE)
    mark = charger.mark()
    backup.give(charger.command, text, PASSPHRASE)
    restarted(charger, mark)
    charger.kill()
    state = charger.options.state
    assert not (state / "restore").exists()
    (state / "peers.2").unlink()  # as if power had failed after the identity was written
    content = b"".join(
        bytes((len(name),)) + name.encode() + len(data).to_bytes(2, "big") + data
        for name, data in {"about": b"{}", **found.files}.items()
    )
    (state / "restore").write_bytes(_with_checksum(content))
    charger.start()
    assert charger.port
    assert charger.command("id")["ski"] == ski
    assert len(charger.command("peers")["trusted"]) == 1
    assert not (state / "restore").exists()


def test_short_passphrases_are_refused_on_both_sides(charger):
    assert "12 characters" in charger.command("backup short")["error"]
    for wrong in ("short", "two  blanks here", "straße straße", " leading blank"):
        with pytest.raises(backup.BackupError):
            backup.take(charger.command, wrong)


def test_secrets_are_not_shown(charger, saved, tmp_path, capsys, monkeypatch):
    text, _, ski = saved
    file = tmp_path / "charger.backup"
    file.write_text(text)
    monkeypatch.setenv("PILOTWIRE_PASSPHRASE", PASSPHRASE)
    arguments = ["restore", str(file), "--dry-run"]
    assert cli.main([*arguments, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["ski"] == ski and report["has_identity"]
    assert report["settings"]["wifi"] == "Carport"
    assert cli.main(arguments) == 0
    assert "sunny side" not in capsys.readouterr().out
    last = text.splitlines()[-2]
    file.write_text(text.replace(last, last.swapcase()))
    assert cli.main(arguments) == 1
    assert "wrong passphrase, or the backup is damaged" in capsys.readouterr().err
    assert not any("sunny side" in line or PASSPHRASE in line for line in charger.lines)


def _give_unchecked(charger, octets, passphrase):
    """As tools.backup.give, without the check on the host."""
    text = b64encode(octets).decode()
    charger.command("restore clear")
    for at in range(0, len(text), 192):
        charger.command("restore add " + text[at : at + 192])
    return charger.command("restore apply " + passphrase)


def _state(charger, name):
    """The newest generation of a state file; while it is replaced, none may be found."""
    path = charger.options.state / name
    for _ in range(50):
        for generation in (path, path.with_name(name + ".bak")):
            with contextlib.suppress(FileNotFoundError):
                return generation.read_bytes()[12:]
        time.sleep(0.02)
    raise FileNotFoundError(path)


def _with_checksum(data):
    return b"PW1\n" + hashlib.sha256(data).digest()[:8] + data


def _kept(charger):
    """All state but the counter of messages, which goes on by itself."""
    assert not (charger.options.state / "restore").exists()
    settings = json.loads(_state(charger, "settings"))
    del settings["msg_counter"]
    return settings, _state(charger, "identity"), _state(charger, "peers.2")
