"""The ECHONET Lite table generator, and what the charger serves compared with its description."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boards.sim.board import create
from echonet import classes
from echonet.charger import CHARGER, CHARGER_DISCHARGER, Charger
from echonet.objects import node_profile
from evse.arbiter import Arbiter
from evse.charging import ChargingControl
from tools import echonet_tables

MODEL = echonet_tables.read_model()
CODES = ("0EF0", "02A1", "027E")
MAKER = b"\xff\xff\xf0"
# Required where the vehicle tells; see the head of the description
CONDITIONAL = {
    "02A1": {0xCE, 0xCF, 0xD0, 0xE2, 0xE4},
    "027E": {0xCE, 0xCF, 0xD0, 0xE2, 0xE4},
}


class Settings(dict):
    put = dict.__setitem__


class Vehicle:
    capacity_wh = 60_000
    soc_permille = 400


def properties(code):
    """All properties of a class with those it inherits."""
    return {**(MODEL["0000"] if code != "0EF0" else {}), **MODEL[code]}


def charger(code, vehicle=None):
    control = ChargingControl(create(phases=3), Arbiter(), 0)
    made = Charger(code, 1, control, MAKER, bytes(10), b"SN", Settings(), vehicle, bytes)
    control.board.ev.plug()
    for now in range(0, 30_000, 25):
        control.step(now)
    made.update(30_000)
    return made


def legal_values(item):
    """Values around the limits of a property, and some that are of the wrong size."""
    kind, *arguments = item.type
    size = item.sizes[-1]
    values = [bytes(size), b"\xff" * size, b"\x01" * size, b"", bytes(size + 1)]
    if kind in ("unsigned", "pair"):
        width, limit = int(arguments[0]), int(arguments[1])
        for number in (limit, limit + 1, limit - 1):
            values.append(number.to_bytes(width, "big") * (size // width))
    if kind == "state" and size == 1:
        values += [bytes([code]) for code in range(256)]
    return values


@pytest.mark.parametrize("code", CODES)
def test_the_reader_agrees_with_the_description(code):
    eoj = bytes.fromhex(code) + b"\x01"
    for epc in range(256):
        item = properties(code).get(epc)
        row = classes.find(eoj, epc)
        assert (row >= 0) == (item is not None), hex(epc)
        if item is None:
            continue
        for bit, letter in zip((classes.GET, classes.SET, classes.INF), item.access):
            assert bool(classes.access(row) & bit) == (letter != "-")
            assert bool(classes.access(row) & bit << classes.REQUIRED) == (letter == "R")
        if item.type[0] == "signed" or (item.sizes == (2,) and item.type[0] == "state"):
            continue  # only their size is looked at
        for value in legal_values(item):
            expected = item.is_legal(value)
            if epc == 0x81 and len(value) == 17:
                expected = value[0] == 1
            assert classes.is_legal(row, value) == expected, (hex(epc), value)


@given(st.sampled_from(CODES), st.integers(0x80, 0xFF), st.binary(max_size=20))
def test_no_value_makes_the_reader_fail(code, epc, value):
    row = classes.find(bytes.fromhex(code) + b"\x01", epc)
    if row >= 0:
        assert classes.is_legal(row, value) in (True, False)


@pytest.mark.parametrize("vehicle", [None, Vehicle], ids=["no data", "vehicle data"])
@pytest.mark.parametrize("code", ["02A1", "027E"])
def test_the_charger_has_what_its_class_requires_with_legal_values(code, vehicle):
    made = charger({"02A1": CHARGER, "027E": CHARGER_DISCHARGER}[code], vehicle)
    assert_conformant(made, code, CONDITIONAL[code] if vehicle is None else set())


def test_the_node_profile_has_what_its_class_requires_with_legal_values():
    assert_conformant(node_profile([charger(CHARGER)], MAKER, bytes(10), b"EVSE"), "0EF0", set())


def assert_conformant(made, code, may_lack):
    """Maps, sizes and values of an object as a certification test looks at them."""
    maps = {name: decode(made.value(epc)) for name, epc in (("i", 0x9D), ("s", 0x9E), ("g", 0x9F))}
    for epc, item in properties(code).items():
        get, write, inform = item.access
        if epc in may_lack or (code == "027E" and epc == 0xCD):
            continue
        for letter, name in ((get, "g"), (write, "s"), (inform, "i")):
            if letter == "R" and (name != "i" or get == "R" or epc in maps["g"]):
                assert epc in maps[name], (hex(epc), name)
            if letter == "-":
                assert epc not in maps[name], (hex(epc), name)
    for epc in maps["g"]:
        value = made.value(epc)
        assert properties(code)[epc].is_legal(value), (hex(epc), value.hex())
    assert maps["i"] <= maps["g"]
    assert made.value(0x83)[:4] == b"\xfe" + made.value(0x8A)


def decode(edt):
    """The EPC of a property map, written anew."""
    if len(edt) < 17:
        assert edt[0] == len(edt) - 1 < 16
        return set(edt[1:])
    found = {
        (high << 4) + low
        for low in range(16)
        for high in range(8, 16)
        if edt[1 + low] >> high - 8 & 1
    }
    assert len(found) == edt[0] >= 16
    return found


def test_the_committed_tables_are_current_and_a_change_is_noticed(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("sys.argv", ["echonet_tables", "--check"])
    assert echonet_tables.main() == 0
    stale = tmp_path / "tables.py"
    stale.write_text(echonet_tables.OUTPUT.read_text().replace("\\x80", "\\x81", 1))
    monkeypatch.setattr(echonet_tables, "OUTPUT", stale)
    assert echonet_tables.main() == 1
    assert "not current" in capsys.readouterr().err
    monkeypatch.setattr("sys.argv", ["echonet_tables"])
    assert echonet_tables.main() == 0
    monkeypatch.setattr("sys.argv", ["echonet_tables", "--check"])
    assert echonet_tables.main() == 0


def test_a_bad_description_is_refused_with_its_line(tmp_path):
    path = tmp_path / "model.txt"
    for text in ("80 R-R state 30", "class 02A1 x\n  80 RXR state 30"):
        path.write_text(text)
        with pytest.raises(ValueError, match=r"model\.txt:\d"):
            echonet_tables.read_model(path)
