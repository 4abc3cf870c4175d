"""Flash images for Espressif chips, made by hand."""

import struct

MIB = 1 << 20
SLOT = 0x1D0000


def header(chip, segments=1, magic=0xE9):
    """The first 24 octets of an image: no entry, 4 MB of flash."""
    return bytes([magic, segments, 2, 0x20]) + struct.pack(
        "<IB3sHBHH4xB", 0, 0, b"", chip, 0, 0, 0, 0
    )


def whole(chip=9, start=0, partitions=None, application=0xE9, size=0x12000):
    """A whole image; two slots and a state partition unless told otherwise."""
    if partitions is None:
        partitions = [
            (1, 2, 0x9000, 0x4000, b"nvs"),
            (0, 0x10, 0x10000, SLOT, b"ota_0"),
            (0, 0x11, 0x10000 + SLOT, SLOT, b"ota_1"),
            (1, 0x81, 0x3B0000, 0x50000, b"vfs"),
        ]
    data = bytearray(b"\xff" * size)
    data[:24] = header(chip)
    for number, (kind, subtype, offset, length, name) in enumerate(partitions):
        row = struct.pack("<HBBII16sI", 0x50AA, kind, subtype, offset, length, name, 0)
        place = 0x8000 - start + 32 * number
        data[place : place + 32] = row
    del data[size:]  # a row behind the end has made it longer
    if size > 0x10000 - start:
        data[0x10000 - start] = application
    return bytes(data)
