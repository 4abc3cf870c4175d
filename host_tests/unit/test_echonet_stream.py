"""Frames in a TCP stream: where one ends, however it comes in pieces."""

from echonet.stream import frame_size

GET = "1081000105FF0102A10162028000DA00"
SETGET = "1081004105FF0102A1016E02DA0147ED0200A002DA00C700"
INFC_RES = "1081000105FF0102A1017A018800"
NOT_SUPPORTED = "1081004105FF0102A1015E0000"


def size(text):
    octets = bytes.fromhex(text)
    return frame_size(octets, len(octets))


def is_refused(text):
    try:
        size(text)
    except ValueError:
        return True
    return False


def test_a_frame_ends_where_its_last_list_does_and_not_an_octet_before():
    for text in (GET, SETGET, INFC_RES, NOT_SUPPORTED):
        whole = len(text) // 2
        for cut in range(whole):
            assert size(text[: 2 * cut]) == 0, (text, cut)
        assert size(text) == size(text + GET) == size(text + "FF") == whole


def test_only_the_octets_that_have_come_are_looked_at():
    buffer = bytearray(bytes.fromhex(GET + SETGET) + bytes(100))
    assert frame_size(buffer, 0) == frame_size(buffer, 15) == 0
    assert frame_size(buffer, 16) == 16


def test_a_frame_without_properties_has_an_end():
    assert size("1081000105FF0102A1016200" + GET) == 12


def test_what_is_no_frame_of_format_1_is_refused_at_its_first_octets():
    for text in ("11", "00", "1082", "1080", "4745", "1082000105FF0102A1016200"):
        assert is_refused(text), text
    assert not is_refused("10") and not is_refused("1081")
