"""The TXT strings of a SHIP node."""

from mdns.txt import encode, parse, ship_strings, ski_text

SKI = "b467a3999eb5efa671de0032f08a9c9e5efda0e1"
MANDATORY = {"ship_id": "i:12345_u:EVSE-0001", "ski": SKI}


def strings(**other):
    arguments = dict(MANDATORY)
    arguments.update(other)
    return ship_strings(**arguments)


def refused(**other):
    """Return the reason for which the values are refused, or None."""
    try:
        strings(**other)
    except ValueError as error:
        return str(error)
    return None


def test_all_keys_come_in_the_order_of_the_installed_base():
    everything = strings(
        register=True,
        brand="Acme",
        model="EVSE22",
        device_type="ChargingStation",
        serial="0001",
        categories=(3,),
    )
    assert everything == [
        b"txtvers=1",
        b"path=/ship/",
        b"id=i:12345_u:EVSE-0001",
        b"ski=b467a3999eb5efa671de0032f08a9c9e5efda0e1",
        b"brand=Acme",
        b"model=EVSE22",
        b"type=ChargingStation",
        b"register=true",
        b"serial=0001",
        b"cat=3",
        b"ecc=false",
    ]
    assert encode(everything)[:22] == b"\x09txtvers=1\x0bpath=/ship/"


def test_values_that_are_not_known_are_left_out():
    assert strings(brand="", model=None) == [
        b"txtvers=1",
        b"path=/ship/",
        b"id=i:12345_u:EVSE-0001",
        b"ski=b467a3999eb5efa671de0032f08a9c9e5efda0e1",
        b"register=false",
        b"ecc=false",
    ]
    assert strings(categories=(3, 7))[-2] == b"cat=3,7"


def test_the_ski_is_sent_in_lower_case():
    assert strings(ski=SKI.upper())[3] == b"ski=" + SKI.encode()


def test_each_limit_is_kept():
    for key, size in (("ship_id", 63), ("brand", 32), ("model", 32), ("serial", 32)):
        assert refused(**{key: "x" * size}) is None
        assert "%d are allowed" % size in refused(**{key: "x" * (size + 1)})
    assert refused(device_type="ä" * 16) is None
    assert "type has 34 bytes" in refused(device_type="ä" * 17)
    assert refused(path="/" + "x" * 31) is None
    assert "path has 33 bytes" in refused(path="/" + "x" * 32)
    assert "leading /" in refused(path="ship/")
    assert "id is empty" in refused(ship_id="")
    assert "40 hexadecimal" in refused(ski=SKI[1:])
    assert "40 hexadecimal" in refused(ski="g" + SKI[1:])
    assert "cat 8" in refused(categories=(8,))


def test_semicolons_and_control_characters_are_refused():
    for character in ";\x00\n\x7f\xa0\xad\u2028\u200b\u202e\u3000\ufeff":
        assert "forbidden" in refused(brand="a" + character), character
    assert refused(brand="Acme & Söhne") is None


def test_the_record_has_at_most_400_bytes():
    assert len(encode([b"x" * 199, b"y" * 199])) == 400
    for wrong in ([b"x" * 199, b"y" * 200], [b""], [b"x" * 256]):
        try:
            encode(wrong)
        except ValueError:
            pass
        else:
            assert False
    assert encode([]) == b"\x00"
    full = {"brand": "x" * 32, "model": "x" * 32, "device_type": "x" * 32, "serial": "x" * 32}
    assert refused(ship_id="x" * 63, path="/" + "x" * 31, categories=(1, 2, 3), **full) is None


def test_what_is_sent_is_accepted():
    keys = parse(encode(strings(brand="Acme", categories=(3,))))
    assert keys["id"] == "i:12345_u:EVSE-0001" and keys["ski"] == SKI and keys["path"] == "/ship/"
    assert keys["register"] == "false" and keys["brand"] == "Acme" and keys["cat"] == "3"


def rdata(*texts):
    return encode([text.encode() for text in texts])


def test_a_record_of_the_least_is_accepted():
    keys = parse(rdata("txtvers=1", "id=x", "ski=" + SKI))
    assert keys == {
        "txtvers": "1",
        "id": "x",
        "ski": SKI,
        "path": "/ship/",
        "register": "false",
    }


def test_order_case_unknown_keys_and_empty_values_do_not_matter():
    spaced = SKI[:4].upper() + " " + SKI[4:8] + "-" + SKI[8:]
    keys = parse(
        rdata(
            "SKI=" + spaced, "brand=", "flag", "Id=a=b", "=x", "txtvers=1", "register=TRUE", "x=y"
        )
    )
    assert keys["ski"] == SKI and keys["id"] == "a=b" and keys["brand"] == ""
    assert keys["register"] == "true" and keys["x"] == "y" and keys["flag"] == ""
    assert "" not in keys


def test_of_a_key_that_comes_twice_the_first_counts():
    assert parse(rdata("txtvers=1", "id=a", "ID=b", "ski=" + SKI))["id"] == "a"
    assert parse(rdata("txtvers=2", "txtvers=1", "id=a", "ski=" + SKI)) is None


def test_records_without_a_usable_identity_are_ignored():
    for texts in (
        ("id=a", "ski=" + SKI),
        ("txtvers=2", "id=a", "ski=" + SKI),
        ("txtvers=1", "ski=" + SKI),
        ("txtvers=1", "id=", "ski=" + SKI),
        ("txtvers=1", "id=a"),
        ("txtvers=1", "id=a", "ski=" + SKI[:39]),
        ("txtvers=1", "id=a", "ski=" + SKI[:39] + "g"),
    ):
        assert parse(rdata(*texts)) is None
    assert parse(encode([b"txtvers=1", b"id=a", b"ski=" + SKI.encode(), b"x=\xff"])) is None
    assert parse(b"") is None and parse(b"\x00") is None


def test_the_ski_is_normalised_or_none():
    assert ski_text(" B467-" + SKI[4:] + " ") == SKI
    assert ski_text("") is None
