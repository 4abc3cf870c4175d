"""make firmware: the board definition, what is missing, a build with stand-ins for the tools."""

import itertools
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from host_tests.cpython.esp_images import SLOT, whole
from tools import board_definition, firmware, romfs
from tools.board_definition import partitions
from tools.board_facts import BoardError
from tools.romfs import ROOT

# Counts like ninja, and leaves what a build leaves.
MAKEFILE = """\
submodules:
all:
\t@echo "[1/2] Compiling $(BOARD)"; echo "[2/2] Linking"
\t@test -f $(BOARD_DIR)/mpconfigboard.cmake
\t@mkdir -p $(BUILD)
\t@cp $(IMAGES)/firmware.bin $(IMAGES)/micropython.bin $(BUILD)
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A copy of the sources with a board of a chip, bundled."""
    root = tmp_path_factory.mktemp("root")
    for folder in ("firmware", "lib", "boards"):
        shutil.copytree(ROOT / folder, root / folder)
    ours = root / "boards" / "ours"
    shutil.copytree(ROOT / "boards" / "sim", ours)
    text = (ours / "board.py").read_text().replace("boards.sim", "boards.ours")
    (ours / "board.py").write_text(
        text.replace("    VENDOR =", '    CHIP = "ESP32-S3"\n    VENDOR =')
    )
    romfs.compile_bundle("ours", root)
    return root


@pytest.fixture
def root(built, monkeypatch):
    """That copy, where builds go; it is not bundled again."""
    monkeypatch.setattr(romfs, "compile_bundle", lambda board, root: None)
    for function in (firmware.define, firmware.collect):
        monkeypatch.setattr(function, "__defaults__", (built,))
    return built


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """A MicroPython tree and an ESP-IDF that are no more than what is looked at."""
    tree = tmp_path / "micropython"
    (tree / "ports" / "esp32").mkdir(parents=True)
    (tree / "ports" / "esp32" / "Makefile").write_text(MAKEFILE)
    (tree / "py").mkdir()
    header = "#define MICROPY_VERSION_MAJOR 1\n#define MICROPY_VERSION_MINOR 26\n"
    (tree / "py" / "mpconfig.h").write_text(header)
    idf = tmp_path / "idf"
    (idf / "tools" / "cmake").mkdir(parents=True)
    version = "set(IDF_VERSION_MAJOR 5)\nset(IDF_VERSION_MINOR 5)\n"
    (idf / "tools" / "cmake" / "version.cmake").write_text(version)
    (idf / "idf.py").write_text("#!/bin/sh\n")
    (idf / "idf.py").chmod(0o755)
    images = tmp_path / "images"
    images.mkdir()
    (images / "firmware.bin").write_bytes(whole())
    (images / "micropython.bin").write_bytes(b"\xe9" * 1000)
    monkeypatch.setenv("IDF_PATH", str(idf))
    monkeypatch.setenv("PATH", f"{idf}:/usr/bin:/bin")
    monkeypatch.setenv("MICROPYTHON", str(tree))
    monkeypatch.setenv("IMAGES", str(images))
    return tmp_path


def run(*words):
    return firmware.main(["--board", "ours", *words])


@pytest.mark.parametrize("flash", [4, 8, 16])
def test_partitions_are_two_equal_slots_and_the_state_without_gaps(flash):
    rows = partitions(flash)
    assert [row.name for row in rows] == ["nvs", "otadata", "phy_init", "ota_0", "ota_1", "vfs"]
    assert rows[0].offset == 0x9000
    for row, following in itertools.pairwise(rows):
        assert row.offset + row.size == following.offset
    assert rows[-1].offset + rows[-1].size == flash << 20
    assert (
        rows[3].size == rows[4].size and rows[3].offset % 0x10000 == rows[4].offset % 0x10000 == 0
    )
    assert rows[-1].size >= 320 * 1024


def test_the_table_for_4_mib():
    assert board_definition.partitions_csv(4) == (
        "# Made by `make firmware`.\n"
        "# name, type, subtype, offset, size\n"
        "nvs, data, nvs, 0x9000, 0x4000\n"
        "otadata, data, ota, 0xd000, 0x2000\n"
        "phy_init, data, phy, 0xf000, 0x1000\n"
        "ota_0, app, ota_0, 0x10000, 0x1d0000\n"
        "ota_1, app, ota_1, 0x1e0000, 0x1d0000\n"
        "vfs, data, fat, 0x3b0000, 0x50000\n"
    )


def test_the_definition_freezes_the_bundle_and_takes_the_boards_own_options(root, tools):
    (root / "boards" / "ours" / "sdkconfig").write_text("CONFIG_SPIRAM_MODE_OCT=y\n")
    folder = firmware.define("ours", tools / "micropython")
    texts = {path.name: path.read_text() for path in folder.iterdir()}
    assert "set(IDF_TARGET esp32s3)" in texts["mpconfigboard.cmake"], "an old tree"
    (root / "boards" / "ours" / "sdkconfig").unlink()
    assert texts["sdkconfig.board"].endswith("CONFIG_SPIRAM_MODE_OCT=y\n")
    assert f'CUSTOM_FILENAME="{folder}/partitions.csv"' in texts["sdkconfig.board"]
    assert '#define MICROPY_HW_MCU_NAME "ESP32-S3"' in texts["mpconfigboard.h"]
    frozen = []
    steps = {
        "include": lambda name: None,
        "module": lambda name, base_path: frozen.append(f"{base_path}/{name}"),
        "package": lambda name, base_path: frozen.append(f"{base_path}/{name}"),
    }
    exec(texts["manifest.py"], steps)
    bundle = root / "build" / "bundle" / "ours"
    assert set(frozen) >= {f"{folder}/main.py", f"{bundle}/pilotwire.py", f"{bundle}/firmware"}
    assert all(Path(path).exists() for path in frozen)
    new = tools / "micropython" / "ports" / "esp32" / "boards"
    new.mkdir()
    (new / "mpconfigboard_esp32s3_common.cmake").write_text("")
    firmware.define("ours", tools / "micropython")
    text = (folder / "mpconfigboard.cmake").read_text()
    assert "include(boards/mpconfigboard_esp32s3_common.cmake)" in text


def test_parts_that_are_no_more_are_not_frozen(built):
    stale = built / "build" / "bundle" / "ours" / "pilotwire_gone.py"
    stale.write_text("")
    romfs.compile_bundle("ours", built)
    assert not stale.exists()


def test_a_build_gives_an_image_and_an_application(root, tools, capsys):
    assert run("--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["slot_bytes"] == SLOT and report["application_bytes"] == 1000
    assert (root / "build/firmware/ours/firmware.bin").read_bytes() == whole()
    assert report["command"][:4] == [
        "make",
        "-C",
        f"{tools}/micropython/ports/esp32",
        "BOARD=PILOTWIRE_OURS",
    ]
    assert run() == 0
    assert "make flash PORT=... IMAGE=" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        (
            "micropython.bin",
            bytes(SLOT + 1),
            f"the application has {SLOT + 1} bytes, a slot {SLOT}",
        ),
        ("firmware.bin", whole(0, 0x1000), "an image for ESP32 came out, not for ESP32-S3"),
        ("firmware.bin", b"", "without a whole image"),
    ],
)
def test_a_build_that_does_not_fit_is_refused(root, tools, capsys, name, content, sentence):
    (tools / "images" / name).write_bytes(content)
    assert run() == 1
    assert sentence in capsys.readouterr().err


def test_a_build_that_fails_shows_its_end(root, tools, capsys):
    (tools / "images" / "firmware.bin").unlink()
    assert run() == 1
    error = capsys.readouterr().err
    assert "the build failed:" in error and "[2/2] Linking" in error and "firmware.bin" in error


def test_what_is_missing_is_said_with_what_to_do(root, tools, monkeypatch, capsys):
    (tools / "idf" / "idf.py").unlink()
    assert run() == 1
    assert "ESP-IDF is needed" in (error := capsys.readouterr().err) and "export.sh" in error
    monkeypatch.delenv("MICROPYTHON")
    assert run() == 1
    assert "source tree is needed: clone its" in capsys.readouterr().err
    assert run("--micropython", str(tools)) == 1
    assert "is not MicroPython's source tree" in capsys.readouterr().err
    header = tools / "micropython" / "py" / "mpconfig.h"
    header.write_text(header.read_text().replace("26", "24"))
    assert run("--micropython", str(tools / "micropython")) == 1
    assert "is 1.24; 1.25 is the oldest" in capsys.readouterr().err


def test_an_old_idf_is_refused(root, tools, capsys):
    version = tools / "idf" / "tools" / "cmake" / "version.cmake"
    version.write_text(version.read_text().replace("MINOR 5", "MINOR 2"))
    assert run() == 1
    assert "ESP-IDF 5.2 is in" in capsys.readouterr().err


def test_a_dry_run_works_without_any_of_it(root, monkeypatch, capsys):
    monkeypatch.delenv("MICROPYTHON", raising=False)
    assert run("--dry-run") == 0
    out = capsys.readouterr()
    assert "missing: MicroPython's source tree is needed" in out.err
    assert "would run: make -C $MICROPYTHON/ports/esp32 BOARD=PILOTWIRE_OURS" in out.out


def test_boards_without_a_chip_and_odd_flashes_are_refused(root, capsys):
    assert firmware.main(["--board", "sim", "--dry-run"]) == 1
    assert "runs on a computer" in capsys.readouterr().err
    file = root / "boards" / "ours" / "board.py"
    before = file.read_text()
    file.write_text(before.replace("    VENDOR =", "    FLASH_MIB = 2\n    VENDOR ="))
    with pytest.raises(BoardError, match="FLASH_MIB 2"):
        board_definition.flash_mib("ours", root)
    file.write_text(before)


def test_the_makefile_hands_its_words_on():
    words = ["make", "-n", "firmware", "flash", "deploy", "BOARD=x", "PORT=/dev/y", "IMAGE=z.bin"]
    done = subprocess.run(
        [*words, "MICROPYTHON=/m"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    text = done.stdout.replace("\\\n", "")
    for command in (
        "-m tools.firmware --board x    --micropython /m",
        "-m tools.flash --port /dev/y --image z.bin    --board x",
        "-m tools.deploy --port /dev/y --board x",
    ):
        assert command.split() == [w for w in command.split() if w in text.split()], text
