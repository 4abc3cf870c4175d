"""make flash: what an image says of itself, what is refused, and esptool without a chip."""

import json
import os
import pty
import struct
import subprocess
import sys
import threading
import tty

import pytest
from esptool.targets import CHIP_DEFS

from host_tests.cpython.esp_images import MIB, header, whole
from tools import esp_image, flash
from tools.board_facts import IMAGE_IDS, plain
from tools.esp_image import ImageError, parse


def test_an_image_tells_its_chip_its_place_and_the_flash_it_needs():
    image = parse(whole())
    assert (image.chip, image.start, image.flash_size) == ("ESP32-S3", 0, 4 * MIB)
    assert [part.name for part in image.partitions] == ["nvs", "ota_0", "ota_1", "vfs"]
    assert (image.partitions[3].offset, image.partitions[3].size) == (0x3B0000, 0x50000)
    image = parse(whole(0, 0x1000))
    assert (image.chip, image.start) == ("ESP32", 0x1000)


def test_our_numbers_and_places_of_the_chips_are_those_of_esptool():
    for name, number in IMAGE_IDS.items():
        theirs = CHIP_DEFS[plain(name)]
        assert theirs.IMAGE_CHIP_ID == number
        assert esp_image._STARTS.get(name, 0) == theirs.BOOTLOADER_FLASH_OFFSET, name
        assert plain(theirs.CHIP_NAME) == plain(name)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "not an image"),
        (b"\x7fELF" + bytes(100), "not an image"),
        (header(9) + bytes(8) + struct.pack("<I", 0xABCD5432) + bytes(64), "application alone"),
        (whole(77), "a chip with the number 77"),
        (whole(size=0x7000), "no partition table"),
        (whole(partitions=[(1, 2, 0x9000, 0x4000, b"nvs")]), "no partition table with an app"),
        (whole(size=0x9000), "ends at 0x9000, before the application"),
        (whole(application=0xFF), "no application at 0x10000"),
    ],
)
def test_what_is_no_whole_image_is_refused(data, sentence):
    with pytest.raises(ImageError, match=sentence):
        parse(data)


# --- the command line, with a chip that is not there


class FakeChip:
    """Stands for flash.Chip where no bootloader can answer."""

    def __init__(self, name, flash_size):
        self.name = name
        self.flash_size = flash_size
        self.port = "/dev/null"
        self.done = []

    def __call__(self, port, baud):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.done.append("close")

    def write(self, offset, data, is_erased):
        self.done.append((offset, len(data), is_erased))

    def reset(self):
        self.done.append("reset")


def run(tmp_path, data, *words, chip=None, monkeypatch=None):
    image = tmp_path / "image.bin"
    image.write_bytes(data)
    if chip:
        monkeypatch.setattr(flash.flash, "__defaults__", (chip,))
        words += ("--port", "/dev/null")
    return flash.main(["--image", str(image), *words])


def test_an_image_is_written_where_it_belongs_and_started(tmp_path, monkeypatch, capsys):
    chip = FakeChip("ESP32", 4 * MIB)
    data = whole(0, 0x1000)
    assert run(tmp_path, data, "--json", chip=chip, monkeypatch=monkeypatch) == 0
    assert chip.done == [(0x1000, len(data), False), "reset", "close"]
    report = json.loads(capsys.readouterr().out)
    assert report["written"] and report["chip"] == "ESP32"
    chip = FakeChip("ESP32", 8 * MIB)
    assert run(tmp_path, data, "--erase", chip=chip, monkeypatch=monkeypatch) == 0
    assert chip.done[0] == (0x1000, len(data), True)


@pytest.mark.parametrize(
    ("name", "flash_size", "sentence"),
    [
        ("ESP32", 4 * MIB, "the chip at /dev/null is ESP32, the image is for ESP32-S3"),
        ("ESP32-S3", 2 * MIB, "too small: the image with its partitions takes 4 MiB, the board"),
        ("ESP32-S3", 0, "not known"),
    ],
)
def test_a_wrong_chip_and_a_small_flash_are_refused(
    tmp_path, monkeypatch, capsys, name, flash_size, sentence
):
    chip = FakeChip(name, flash_size)
    assert run(tmp_path, whole(), chip=chip, monkeypatch=monkeypatch) == 1
    assert sentence in capsys.readouterr().err
    assert chip.done == ["close"], "nothing was written"


def test_a_dry_run_writes_nothing_with_and_without_a_board(tmp_path, monkeypatch, capsys):
    chip = FakeChip("ESP32-S3", 8 * MIB)
    assert run(tmp_path, whole(), "--dry-run", chip=chip, monkeypatch=monkeypatch) == 0
    assert chip.done == ["close"]
    assert run(tmp_path, whole(), "--dry-run") == 0
    out = capsys.readouterr().out
    assert "ota_1" in out and "would be written, from 0x0 on" in out


def test_wrong_words_and_ports_are_said(tmp_path, capsys):
    assert flash.main(["--image", str(tmp_path / "no.bin"), "--dry-run"]) == 1
    assert "No such file" in capsys.readouterr().err
    assert run(tmp_path, whole(), "--port", "/dev/ttyNONE") == 1
    assert "there is no port /dev/ttyNONE" in capsys.readouterr().err
    assert run(tmp_path, whole(), "--dry-run", "--board", "sim", "--json") == 1
    assert "is made for a computer" in json.loads(capsys.readouterr().out)["error"]
    with pytest.raises(SystemExit):
        run(tmp_path, whole())
    assert "which port?" in capsys.readouterr().err


def test_a_port_without_a_bootloader_is_said_by_the_real_esptool(tmp_path, monkeypatch, capsys):
    """A pseudo-terminal that answers nonsense: esptool tries, and gives up."""
    ends = pty.openpty()
    for end in ends:
        tty.setraw(end)
    monkeypatch.setattr("esptool.loader.DEFAULT_CONNECT_ATTEMPTS", 1)
    stop = threading.Event()

    def echo():
        while not stop.is_set():
            try:
                os.read(ends[0], 1000)
                os.write(ends[0], b"rst:0x1 (POWERON_RESET)\r\n")
            except OSError:
                return

    threading.Thread(target=echo, daemon=True).start()
    try:
        assert run(tmp_path, whole(), "--port", os.ttyname(ends[1])) == 1
    finally:
        stop.set()
        for end in ends:
            os.close(end)
    assert "Is it the right port" in capsys.readouterr().err


def test_esptool_reads_the_images_of_these_tests(tmp_path):
    """They are made by hand; the real tool must see the same chip."""
    (tmp_path / "image.bin").write_bytes(whole())
    command = [sys.executable, "-m", "esptool", "image-info", str(tmp_path / "image.bin")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert "Detected image type: ESP32-S3" in done.stdout
