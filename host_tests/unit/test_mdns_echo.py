"""Own packets that come back."""

from mdns.echo import Echo


def test_a_packet_sent_is_taken_once():
    echo = Echo()
    echo.sent(b"one", 0)
    echo.sent(b"two", 0)
    assert echo.take(memoryview(b"two"), 5)
    assert not echo.take(b"two", 5)  # another node's, on this host
    assert echo.take(b"one", 5)
    assert not echo.take(b"three", 5)


def test_the_same_packet_sent_twice_is_taken_twice():
    echo = Echo()
    echo.sent(b"one", 0)
    echo.sent(b"one", 500)
    assert echo.take(b"one", 600) and echo.take(b"one", 600) and not echo.take(b"one", 600)


def test_where_nothing_comes_back_nothing_is_taken_for_long():
    echo = Echo()
    echo.sent(b"one", 0)
    assert not echo.take(b"one", 1_001)


def test_packets_are_remembered_up_to_sixteen():
    echo = Echo()
    for i in range(17):
        echo.sent(bytes([i]), 0)
    assert not echo.take(b"\x00", 0)
    assert echo.take(b"\x01", 0) and echo.take(b"\x10", 0)
