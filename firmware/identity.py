"""The node's identity: made once, kept for good (SHIP 12.1, 12.2).

Key and certificate live together in one state file, so that a cut can never separate them. A new
key would be a new SKI: every trust relation lost, the printed label wrong. Hence a damaged
identity file stops the start instead of being replaced. The PIN is made with them and has a file
of its own. A planned change of the key is firmware.key_change's work.
"""

import asyncio
import gc
import os
import sys

from micropython import const

from ship.ski import ski_of, to_hex

_NAME = "identity"
_PIN = "pin"
_LENGTH = const(2)  # octets of the key's length in front


class Identity:
    """`key` and `certificate` are DER, `ski` is 40 lower-case digits, `pin` 8, or none if damaged.

    `counter` is the updateCounter of our keys, `predecessor` and `successor` are SKIs or empty.
    """

    def __init__(self, key, certificate):
        self.key = key
        self.certificate = certificate
        self.ski = to_hex(ski_of(certificate))
        self.pin = ""
        self.counter = 1
        self.predecessor = self.successor = ""

    def key_set(self):
        """(currentState, SKI) of each of our keys (SHIP 1.1 12.1.3)."""
        keys = [("current", self.ski)]
        if self.successor:
            keys.append(("successor", self.successor))
        if self.predecessor:
            keys.append(("predecessor", self.predecessor))
        return keys


async def load_or_make(storage, common_name, organisation):
    """The stored identity, or a new one at the first start. Raises OSError if it is damaged."""
    data = storage.load(_NAME)
    if data is None:
        if storage.has(_NAME):
            raise OSError("identity is damaged")
        data = await make(common_name, organisation)
        storage.save(_NAME, data)
    identity = Identity(*split(data))
    if not storage.has(_PIN):
        from ship.pin_check import make_pin

        storage.save(_PIN, make_pin(os.urandom).encode())
    identity.pin = str(storage.load(_PIN) or b"", "ascii")
    if storage.has("keys"):
        from firmware.key_change import apply

        identity = apply(storage, identity)
    return identity


def split(data):
    """(key, certificate) of what `make` gave."""
    end = _LENGTH + int.from_bytes(data[:_LENGTH], "big")
    return bytes(data[_LENGTH:end]), bytes(data[end:])


async def make(common_name, organisation, key=None):
    """A new identity in its stored form, or a new certificate for `key`.

    The arithmetic is loaded for this once and forgotten.
    """
    loaded = set(sys.modules)
    from ship.identity import make_identity

    maker = make_identity(common_name, organisation, os.urandom, key)
    for _ in maker:
        await asyncio.sleep_ms(0)
    for name in set(sys.modules) - loaded:
        del sys.modules[name]
    gc.collect()
    return len(maker.key_der).to_bytes(_LENGTH, "big") + maker.key_der + maker.certificate_der
