"""tools/micropython.py: source lists, choice of the interpreter, behaviour when things fail.

What it fetches is used by most other tests, so nothing is fetched here.
"""

import os
import shutil
import subprocess
import threading
import time

import pytest

from tools import micropython
from tools.micropython import SetupError, debian_mirrors, micropython_path

DEB822 = """\
# The machine's mirrors
Types: deb deb-src
# an older address
URIs: https://mirror.example/debian https://second.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian.gpg

Types: deb
URIs: https://mirror.example/debian-security
Suites: bookworm-security
Components: main
Signed-By: /usr/share/keyrings/debian.gpg

Enabled: no
Types: deb
URIs: https://disabled.example/debian
Suites: bookworm
Components: main

Types: deb-src
URIs: https://sources.example/debian
Suites: bookworm
Components: main
"""

INLINE_KEY = """\
Types: deb
URIs: https://mirror.example/debian
Suites: trixie
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQINBGPL0B
 -----END PGP PUBLIC KEY BLOCK-----
"""

ONE_LINE = """\
# deb https://commented.example/debian bookworm main
deb https://plain.example/debian bookworm main contrib # the usual
deb [arch=amd64 signed-by=/a.gpg,/b.gpg] https://options.example/debian stable main
deb-src https://sources.example/debian bookworm main
deb https://other.example/tool nodistro main
deb https://mirror.example/debian-security bookworm-security main
"""


@pytest.fixture
def sources(tmp_path):
    """A function that writes source lists and returns what is found in them."""
    (tmp_path / "sources.list.d").mkdir()

    def found(**files):
        for name, text in files.items():
            stem, _, suffix = name.rpartition("_")
            folder = tmp_path if stem == "sources" and suffix == "list" else "sources.list.d"
            (tmp_path / folder / f"{stem}.{suffix}").write_text(text)
        return debian_mirrors(tmp_path)

    return found


def test_deb822_stanzas_give_enabled_debian_mirrors_with_their_key(sources):
    key = " /usr/share/keyrings/debian.gpg"
    assert sources(debian_sources=DEB822) == [
        ("https://mirror.example/debian", key),
        ("https://second.example/debian", key),
    ]


def test_a_key_inside_a_deb822_stanza_is_kept_with_its_line_breaks(sources):
    [(_, key)] = sources(debian_sources=INLINE_KEY)
    assert key == INLINE_KEY.partition("Signed-By:")[2].rstrip()
    assert key.count("\n ") == 4


def test_one_line_entries_give_debian_mirrors_with_their_key(sources):
    assert sources(sources_list=ONE_LINE) == [
        ("https://plain.example/debian", ""),
        ("https://options.example/debian", " /a.gpg /b.gpg"),
    ]


def test_mirrors_named_twice_count_once_and_other_files_do_not_count(sources):
    line = "deb https://plain.example/debian bookworm main\n"
    found = sources(sources_list=line, more_list=line, off_disabled=ONE_LINE)
    assert found == [("https://plain.example/debian", "")]


def test_no_source_list_at_all_gives_no_mirror(tmp_path):
    assert debian_mirrors(tmp_path) == []


# --- an interpreter on PATH ---


def _program(folder, name, answer):
    """Put a program on PATH that answers the probe."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{answer}\n")
    (folder / name).chmod(0o755)
    return folder / name


@pytest.fixture
def path(tmp_path, monkeypatch):
    """An otherwise empty PATH."""
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    return tmp_path / "path"


def test_a_good_interpreter_on_path_is_used(tmp_path, path):
    program = _program(path, "micropython", "echo micropython 1 25 64")
    found = micropython_path(64, tmp_path / "private")
    assert found == tmp_path / "private" / "bin" / "micropython64"
    assert found.resolve() == program
    assert not (tmp_path / "private" / "amd64").exists()


def test_an_interpreter_named_after_its_word_size_is_used(tmp_path, path):
    _program(path, "micropython", "echo micropython 1 27 64")
    program = _program(path, "micropython32", "echo micropython 1 26 32")
    assert micropython_path(32, tmp_path / "private").resolve() == program


@pytest.mark.parametrize(
    "answer",
    [
        "echo micropython 1 24 64",
        "echo micropython 1 25 32",
        "echo cpython 3 11 64",
        "echo ImportError; exit 1",
        "echo",
    ],
)
def test_an_unsuitable_interpreter_on_path_is_not_used(tmp_path, path, answer):
    _program(path, "micropython", answer)
    with pytest.raises(SetupError, match=r"no apt-get here.*`micropython` >= 1\.25 \(64-bit\)"):
        micropython_path(64, tmp_path / "private")
    assert not (tmp_path / "private" / "bin" / "micropython64").exists()


def test_a_link_to_an_interpreter_that_has_gone_is_made_anew(tmp_path, path):
    program = _program(path, "micropython", "echo micropython 1 25 64")
    found = micropython_path(64, tmp_path / "private")
    program.unlink()
    program = _program(path, "micropython64", "echo micropython 1 25 64")
    assert not found.exists()
    assert micropython_path(64, tmp_path / "private").resolve() == program


def test_what_is_there_is_returned_without_looking_anywhere(tmp_path, monkeypatch):
    ready = _program(tmp_path / "bin", "micropython32", "exit 1")
    monkeypatch.setattr(micropython, "_on_path", None)
    assert micropython_path(32, tmp_path) == ready


# --- fetching ---


@pytest.fixture
def fetching(monkeypatch):
    """Fetching with one mirror and without interpreters on PATH; apt is up to the test."""
    monkeypatch.setattr(micropython, "_on_path", lambda bits: None)
    monkeypatch.setattr(micropython, "_architecture", lambda bits: "i386")
    monkeypatch.setattr(micropython, "debian_mirrors", lambda: [("mirror", "")])
    return monkeypatch


def test_suites_are_tried_in_order_and_each_failure_is_told_in_one_line(
    tmp_path, fetching, capsys
):
    def download(apt, architecture, suite, uri, signed_by):
        raise SetupError(f"E: no {suite}")

    fetching.setattr(micropython, "_download_from", download)
    with pytest.raises(SetupError, match="check the network and the mirrors"):
        micropython_path(32, tmp_path / "private")
    reasons = [f"{suite}: E: no {suite}" for suite in ("trixie", "stable", "testing", "sid")]
    told = capsys.readouterr().err.splitlines()
    assert told[1::2] == ["micropython: " + reason for reason in reasons]
    assert [path.name for path in (tmp_path / "private").iterdir() if path.is_dir()] == ["bin"]


def test_packages_that_do_not_run_here_leave_nothing_behind(tmp_path, fetching):
    def unpack(packages, folder):
        (folder / "usr" / "lib" / "i386-linux-gnu").mkdir(parents=True)
        (folder / "usr" / "lib" / "i386-linux-gnu" / "ld-linux.so.2").write_text("no program")

    fetching.setattr(micropython, "_download_from", lambda *_: [])
    fetching.setattr(micropython, "_unpack", unpack)
    with pytest.raises(SetupError, match="does not run on this machine"):
        micropython_path(32, tmp_path / "private")
    assert sorted(path.name for path in (tmp_path / "private").rglob("*")) == [".lock", "bin"]


def test_without_a_mirror_the_user_learns_where_to_name_one(tmp_path, fetching):
    fetching.setattr(micropython, "debian_mirrors", list)
    with pytest.raises(SetupError, match=r"no Debian mirror in /etc/apt/sources\.list"):
        micropython_path(32, tmp_path / "private")


def test_two_set_ups_at_once_fetch_once(tmp_path, fetching):
    fetched = []

    def fetch(bits, folder, program):
        fetched.append(bits)
        time.sleep(0.2)
        program.touch()

    fetching.setattr(micropython, "_fetch", fetch)
    threads = [
        threading.Thread(target=micropython_path, args=(32, tmp_path / "private"))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert fetched == [32]


# --- what set-up has made ---


@pytest.mark.parametrize("bits", [64, 32])
def test_the_interpreter_has_the_word_size_that_was_asked_for(bits):
    assert micropython.version(micropython_path(bits))[2] == bits


def test_the_private_folder_can_be_moved_and_linked_to(tmp_path):
    program = micropython_path(32)
    if program.is_symlink():
        pytest.skip("this machine has a 32-bit MicroPython of its own")
    moved = tmp_path / "somewhere else"
    shutil.copytree(
        micropython.FOLDER,
        moved,
        symlinks=True,
        copy_function=lambda old, new: os.link(old, new, follow_symlinks=False),
        ignore=shutil.ignore_patterns("amd64", "arm64", ".lock", ".fetch-*"),
    )
    (tmp_path / "link").symlink_to(moved / "bin" / program.name)
    for name in (moved / "bin" / program.name, tmp_path / "link"):
        done = subprocess.run(
            [name, "-c", "import sys; print(sys.argv)", "a b"], capture_output=True, text=True
        )
        assert (done.returncode, done.stdout) == (0, "['-c', 'a b']\n")
