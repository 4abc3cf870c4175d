"""Wi-Fi and Ethernet of the boards, on a fake `network` module."""

from tools import fake_machine

network = fake_machine.load("boards.parts.network")
JOINED = 1010


def failure(coroutine):
    try:
        fake_machine.run(coroutine)
    except OSError as error:
        return str(error)
    return None


def radio(is_busy=False):
    world = fake_machine.reset()
    world.joins = {"Carport": (JOINED, "sunny side"), "Guests": (JOINED, "")}
    return world, network.Wifi(lambda: is_busy)


def test_joining_gives_an_address_and_power_saving_is_off():
    world, wifi = radio()
    assert wifi.state() == {"name": None, "address": None, "signal_dbm": None}
    wifi.leave()  # nothing to leave is no error
    fake_machine.run(wifi.join("Carport", "sunny side"))
    assert 900 <= world.now_us // 1_000 <= 1_100
    assert wifi.state() == {"name": "Carport", "address": "192.0.2.7", "signal_dbm": -57}
    assert (0, "wlan", ("pm", 0)) in world.log
    wifi.leave()
    assert wifi.address() is None and wifi.state()["name"] is None


def test_what_is_wrong_is_said_after_15_s():
    world, wifi = radio()
    assert failure(wifi.join("Nowhere", "x")) == "there is no such network in reach"
    assert world.now_us == 15_000_000
    assert failure(wifi.join("Carport", "x")) == "wrong password"
    world.joins["Mute"] = (1001, "")
    assert failure(wifi.join("Mute", "")) == "no answer from the network (status 1001)"
    assert wifi.address() is None
    assert failure(wifi.join("Guests", "")) is None


def test_a_join_that_fails_leaves_a_newer_one_alone():
    world, wifi = radio()
    world.joins["Mute"] = (1001, "")

    def choose():
        wifi._name = "Carport"

    world.later(5_000_000, choose)
    assert failure(wifi.join("Mute", "")) == "another network was chosen meanwhile"
    assert wifi._name == "Carport"


def test_the_search_lists_names_and_is_refused_while_a_car_charges():
    world, wifi = radio()
    assert fake_machine.run(wifi.scan()) == [("Carport", -50, False), ("Guests", -50, True)]
    world, wifi = radio(is_busy=True)
    assert "not while a car is charging" in failure(wifi.scan())
    assert world.now_us == 0


def board(cable=None):
    world = fake_machine.reset()
    world.joins = {"Carport": (JOINED, "sunny side")}
    world.cable_address = cable
    return world, fake_machine.load("boards.esp32_s3.board").create()


WIFI = {"name": "Carport", "password": "sunny side"}


def test_a_board_uses_the_cable_if_there_is_one():
    world, station = board("198.51.100.3")
    fake_machine.run(station.connect(WIFI))
    assert station.address() == "198.51.100.3"
    assert not [entry for entry in world.log if entry[1] == "wlan"]


def test_without_a_cable_it_joins_the_wifi():
    world, station = board()
    assert station.address() is None
    fake_machine.run(station.connect(WIFI))
    assert station.address() == "192.0.2.7"
    world.cable_address = "198.51.100.3"  # plugged later: what is new is used
    assert station.address() == "198.51.100.3"
    world.cable_address = "0.0.0.0"  # a link, but no lease yet
    assert station.address() == "192.0.2.7"


def test_without_anything_it_says_what_is_missing():
    _, station = board()
    assert failure(station.connect(None)) == (
        "no cable is plugged and no Wi-Fi is chosen (console: network join)"
    )
    fake_machine.reset()
    station = fake_machine.load("boards.esp32_devkit.board").create()
    assert failure(station.connect(None)) == "no Wi-Fi is chosen (console: network join)"
    assert station.network() is station.wifi
