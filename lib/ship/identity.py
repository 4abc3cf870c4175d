"""Makes a node's identity: key pair, self-signed certificate and SKI, in slices.

Covers SHIP 12.1 and 12.2. To be done once, at the first start: a new key is a new SKI, with
every trust relation lost and the printed label wrong. A new certificate for the same key changes
nothing for anybody. Storing is the caller's work.

On an ESP32 the hardware generator behind `os.urandom` is a true one only while the radio is on,
so the radio has to be switched on before this starts.
"""

from ship import p256, ski, x509


def make_identity(common_name: str, organisation: str, urandom, key_der=None):
    """Return an iterable that does a bounded piece of work per turn.

    With `key_der` only the certificate is made anew, for that key (certificate renewal).

    After its last turn it holds `key_der` (ECPrivateKey), `certificate_der` and `ski`
    (20 octets); until then they are None. An empty `organisation` is left out.

    Raise ValueError for a name that a certificate cannot have, for an unreadable key, and from a
    turn if the entropy source is broken.
    """
    pair = x509.read_private_key(key_der) if key_der else None
    return _IdentityMaker(x509.name(common_name, organisation), urandom, pair)


class _IdentityMaker:
    def __init__(self, node_name, urandom, pair):
        self.key_der = None
        self.certificate_der = None
        self.ski = None
        self._node_name = node_name
        self._urandom = urandom
        self._pair = pair

    def __iter__(self):
        if self._pair:
            private_key, point = self._pair
        else:
            private_key = p256.new_private_key(self._urandom)
            x, y = yield from p256.multiply(private_key)
            point = p256.encode_point(x, y)
        certificate = yield from x509.self_signed(
            private_key, point, self._node_name, self._urandom
        )
        # read as a peer will read it; its errors would be ours
        self.ski = ski.ski_of(certificate)
        self.key_der = x509.private_key_der(private_key, point)
        self.certificate_der = certificate
