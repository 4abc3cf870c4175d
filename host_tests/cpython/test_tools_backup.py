"""The host's side of the backup format: a kept example, round trips, what is refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.backup import BEGIN, END, Backup, BackupError, seal, unseal

PASSPHRASE = "correct horse battery"
QUICK = 7  # iterations

# Made once with seven iterations: what this version wrote must stay readable.
KEPT = """\
-----BEGIN PILOTWIRE BACKUP-----
UFdCMQAAAAfnakPxFn5lc1QWg9y/BYbPe8ztiwFXUchFfXyKGslHuyXHSXgNLc70
GiAUZg15cHpJgCbJJVGsPoDpALhgOUttCRx683xTS1EGn26istf2C2KE1Fg+9Vip
MymZLooTFx4zdZCCYVTsRouByuwhbSyveuNmz89qmcl/gdWfAv6WjNAFv/tZuRG/
aDeCwr7D/AlRCS5pMChSaGicMfit7xY32f2xVcSHEd4hFJ7H09QGxw==
-----END PILOTWIRE BACKUP-----
"""


def test_a_backup_of_format_1_stays_readable():
    found = unseal(KEPT, PASSPHRASE)
    assert found.about == {"ship_id": "Pilotwire-0001", "ski": "ab" * 20}
    assert found.files == {"peers": b"[]"}


def test_line_ends_blanks_and_missing_frames_do_no_harm():
    assert unseal(KEPT.replace("\n", "\r\n\r\n"), PASSPHRASE).files
    assert unseal("\n".join("  " + line for line in KEPT.splitlines()), PASSPHRASE).files
    assert unseal(KEPT.replace(BEGIN, "").replace(END, ""), PASSPHRASE).files


@settings(max_examples=50, deadline=None)
@given(
    files=st.dictionaries(
        st.text("abcdefgh", min_size=1, max_size=20), st.binary(max_size=3000), max_size=5
    ),
    passphrase=st.text("abc xyz", min_size=12).filter(lambda t: t == " ".join(t.split())),
)
def test_what_is_sealed_comes_back(files, passphrase):
    files.pop("about", None)
    found = unseal(seal(Backup({"a": 1}, files), passphrase, QUICK), passphrase)
    assert found.about == {"a": 1}
    assert found.files == files


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no backup"),
        ("hello", "base64"),
        (KEPT.replace(END, ""), "last line"),
        ("UFdCMg" + KEPT.splitlines()[1][6:] + "".join(KEPT.splitlines()[2:-1]), "newer format"),
        ("\n".join(KEPT.splitlines()[1:2]), "not all of it"),
    ],
)
def test_what_cannot_be_read_says_why(text, told):
    with pytest.raises(BackupError, match=told):
        unseal(text, PASSPHRASE)


def test_every_flipped_bit_is_noticed():
    import base64

    body = base64.b64decode("".join(KEPT.splitlines()[1:-1]))
    for place in range(len(body)):
        broken = bytearray(body)
        broken[place] ^= 1 << place % 8
        with pytest.raises(BackupError):
            unseal(base64.b64encode(broken).decode(), PASSPHRASE)
    with pytest.raises(BackupError, match="damaged"):
        unseal(base64.b64encode(body[:4] + b"\xff" + body[5:]).decode(), PASSPHRASE)


def test_a_passphrase_that_the_console_cannot_take_is_refused():
    for wrong in ("short", "two  blanks here", "trailing blank ", "stra\u00dfe stra\u00dfe"):
        with pytest.raises(BackupError):
            seal(Backup({}, {}), wrong)
