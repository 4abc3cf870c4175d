"""What the pins of the chips can do, and which of them a board had better leave alone.

Facts from Espressif's data sheets. Modules with PSRAM on pins that are free otherwise have names
of their own: ESP32-PSRAM (WROVER), ESP32-S3-OCTAL (R8, R16).
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Chip:
    """The pins of one chip, as sets of GPIO numbers."""

    name: str
    pins: frozenset
    flash: frozenset  # inside the module, with the PSRAM
    input_only: frozenset
    boot: frozenset  # strapping pins: their level at reset decides how it starts
    console: frozenset
    adc1: frozenset  # the other ADC does not work while Wi-Fi is on


def _pins(*given) -> frozenset:
    found = set()
    for item in given:
        found.update([item] if isinstance(item, int) else range(item[0], item[1] + 1))
    return frozenset(found)


CHIPS = {
    chip.name: chip
    for chip in (
        Chip(
            "ESP32",
            pins=_pins((0, 19), (21, 23), (25, 27), (32, 39)),
            flash=_pins((6, 11)),
            input_only=_pins((34, 39)),
            boot=_pins(0, 2, 5, 12, 15),
            console=_pins(1, 3),
            adc1=_pins((32, 39)),
        ),
        Chip(
            "ESP32-S3",
            pins=_pins((0, 21), (26, 48)),
            flash=_pins((26, 32)),
            input_only=_pins(),
            boot=_pins(0, 3, 45, 46),
            console=_pins(19, 20, 43, 44),
            adc1=_pins((1, 10)),
        ),
        Chip(
            "ESP32-C3",
            pins=_pins((0, 21)),
            flash=_pins((12, 17)),
            input_only=_pins(),
            boot=_pins(2, 8, 9),
            console=_pins(18, 19, 20, 21),
            adc1=_pins((0, 4)),
        ),
        Chip(
            "ESP32-C6",
            pins=_pins((0, 30)),
            flash=_pins((24, 30)),
            input_only=_pins(),
            boot=_pins(4, 5, 8, 9, 15),
            console=_pins(12, 13, 16, 17),
            adc1=_pins((0, 6)),
        ),
    )
}

for _name, _base, _memory in (
    ("ESP32-PSRAM", "ESP32", _pins(16, 17)),
    ("ESP32-S3-OCTAL", "ESP32-S3", _pins((33, 37))),
):
    CHIPS[_name] = replace(CHIPS[_base], name=_name, flash=CHIPS[_base].flash | _memory)


def pin_problems(chip: Chip, uses: "list[tuple[int, str, str]]", boot_pins=()) -> "list[str]":
    """Return what is wrong with these uses: (gpio, use, owner) as of tools/fake_machine.py.

    `boot_pins` are used on purpose.
    """
    problems = []
    owners = {}
    for gpio, use, owner in uses:
        if use == "pin":
            owners.setdefault(gpio, []).append(owner)
        else:
            problems += _wrong_use(chip, gpio, use, owner)
    for gpio, users in sorted(owners.items()):
        if len(users) > 1:
            problems.append(f"GPIO {gpio} is used more than once: {', '.join(users)}")
        problems += _wrong_pin(chip, gpio, users[0], boot_pins)
    return list(dict.fromkeys(problems))


def _wrong_use(chip, gpio, use, owner):
    if gpio in chip.input_only and use == "output":
        yield f"GPIO {gpio} ({owner}) cannot be an output: it is an input only"
    if gpio in chip.input_only and use == "pull-up":
        yield f"GPIO {gpio} ({owner}) has no pull-up: put a resistor on the board and say so"
    if use == "adc" and gpio not in chip.adc1:
        yield f"GPIO {gpio} ({owner}) is not on ADC1, the only one that works beside Wi-Fi"


def _wrong_pin(chip, gpio, owner, boot_pins):
    if gpio not in chip.pins:
        yield f"GPIO {gpio} ({owner}) does not exist on the {chip.name}"
    elif gpio in chip.flash:
        yield f"GPIO {gpio} ({owner}) belongs to the memory of the module"
    elif gpio in chip.console:
        yield f"GPIO {gpio} ({owner}) belongs to the console"
    elif gpio in chip.boot and gpio not in boot_pins:
        yield (
            f"GPIO {gpio} ({owner}) decides at reset how the chip starts: take another one, or "
            "add it to BOOT_PINS if its level at reset is right"
        )
