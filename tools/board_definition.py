"""MicroPython's board definition for one of our boards, made outside of MicroPython's tree.

    mpconfigboard.cmake, mpconfigboard.h   chip, name, features
    sdkconfig.board                        ESP-IDF's options, those of boards/<name>/sdkconfig last
    partitions.csv                         two application slots and a partition for the state
    manifest.py                            what is frozen: the bundle and MicroPython's modules

All of it follows from the board's class: CHIP, MODEL, and FLASH_MIB if there are not 4 MiB.
"""

from dataclasses import dataclass
from pathlib import Path

from tools.board_facts import BoardError, chip_of, constant_of, plain

_KIB = 1024
_FIRST = 0x10000  # of the applications; before it are bootloader, tables and settings of ESP-IDF
_ALIGNED = 0x10000  # an application begins at a multiple
_STATE_KIB = 320  # at least

_CMAKE = """\
# Made by `make firmware`.
{base}

list(APPEND SDKCONFIG_DEFAULTS ${{MICROPY_BOARD_DIR}}/sdkconfig.board)
set(MICROPY_FROZEN_MANIFEST ${{MICROPY_BOARD_DIR}}/manifest.py)
"""

# Trees before 1.26 have no fragment for each chip.
_NO_FRAGMENT = """\
set(IDF_TARGET {target})
set(SDKCONFIG_DEFAULTS boards/sdkconfig.base ${{SDKCONFIG_IDF_VERSION_SPECIFIC}})"""

_HEADER = """\
// Made by `make firmware`.
#define MICROPY_HW_BOARD_NAME "{name}"
#define MICROPY_HW_MCU_NAME "{chip}"
#define MICROPY_PY_BLUETOOTH (0)
// Either would take UDP port 5353, which is ours.
#define MICROPY_HW_ENABLE_MDNS_RESPONDER (0)
#define MICROPY_HW_ENABLE_MDNS_QUERIES (0)
"""

_SDKCONFIG = """\
# Made by `make firmware`.
CONFIG_ESPTOOLPY_FLASHSIZE_4MB=
CONFIG_ESPTOOLPY_FLASHSIZE_{flash}MB=y
CONFIG_PARTITION_TABLE_CUSTOM=y
CONFIG_PARTITION_TABLE_CUSTOM_FILENAME="{partitions}"
CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE=y
CONFIG_BT_ENABLED=n
# TLS buffers that are there only while they are used; not possible with DTLS.
CONFIG_MBEDTLS_SSL_PROTO_DTLS=n
CONFIG_MBEDTLS_DYNAMIC_BUFFER=y
"""

_MANIFEST = """\
# Made by `make firmware`.
include("$(PORT_DIR)/boards/manifest.py")
"""

_MAIN = """\
from firmware.start import main

main((), "pilotwire")
"""


@dataclass
class Row:
    """One line of the partition table; octets."""

    name: str
    kind: str
    subtype: str
    offset: int
    size: int


def flash_mib(board: str, root: Path) -> int:
    """Return the size of a board's flash. Raises BoardError."""
    size = constant_of(board, root, "FLASH_MIB") or 4
    if size not in (4, 8, 16, 32):
        raise BoardError(f"boards/{board} has FLASH_MIB {size}; two slots take 4, 8, 16 or 32")
    return size


def partitions(flash: int) -> list[Row]:
    """Return the table for so many MiB: as much as possible for two equal applications."""
    room = flash * _KIB * _KIB - _FIRST - _STATE_KIB * _KIB
    slot = min(room // 2 // _ALIGNED * _ALIGNED, 3 * _KIB * _KIB)
    state = _FIRST + 2 * slot
    return [
        Row("nvs", "data", "nvs", 0x9000, 0x4000),
        Row("otadata", "data", "ota", 0xD000, 0x2000),
        Row("phy_init", "data", "phy", 0xF000, 0x1000),
        Row("ota_0", "app", "ota_0", _FIRST, slot),
        Row("ota_1", "app", "ota_1", _FIRST + slot, slot),
        # The label by which MicroPython finds its file system. With the code in the
        # applications nothing is in it but our state.
        Row("vfs", "data", "fat", state, flash * _KIB * _KIB - state),
    ]


def partitions_csv(flash: int) -> str:
    """Return the table as ESP-IDF reads it."""
    lines = ["# Made by `make firmware`.", "# name, type, subtype, offset, size"]
    for row in partitions(flash):
        lines.append(f"{row.name}, {row.kind}, {row.subtype}, {row.offset:#x}, {row.size:#x}")
    return "\n".join(lines) + "\n"


def write(folder: Path, board: str, bundle: Path, tree: "Path | None", root: Path) -> None:
    """Write the definition into a folder that is there; `bundle` has the sources to freeze.

    `tree` is MicroPython's, None if it is not known yet. Raises BoardError.
    """
    chip = chip_of(board, root)
    if chip is None:
        raise BoardError(f"boards/{board} runs on a computer: make run starts it")
    flash = flash_mib(board, root)
    base = f"boards/mpconfigboard_{plain(chip)}_common.cmake"
    if tree is None or (tree / "ports" / "esp32" / base).is_file():
        base = f"include({base})"
    else:
        base = _NO_FRAGMENT.format(target=plain(chip))
    name = constant_of(board, root, "MODEL") or board
    options = _SDKCONFIG.format(flash=flash, partitions=folder / "partitions.csv")
    own = root / "boards" / board / "sdkconfig"
    if own.is_file():
        options += own.read_text()
    files = {
        "mpconfigboard.cmake": _CMAKE.format(base=base),
        "mpconfigboard.h": _HEADER.format(name=name, chip=chip),
        "sdkconfig.board": options,
        "partitions.csv": partitions_csv(flash),
        "manifest.py": _MANIFEST + _frozen(bundle, folder),
        "main.py": _MAIN,
    }
    for file, text in files.items():
        (folder / file).write_text(text)


def _frozen(bundle: Path, folder: Path) -> str:
    """Return the manifest's lines for the bundle, its packages and main.py."""
    lines = [f'module("main.py", base_path="{folder}")']
    for path in sorted(bundle.glob("*.py")):
        lines.append(f'module("{path.name}", base_path="{bundle}")')
    for package in sorted(path for path in bundle.iterdir() if path.is_dir()):
        lines.append(f'package("{package.name}", base_path="{bundle}")')
    return "\n".join(lines) + "\n"
