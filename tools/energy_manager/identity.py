"""Who this energy manager is: key pair, certificate, SKI, SHIP ID, kept in a state folder.

The key is made once; a new key would be a new SKI and end every trust relation (SHIP 12.1.1).
The SKI is the SHA-1 of the public key's bits (SHIP 12.2), written as 40 lower-case hex digits and
shown in groups of four.

Files in the folder: `key.pem` (readable by the owner only), `certificate.pem`, `identity.json`.
"""

import datetime
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DEFAULT_STATE = Path("build") / "energy_manager"
BRAND = "Pilotwire"
MODEL = "EnergyManager"

_NOT_BEFORE = datetime.datetime(2020, 1, 1)
_NOT_AFTER = datetime.datetime(2099, 12, 31)


class WrongCertificate(Exception):
    """A certificate that cannot identify a SHIP node (SHIP 12.1, 12.2)."""


def normalise_ski(text: str) -> str:
    """Return an SKI as 40 lower-case hex digits; blanks, `-` and `:` are dropped."""
    ski = "".join(c for c in text if c not in " -:\t").lower()
    if len(ski) != 40 or any(c not in "0123456789abcdef" for c in ski):
        raise ValueError(f"not an SKI (40 hex digits): {text!r}")
    return ski


def grouped(ski: str) -> str:
    """Return an SKI as people compare it: ten groups of four digits."""
    return " ".join(ski[i : i + 4] for i in range(0, 40, 4))


def certificate_ski(der: bytes) -> str:
    """Return the SKI of a DER certificate after recomputing it from the public key.

    Raise `WrongCertificate` unless the key is on secp256r1 and the extension holds the same value:
    an SKI that is only claimed proves nothing. Names, dates and issuer are not looked at.
    """
    try:
        certificate = x509.load_der_x509_certificate(der)
        key = certificate.public_key()
        extension = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except x509.ExtensionNotFound as error:
        raise WrongCertificate("the certificate has no SubjectKeyIdentifier") from error
    except (ValueError, TypeError) as error:
        raise WrongCertificate(f"the certificate cannot be read: {error}") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise WrongCertificate("the certificate's key is not on secp256r1")
    computed = x509.SubjectKeyIdentifier.from_public_key(key).digest
    claimed = extension.value.digest
    if claimed != computed:
        raise WrongCertificate(f"the certificate claims {claimed.hex()}, not {computed.hex()}")
    return computed.hex()


def write_file(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Replace a file in one step, so that a crash leaves the old or the new content."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


@dataclass(frozen=True)
class Identity:
    """Our own node: `ski`, `ship_id`, the SPINE `device` address, and the files TLS needs."""

    ski: str
    ship_id: str
    device: str
    certificate_path: Path
    key_path: Path

    @classmethod
    def load(cls, folder: Path | str = DEFAULT_STATE) -> "Identity":
        """Read the identity kept in `folder`, or make one there at the first call."""
        folder = Path(folder)
        key_path, certificate_path = folder / "key.pem", folder / "certificate.pem"
        names_path = folder / "identity.json"
        if not (key_path.exists() and certificate_path.exists() and names_path.exists()):
            folder.mkdir(parents=True, exist_ok=True)
            _create(key_path, certificate_path, names_path)
        certificate = x509.load_pem_x509_certificate(certificate_path.read_bytes())
        ski = certificate_ski(certificate.public_bytes(serialization.Encoding.DER))
        names = json.loads(names_path.read_text())
        return cls(ski, names["ship_id"], names["device"], certificate_path, key_path)


def _create(key_path: Path, certificate_path: Path, names_path: Path) -> None:
    """Make key, self-signed certificate and names; an existing key is kept."""
    if key_path.exists():
        key = serialization.load_pem_private_key(key_path.read_bytes(), None)
    else:
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        write_file(key_path, pem, 0o600)
    unique = secrets.token_hex(6)
    if names_path.exists():
        unique = json.loads(names_path.read_text())["ship_id"].rsplit("-", 1)[-1]
    certificate = _self_signed(key, f"{BRAND}-{MODEL}-{unique}")
    write_file(certificate_path, certificate.public_bytes(serialization.Encoding.PEM))
    # No IANA enterprise number is assigned to the project, hence the vendor-name form.
    names = {"ship_id": f"{BRAND}-{MODEL}-{unique}", "device": f"d:_n:{BRAND}_{MODEL}-{unique}"}
    write_file(names_path, json.dumps(names, indent=1).encode() + b"\n")


def _self_signed(key: ec.EllipticCurvePrivateKey, common_name: str) -> x509.Certificate:
    """Build the certificate of SHIP 12.1.1: v3, ECDSA with SHA-256, SKI extension."""
    public = key.public_key()
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, BRAND),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )
    usage = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "key_cert_sign",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(_NOT_BEFORE)
        .not_valid_after(_NOT_AFTER)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(digital_signature=True, **usage), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )
