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
from host_tests.cpython.esp_rom import EspRom
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


# --- the command line, with the real esptool


def run(tmp_path, data, *words, chip=None):
    """The exit status of `flash`, with this image and at this chip's port."""
    image = tmp_path / "image.bin"
    image.write_bytes(data)
    if chip:
        words += ("--port", chip.port)
    return flash.main(["--image", str(image), *words])


def test_an_image_is_written_where_it_belongs_and_the_state_stays(tmp_path, capsys):
    data = whole(0, 0x1000)
    with EspRom() as chip:
        chip.flash[0x3B0000] = 0x55
        assert run(tmp_path, data, "--json", chip=chip) == 0
        assert chip.flash[0x1000:][: len(data)] == data
        assert chip.flash[0x3B0000] == 0x55
    report = json.loads(capsys.readouterr().out)
    assert report["written"] and (report["chip"], report["offset"]) == ("ESP32", 0x1000)


def test_erase_leaves_nothing_but_the_image(tmp_path):
    data = whole(0, 0x1000)
    with EspRom() as chip:
        chip.flash[0x3B0000] = 0x55
        assert run(tmp_path, data, "--erase", chip=chip) == 0
        assert chip.flash[0x1000:][: len(data)] == data
        assert set(chip.flash[0x3B0000:]) == {0xFF}


def test_a_wrong_chip_and_a_small_flash_are_refused(tmp_path, capsys):
    with EspRom() as chip:
        assert run(tmp_path, whole(9), chip=chip) == 1
        assert f"{chip.port} is ESP32, the image is for ESP32-S3" in capsys.readouterr().err
        assert not any(chip.flash), "nothing was written"
    with EspRom(flash_mib=2) as chip:
        assert run(tmp_path, whole(0, 0x1000), chip=chip) == 1
        sentence = "too small: the image with its partitions takes 4 MiB, the board has 2 MiB"
        assert sentence in capsys.readouterr().err
        assert not any(chip.flash)


def test_a_dry_run_writes_nothing_with_and_without_a_board(tmp_path, capsys):
    with EspRom(flash_mib=8) as chip:
        assert run(tmp_path, whole(0, 0x1000), "--dry-run", chip=chip) == 0
        assert not any(chip.flash)
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


def test_a_port_without_a_bootloader_is_said_by_the_real_esptool(tmp_path, capsys):
    """A pseudo-terminal that answers nonsense: esptool tries, and gives up."""
    ends = pty.openpty()
    for end in ends:
        tty.setraw(end)
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
