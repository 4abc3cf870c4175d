"""The node's identity: made once, kept for good (SHIP 12.1, 12.2).

Key and certificate live together in one state file, so that a cut can never separate them. A new
key would be a new SKI: every trust relation lost, the printed label wrong. Hence a damaged
identity file stops the start instead of being replaced.
"""

import asyncio
import gc
import os
import sys

from micropython import const

from ship.ski import ski_of, to_hex

_NAME = "identity"
_LENGTH = const(2)  # octets of the key's length in front


class Identity:
    """`key` and `certificate` are DER, `ski` is 40 lower-case digits."""

    def __init__(self, key, certificate):
        self.key = key
        self.certificate = certificate
        self.ski = to_hex(ski_of(certificate))


async def load_or_make(storage, common_name, organisation):
    """The stored identity, or a new one at the first start. Raises OSError if it is damaged."""
    data = storage.load(_NAME)
    if data is None:
        if storage.has(_NAME):
            raise OSError("identity is damaged")
        data = await _make(common_name, organisation)
        storage.save(_NAME, data)
    end = _LENGTH + int.from_bytes(data[:_LENGTH], "big")
    return Identity(bytes(data[_LENGTH:end]), bytes(data[end:]))


async def _make(common_name, organisation):
    """A new identity in its stored form. The arithmetic is loaded for this once and forgotten."""
    loaded = set(sys.modules)
    from ship.identity import make_identity

    maker = make_identity(common_name, organisation, os.urandom)
    for _ in maker:
        await asyncio.sleep_ms(0)
    for name in set(sys.modules) - loaded:
        del sys.modules[name]
    gc.collect()
    return len(maker.key_der).to_bytes(_LENGTH, "big") + maker.key_der + maker.certificate_der
