"""The charger's identity: made at the first start, kept for good, never half there (SHIP 12.1,
12.2).

The certificate is judged by OpenSSL and by `cryptography`; cuts are SIGKILLs at moments spread
over the first start.
"""

import hashlib
import re
import stat
import subprocess
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tools.simulate import Simulator

CUTS = 12


def charger_in(folder, **options):
    """A simulated charger with this state folder."""
    return Simulator(port=0, state=folder, no_mdns=True, **options)


@pytest.fixture
def charger(tmp_path):
    """A charger that has started for the first time; its state is in `tmp_path / "state"`."""
    with charger_in(tmp_path / "state") as started:
        assert started.port
        yield started


def ski_at_start(charger, start=0):
    """The SKI that the event `listening` tells."""
    return charger.wait_event("listening", start=start)["ski"]


def test_the_first_start_makes_an_identity(charger, tmp_path):
    identity = charger.command("id")
    assert re.fullmatch("[0-9a-f]{40}", identity["ski"])
    assert identity["ski"] == ski_at_start(charger)
    assert identity["ship_id"] == "Pilotwire-0001"
    assert (tmp_path / "state" / "identity").stat().st_size > 300


def test_each_charger_has_a_key_of_its_own(charger, tmp_path):
    with charger_in(tmp_path / "other") as other:
        assert ski_at_start(other) != ski_at_start(charger)


def test_the_ski_is_the_same_after_restart_and_in_the_next_process(charger, tmp_path):
    before = charger.command("certificate")["text"]
    ski = ski_at_start(charger)
    mark = charger.mark()
    charger.command("restart")
    assert ski_at_start(charger, mark) == ski
    assert charger.command("certificate")["text"] == before
    assert charger.stop() == 0
    charger.start()
    assert ski_at_start(charger) == ski
    assert charger.command("certificate")["text"] == before


def test_state_files_are_for_their_owner_only(charger, tmp_path):
    charger.command("trust " + "ab" * 20)
    charger.command("trust " + "cd" * 20)  # the second write makes a .bak
    assert charger.stop() == 0
    modes = {f.name: stat.S_IMODE(f.stat().st_mode) for f in (tmp_path / "state").iterdir()}
    assert {"identity", "peers.2", "peers.2.bak", "settings"} <= set(modes)
    assert set(modes.values()) == {0o600}, modes


@pytest.mark.parametrize("bits", [64, 32])
def test_openssl_and_cryptography_accept_the_certificate_and_find_the_ski(tmp_path, bits):
    with charger_in(tmp_path, bits=bits) as charger:
        pem = charger.command("certificate")["text"].encode()
        ski = charger.command("id")["ski"]

    certificate = x509.load_pem_x509_certificate(pem)
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert key.curve.name == "secp256r1"
    certificate.verify_directly_issued_by(certificate)  # its signature is good
    point = key.public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
    extension = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    assert hashlib.sha1(point).hexdigest() == extension.value.digest.hex() == ski

    text = openssl(pem, "-noout", "-text")
    assert "ASN1 OID: prime256v1" in text
    assert "Signature Algorithm: ecdsa-with-SHA256" in text
    claimed = re.search(r"Subject Key Identifier:[^\n]*\n\s*([0-9A-F:]+)", text)[1]
    assert claimed.replace(":", "").lower() == ski
    public = openssl(pem, "-noout", "-pubkey").encode()
    der = subprocess.run(
        ["openssl", "pkey", "-pubin", "-outform", "DER"],
        input=public,
        capture_output=True,
        check=True,
    ).stdout
    assert hashlib.sha1(der[-65:]).hexdigest() == ski  # the key's bits end its structure


def openssl(pem, *arguments):
    """What `openssl x509` says about a certificate."""
    command = ["openssl", "x509", *arguments]
    done = subprocess.run(command, input=pem, capture_output=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


def test_a_kill_during_the_first_start_never_leaves_half_an_identity(tmp_path):
    start = time.monotonic()
    with charger_in(tmp_path / "whole") as charger:
        assert charger.port
        whole_s = time.monotonic() - start
    for cut in range(CUTS + 1):
        file = tmp_path / str(cut) / "identity"
        charger = charger_in(file.parent)
        begin = time.monotonic()
        charger.start()
        # most cuts in the later half: before it the interpreter only loads the code
        at_s = whole_s * (0.4 + 0.8 * cut / CUTS)
        if cut < CUTS:
            time.sleep(max(0, begin + at_s - time.monotonic()))
        else:  # the last one as soon as the file is there, however busy the machine is
            while not file.exists():
                assert time.monotonic() < begin + 30, "no identity was made"
                time.sleep(0.001)
        charger.kill()
        assert charger.process.returncode == -9
        before = file.read_bytes() if file.exists() else None
        with charger:
            ski = ski_at_start(charger)
            assert charger.command("id")["ski"] == ski
        if before is not None:
            assert file.read_bytes() == before
        with charger:
            assert ski_at_start(charger) == ski
    assert before is not None


@pytest.mark.parametrize("kept", [0, 1, 40, -1])
def test_a_damaged_identity_stops_the_start_and_is_not_replaced(charger, tmp_path, kept):
    assert charger.stop() == 0
    file = tmp_path / "state" / "identity"
    damaged = file.read_bytes()[:kept]
    file.write_bytes(damaged)
    charger.start()
    assert charger.process.wait(10) == 1
    charger.stop()
    assert any("identity is damaged" in line for line in charger.lines), charger.lines
    assert not any("listening" in line for line in charger.lines)
    assert file.read_bytes() == damaged


@pytest.mark.parametrize("name", ["identity.new", "peers.2.new", "settings.new"])
def test_what_an_interrupted_write_left_is_not_looked_at(charger, tmp_path, name):
    ski = ski_at_start(charger)
    assert charger.stop() == 0
    (tmp_path / "state" / name).write_bytes(b"PW1\n half a file")
    charger.start()
    assert ski_at_start(charger) == ski
    assert charger.command("peers")["trusted"] == []
