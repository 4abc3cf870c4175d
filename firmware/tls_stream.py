"""A TLS connection on a non-blocking socket (SHIP 9, IEC 63380-3 6.6).

MicroPython's own asyncio streams poll a TLS socket every millisecond, because it has no descriptor
of its own; this class tries the TLS socket first and then waits for the raw one underneath, which
is ten times quicker on the Unix port. The handshake advances inside the reads and never blocks the
loop for longer than one step of mbedTLS.

There is no CA: certificates are asked for, and the peer's is checked for a good SKI in the
handshake (`verify_callback`) and again against the trusted keys afterwards.

What of SHIP 9 is done, and what MicroPython (1.25) does not allow, since an SSLContext has nothing
but ciphers, certificates and the two verify attributes:

    maximum fragment length   as server, what a TLS 1.2 client asks for is agreed; as client it
                              cannot be asked for; we send 1024 octets at most in any case
    compression               mbedTLS has none; only null is ever agreed
    renegotiation             not compiled in: answered by no_renegotiation, and the connection
                              ends; RFC 5746 is indicated
    session resumption        no call saves or sets a session, and no tickets are given out: every
                              handshake is a full one, so every certificate passes `_verify`
    curves, TLS probing       cannot be limited for a context; our certificate is secp256r1, which
                              every node must know, so there is nothing to probe for. A peer that
                              comes with other curves gets an alert and may come again.
    certificate renewal       firmware.key_change
"""

import errno
from asyncio import core

import tls
from micropython import const

from ship.ski import CertificateError, ski_of

# Records are kept to 1024 octets even where no maximum fragment length is negotiated (SHIP 9.2).
MAX_FRAGMENT = const(1024)

_CIPHERS = [
    "TLS-ECDHE-ECDSA-WITH-AES-128-GCM-SHA256",
    "TLS-ECDHE-ECDSA-WITH-AES-128-CBC-SHA256",
]
# Where mbedTLS offers TLS 1.3 a list without its suites would end every handshake.
_CIPHERS_1_3 = ["TLS1-3-AES-128-GCM-SHA256", "TLS1-3-AES-128-CCM-SHA256"]
_ALERT = b"\x15\x03\x03\x00\x02\x02\x50"  # fatal, internal_error (80), in the clear
_BAD_CERTIFICATE = const(-0x3000)  # makes mbedTLS end the handshake with an alert

# Why `_verify` has refused; read while the same call into mbedTLS ends with that error.
_refusal = ""


def server_context(certificate, key):
    """A context for connections that peers open. `certificate` and `key` are DER."""
    return _context(tls.PROTOCOL_TLS_SERVER, certificate, key)


def client_context(certificate, key):
    """A context for connections that this node opens; the same certificate serves both roles."""
    return _context(tls.PROTOCOL_TLS_CLIENT, certificate, key)


def _context(protocol, certificate, key):
    context = tls.SSLContext(protocol)
    context.verify_mode = tls.CERT_OPTIONAL
    try:
        context.set_ciphers(_CIPHERS_1_3 + _CIPHERS)
    except (ValueError, OSError):  # mbedTLS without TLS 1.3 does not know the names
        context.set_ciphers(_CIPHERS)
    context.load_cert_chain(certificate, key)
    context.verify_callback = _verify
    return context


def _verify(certificate, depth):
    """Called inside the handshake; must not raise. Only the end-entity certificate matters."""
    global _refusal
    if depth == 0:
        try:
            ski_of(certificate)
        except CertificateError as error:
            _refusal = error.args[0]
            return _BAD_CERTIFICATE
    return 0


def send_alert(raw):
    """Tell a client that is sent away before the handshake that it is not its fault."""
    try:
        raw.send(_ALERT)
    except OSError:
        pass  # it was faster


class TlsStream:
    """One connection; reads are coroutines, writes take what fits and never wait.

    `host` is None for a server; a client gives the peer's host name, empty if it is not known.
    """

    def __init__(self, raw, context, host=None):
        raw.setblocking(False)
        self._raw = raw
        self._tls = context.wrap_socket(
            raw,
            server_side=host is None,
            do_handshake_on_connect=False,
            server_hostname=host or None,
        )

    async def handshake(self):
        """Client: finish the handshake and send nothing beyond it, so that `peer_ski` can decide.

        Raises OSError and CertificateError.
        """
        scratch = bytearray(1)
        while True:
            count = self._read(scratch)
            if count is not None:
                raise OSError(errno.ECONNRESET if count == 0 else errno.EINVAL)
            # mbedTLS knows the peer's certificate when the handshake is over, not before
            if self._tls.getpeercert(True):
                return
            yield core._io_queue.queue_read(self._raw)

    async def readinto(self, view):
        """Read at least one octet into `view`; 0 at the end of the stream.

        Raises OSError, and CertificateError for a peer whose certificate names nobody.
        """
        while True:
            count = self._read(view)
            if count is not None:
                return count
            yield core._io_queue.queue_read(self._raw)

    def _read(self, view):
        """Read what is there; None if that is nothing."""
        try:
            return self._tls.readinto(view)
        except OSError as error:
            if error.errno == _BAD_CERTIFICATE:
                raise CertificateError(_refusal)
            raise

    def write(self, view):
        """Write what fits now, at most one record; return the number of octets. OSError."""
        return self._tls.write(view) or 0

    async def writable(self):
        """Wait until `write` may take more."""
        yield core._io_queue.queue_write(self._raw)

    def peer_ski(self):
        """SKI of the peer's certificate, 20 octets; None without certificate. CertificateError."""
        certificate = self._tls.getpeercert(True)
        return ski_of(certificate) if certificate else None

    def close(self):
        """Close TLS and the socket."""
        try:
            self._tls.close()
        except OSError:
            pass  # the peer was faster
