"""Foreign controllers with the charger: they find it, read all of it, write, and are told changes.

pychonet is what Home Assistant uses; echonet-lite and node-echonet-lite are the npm libraries.
Each does the same here, in its own way:

    pychonet            searches the list by multicast, then asks 8A 8C 83 D6; maps in one frame,
                        ten properties a frame; decodes some values itself (83, 8A, the maps)
    echonet-lite        searches D6 83 9D 9E 9F by multicast from port 23610, all properties of the
                        map in one frame; joins only on the default route's interface
    node-echonet-lite   searches D6 of 0EF000 three times and leaves the group meanwhile; reads the
                        maps, then one property a frame

Node and controllers live in network namespaces where those can be made, else on loopback.
"""

import time

import pytest

from host_tests.e2e.echonet_peers import lan as network

LIBRARIES = ("pychonet", "echonet-lite", "node-echonet-lite")
CHARGER = "02a101"
MAPS = {
    "inf": "80 81 88 c7 da eb ed",
    "set": "81 cd da e7 eb ed",
    "get": "80 81 82 83 88 89 8a 8c 8d 9d 9e 9f c5 c7 c8 ca cc d2 d3 d8 da e6 e7 eb ed",
}
OTHER = "027e01"
OTHER_MAPS = {
    "inf": "80 81 88 c7 da dc dd e1 eb ed",
    "set": "81 da e7 eb ed",
    "get": "80 81 82 83 88 89 8a 8c 8d 9d 9e 9f c0 c2 c4 c5 c6 c7 c8 c9 ca cb cc d2 d3 d4 d5 d8 "
    "da dc dd e1 e6 e7 eb ed",
}
# what a charger with one phase of 16 A and no vehicle tells; 83 and 8D are its own
VALUES = {
    "80": "30",
    "81": "00",
    "82": "00005202",
    "88": "42",
    "89": "0000",
    "c5": "00000e60",
    "c7": "30",
    "c8": "0000056400000e60",
    "ca": "003c00a0",
    "cc": "11",
    "d2": "00e6",
    "d3": "00000000",
    "d8": "00000000",
    "da": "44",
    "e6": "00",
    "e7": "00000000",
    "eb": "00000e60",
    "ed": "00a0",
}
ACCEPTED = ("71", "Set_Res")
REFUSED = ("51", "SetC_SNA")
COMPLETE = ("72", "Get_Res")


@pytest.fixture(scope="module")
def lan():
    try:
        with network.NamespaceLan() as lan:
            yield lan
    except OSError:
        yield network.Lan()


@pytest.fixture(params=LIBRARIES)
def library(request):
    if request.param != "pychonet" and network.missing():
        pytest.skip(f"{request.param}: {network.missing()}")
    return request.param


def controller(library, lan):
    if library == "pychonet":
        return network.pychonet(lan, lan.ours)
    return network.javascript(library, "controller", lan, lan.ours)


def read_all(driver, node, library, eoj=CHARGER, epcs=MAPS["get"]):
    """Every property of the Get map, in the way of each library."""
    epcs = epcs.split()
    size = {"pychonet": 10, "echonet-lite": len(epcs), "node-echonet-lite": 1}[library]
    values = {}
    for start in range(0, len(epcs), size):
        answer = driver.call("get", node=node, eoj=eoj, epcs=epcs[start : start + size])
        assert answer["esv"] in COMPLETE
        values.update(answer["values"])
    return values


def told_by_charger(driver):
    """Announcements so far, without those of the instance list."""
    return [item for item in driver.announcements if item["eoj"] == CHARGER]


def test_a_controller_finds_the_charger_and_reads_every_property(lan, library, tmp_path):
    with network.Charger(lan, state=tmp_path, phases=1) as charger:
        with controller(library, lan) as driver:
            search = None if lan.has_multicast else lan.theirs
            found = driver.call("discover", node=search)["objects"]
            assert CHARGER in found[lan.theirs]
            driver.call("discover", node=lan.theirs)
            maps = driver.call("maps", node=lan.theirs, eoj=CHARGER)
            for name, epcs in MAPS.items():
                assert sorted(maps[name]) == epcs.split(), name
            values = read_all(driver, lan.theirs, library)
            assert VALUES.items() <= values.items()
            assert set(values) == set(MAPS["get"].split()) and all(values.values())
        seen = charger.command("echonet")
        assert [c["address"] for c in seen["controllers"]] == [lan.ours]
        assert seen["malformed"] == seen["dropped"] == 0


def test_a_controller_finds_the_other_class_and_reads_every_property(lan, library, tmp_path):
    with network.Charger(lan, state=tmp_path, phases=1) as charger:
        charger.command("echonet class 027E")
        with controller(library, lan) as driver:
            driver.call("discover", node=lan.theirs)
            maps = driver.call("maps", node=lan.theirs, eoj=OTHER)
            for name, epcs in OTHER_MAPS.items():
                assert sorted(maps[name]) == epcs.split(), name
            values = read_all(driver, lan.theirs, library, OTHER, OTHER_MAPS["get"])
            assert set(values) == set(OTHER_MAPS["get"].split()) and all(values.values())
            told = {"c6": "00000000", "c7": "30", "da": "44", "dc": "01", "dd": "00", "e1": "44"}
            assert told.items() <= values.items()


def test_a_controller_writes_what_may_be_written_once_it_is_allowed_to(lan, library, tmp_path):
    with network.Charger(lan, state=tmp_path, phases=1) as charger:
        with controller(library, lan) as driver:
            driver.call("discover", node=lan.theirs)
            driver.call("maps", node=lan.theirs, eoj=CHARGER)

            def write(epc, edt):
                return driver.call("set", node=lan.theirs, eoj=CHARGER, epc=epc, edt=edt)["esv"]

            def read(epc):
                answer = driver.call("get", node=lan.theirs, eoj=CHARGER, epcs=[epc])
                return answer["values"][epc]

            assert write("ed", "0064") in REFUSED and read("ed") == "00a0"
            charger.command(f"echonet allow {lan.ours}")
            assert write("ed", "0064") in REFUSED
            charger.command("echonet writes on")
            for epc, edt in (("ed", "0064"), ("eb", "00000bb8"), ("e7", "00001388")):
                assert write(epc, edt) in ACCEPTED and read(epc) == edt
            assert write("81", "68") in ACCEPTED and read("81") == "68"
            assert write("cd", "10") in ACCEPTED
            assert write("ed", "0001") in REFUSED and read("ed") == "0064"
            assert write("da", "42") in REFUSED  # no vehicle
            assert write("da", "47") in ACCEPTED and read("da") == "47"
            limits = charger.command("limits")["limits"]
            assert {"source": "ECHONET", "w": 0, "reason": "idle"} in limits
            assert any(
                "set DA of 02A101 to 47" in line for line in charger.command("log")["lines"]
            )
            charger.command("echonet writes off")
            assert write("da", "44") in REFUSED and read("ed") == "00a0"
            assert [x["source"] for x in charger.command("limits")["limits"]] == ["hardware"]


def test_a_controller_is_told_what_changes(lan, library, tmp_path):
    with network.Charger(lan, state=tmp_path, phases=1, speed=10) as charger:
        charger.command(f"echonet allow {lan.ours}")
        charger.command("echonet writes on")
        with controller(library, lan) as driver:
            driver.call("discover", node=lan.theirs)
            driver.call("maps", node=lan.theirs, eoj=CHARGER)
            charger.command("ev plug")
            told = driver.wait_inf(xc7="41")
            assert (told["node"], told["eoj"]) == (lan.theirs, CHARGER)
            driver.wait_inf(xda="42")
            driver.call("set", node=lan.theirs, eoj=CHARGER, epc="da", edt="44")
            driver.wait_inf(xda="44")
            so_far = len(driver.announcements)
            charger.command("ev unplug")
            driver.wait_inf(so_far, xc7="30")
            time.sleep(1.2)
            count = len(told_by_charger(driver))
            time.sleep(0.8)
            told = told_by_charger(driver)
            assert len(told) == count, told  # nothing changes, nothing is told
