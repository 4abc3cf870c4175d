"""What a whole flash image for an Espressif chip says of itself.

Such an image begins with the bootloader, at the chip's own place in the flash, and has the
partition table at 0x8000; formats: ESP-IDF's "Firmware Image Format" and "Partition Tables".
"""

import struct
from dataclasses import dataclass

from tools.board_facts import IMAGE_IDS, named

_MAGIC = 0xE9
_APPLICATION_MAGIC = 0xABCD5432  # esp_app_desc_t, behind the two headers of an application
_APPLICATION_AT = 32
_TABLE_AT = 0x8000
_TABLE_SIZE = 0xC00
_ENTRY = struct.Struct("<HBBII16sI")
_ENTRY_MAGIC = 0x50AA
APPLICATION = 0

# Where the bootloader is, if not at 0
_STARTS = {
    "ESP32": 0x1000,
    "ESP32-S2": 0x1000,
    "ESP32-P4": 0x2000,
    "ESP32-C5": 0x2000,
}


class ImageError(Exception):
    """This is not a whole image for such a chip; the text says what it is instead."""


@dataclass
class Partition:
    """A row of the partition table; octets."""

    name: str
    kind: int
    offset: int
    size: int


@dataclass
class Image:
    """Octets and places in the flash."""

    chip: str
    start: int
    size: int
    partitions: list[Partition]

    @property
    def flash_size(self) -> int:
        """How much flash there must be."""
        ends = [partition.offset + partition.size for partition in self.partitions]
        return max([self.start + self.size, *ends])


def parse(data: bytes) -> Image:
    """Look at an image. Raises ImageError."""
    if len(data) < _APPLICATION_AT + 4 or data[0] != _MAGIC:
        raise ImageError("it is not an image for an Espressif chip")
    if struct.unpack_from("<I", data, _APPLICATION_AT)[0] == _APPLICATION_MAGIC:
        raise ImageError(
            "it holds the application alone; the image to flash begins with the bootloader "
            "(firmware.bin, not micropython.bin)"
        )
    number = struct.unpack_from("<H", data, 12)[0]
    if number not in IMAGE_IDS.values():
        raise ImageError(f"it is for {named(number)}, which Pilotwire does not know")
    chip = named(number)
    start = _STARTS.get(chip, 0)
    partitions = _table(data[_TABLE_AT - start :][:_TABLE_SIZE])
    image = Image(chip, start, len(data), partitions)
    first = min(part.offset for part in partitions if part.kind == APPLICATION)
    if start + len(data) <= first:
        raise ImageError(f"it ends at {start + len(data):#x}, before the application")
    if data[first - start] != _MAGIC:
        raise ImageError(f"there is no application at {first:#x}")
    return image


def _table(data: bytes) -> list[Partition]:
    found = []
    for place in range(0, len(data) - _ENTRY.size + 1, _ENTRY.size):
        magic, kind, _, offset, size, name, _ = _ENTRY.unpack_from(data, place)
        if magic != _ENTRY_MAGIC:
            break
        found.append(Partition(name.rstrip(b"\0").decode("utf-8", "replace"), kind, offset, size))
    if not any(partition.kind == APPLICATION for partition in found):
        raise ImageError("it has no partition table with an application: it is cut or damaged")
    return found
