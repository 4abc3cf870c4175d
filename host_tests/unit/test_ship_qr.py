"""QR text of the label, and a SKI as people read and type it."""

from ship import qr, ski

SKI = "b467a3999eb5efa671de0032f08a9c9e5efda0e1"
ACME = (
    "SHIP;SKI:B467 A399 9EB5 EFA6 71DE 0032 F08A 9C9E 5EFD A0E1;ID:i:12345_u:EVSE-0001;"
    "BRAND:Acme;TYPE:ChargingStation;MODEL:EVSE22;SERIAL:0001;CAT:3;ENDSHIP;"
)
ACME_FIELDS = {
    "SKI": SKI,
    "ID": "i:12345_u:EVSE-0001",
    "BRAND": "Acme",
    "TYPE": "ChargingStation",
    "MODEL": "EVSE22",
    "SERIAL": "0001",
    "CAT": "3",
}
HEATPUMP = (
    "SHIP;SKI:5555 AAAA FFFF 1111 CCCC 3333 EEEE DDDD 9999 2222;PIN:5555 AAAA FF;"
    "ID:i:12345_u:123abc456def;BRAND:ExampleBrand;TYPE:Heatpump;MODEL:E1234;"
    "SERIAL:123abc456def;CAT:4;NOMINALPOWER:0,11000;ENDSHIP;"
)
HEATPUMP_FIELDS = {
    "SKI": "5555aaaaffff1111cccc3333eeeedddd99992222",
    "PIN": "5555aaaaff",
    "ID": "i:12345_u:123abc456def",
    "BRAND": "ExampleBrand",
    "TYPE": "Heatpump",
    "MODEL": "E1234",
    "SERIAL": "123abc456def",
    "CAT": "4",
    "NOMINALPOWER": "0,11000",
}


def is_refused(call, *arguments):
    try:
        call(*arguments)
    except ValueError:
        return True
    return False


def fields(**others):
    """Return the smallest label, with other fields added or put in place."""
    label = {"SKI": SKI, "ID": "x"}
    label.update(others)
    return label


def test_a_label_without_pin_is_written_in_order():
    assert qr.write(ACME_FIELDS) == ACME


def test_a_label_with_pin_and_power_is_written_in_order():
    assert qr.write(HEATPUMP_FIELDS) == HEATPUMP


def test_every_known_key_has_its_place():
    keys = "BRAND TYPE MODEL BSKI B2SKI PKEY PBKEY PB2KEY CERTURL CERTBURL CERTB2URL SERIAL CAT"
    keys = (keys + " NOMINALPOWER FPH256 SPSEC").split()
    label = fields()
    for key in keys:
        label[key] = "v"
    text = qr.write(label)
    assert [part.split(":")[0] for part in text.split(";")] == (
        ["SHIP", "SKI", "ID"] + keys + ["ENDSHIP", ""]
    )
    assert qr.read(text) == label


def test_written_labels_are_read_back():
    assert qr.read(ACME) == ACME_FIELDS
    assert qr.read(HEATPUMP) == HEATPUMP_FIELDS


def test_fields_without_a_value_are_left_out():
    assert qr.write(fields(PIN=None, BRAND="")) == (
        "SHIP;SKI:B467 A399 9EB5 EFA6 71DE 0032 F08A 9C9E 5EFD A0E1;ID:x;ENDSHIP;"
    )


def test_what_a_label_must_not_have_is_not_written():
    for label in (
        fields(BRAND="a;b"),
        fields(ID="a;SKI:0"),
        fields(MODEL="two\nlines"),
        fields(SERIAL="\x00"),
        fields(SKI="b467"),
        fields(SKI=""),
        fields(ID=""),
        fields(PIN="1234567"),
        fields(PIN="12345678901234567"),
        fields(PIN="1234567g"),
        fields(COLOUR="red"),
        {"ID": "x"},
        {"SKI": SKI},
    ):
        assert is_refused(qr.write, label)


def test_a_label_as_long_as_the_largest_symbol_is_the_longest():
    rest = 2953 - len(qr.write(fields(BRAND="b"))) + 1
    longest = qr.write(fields(BRAND="b" * rest))
    assert len(longest) == 2953
    assert qr.read(longest)["BRAND"] == "b" * rest
    assert is_refused(qr.write, fields(BRAND="b" * (rest + 1)))
    assert is_refused(qr.read, longest + " ")
    assert is_refused(qr.write, fields(BRAND="b" * (rest - 1) + "\xe9"))  # counted in octets


def test_a_label_without_blanks_as_written_in_the_field_is_read():
    text = "SHIP;SKI:" + SKI + ";ID:Demo-EVSE-234567890;BRAND:Demo;ENDSHIP;"
    assert qr.read(text) == {"SKI": SKI, "ID": "Demo-EVSE-234567890", "BRAND": "Demo"}


def test_any_order_unknown_keys_and_a_missing_end_are_read():
    text = "SHIP;X:1;CAT:3;odd;ID:i:1_u:a:b;PIN:12 34 ab CD;SKI:" + SKI.upper()
    assert qr.read(text) == {"SKI": SKI, "ID": "i:1_u:a:b", "CAT": "3", "PIN": "1234abcd"}


def test_the_end_ends_a_label():
    assert qr.read("SHIP;SKI:" + SKI + ";ENDSHIP;ID:x;") == {"SKI": SKI}


def test_what_is_no_label_is_refused():
    for text in (
        "",
        "SHIP",
        "SHIP;",
        "WIFI:S:x;;",
        "SHIP;ID:x;ENDSHIP;",
        "SHIP;SKI:;ID:x;ENDSHIP;",
        "SHIP;SKI:b467;ID:x;ENDSHIP;",
        "SHIP;SKI:" + SKI + ";PIN:123;ENDSHIP;",
        "SHIP;SKI:" + SKI + ";SKI:" + SKI + ";ENDSHIP;",
        "SKI:" + SKI + ";ENDSHIP;",
    ):
        assert is_refused(qr.read, text)


def test_a_ski_is_shown_in_groups_of_four():
    octets = bytes.fromhex(SKI)
    assert ski.to_hex(octets) == SKI
    assert ski.to_hex(memoryview(octets)) == SKI
    assert ski.group(SKI) == "b467 a399 9eb5 efa6 71de 0032 f08a 9c9e 5efd a0e1"
    assert ski.group("5555aaaaff") == "5555 aaaa ff"


def test_a_ski_is_taken_as_people_type_it():
    for text in (
        SKI,
        SKI.upper(),
        ski.group(SKI),
        " b467-a399-9eb5-efa6-71de-0032-f08a-9c9e-5efd-a0e1\n",
        "B4:67:A3:99:9E:B5:EF:A6:71:DE:00:32:F0:8A:9C:9E:5E:FD:A0:E1",
    ):
        assert ski.parse_ski(text) == SKI


def test_what_is_no_ski_is_refused():
    for text in ("", SKI[1:], SKI + "0", SKI[:-1] + "g", "0x" + SKI[2:], "+" + SKI[1:]):
        assert is_refused(ski.parse_ski, text)
    for text in (SKI[:-2] + "_1", SKI[:-1] + "\u0661", SKI[:20] + "\n" + SKI[21:]):
        assert is_refused(ski.parse_ski, text)
