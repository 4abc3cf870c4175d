"""What the energy manager sees and sets, and what the car then does; ten times faster."""

import pytest

from host_tests.e2e.world import Manager, wait_status
from tools.simulate import Simulator

SPEED = 10


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """(charger, manager that controls it)."""
    state = tmp_path_factory.mktemp("power")
    with Manager(state / "manager", speed=SPEED) as manager:
        trust = [manager.identity.ski]
        options = {"speed": SPEED, "no_mdns": True, "trust": trust}
        with Simulator(port=0, state=str(state / "charger"), **options) as charger:
            manager.connect_to(charger)
            manager.wait_usable("lpc", "mpc", "evsecc")
            assert manager.release().ok
            yield charger, manager
            manager.close()


def plug(charger):
    charger.command("ev plug phases=3 soc_percent=30")
    return wait_status(charger, 10, power_w=lambda w: w > 9_500)


def unplug(charger):
    charger.command("ev unplug")
    wait_status(charger, 10, state="A", ev_connected=False)


def test_limits_are_obeyed_expire_and_pause(pair):
    charger, manager = pair
    plug(charger)
    assert manager.set_limit(4_200, 60).ok
    wait_status(charger, 3, power_w=lambda w: 2_000 < w <= 4_284)
    mark = manager.mark()
    wait_status(charger, 10, lpc_state="unlimited/controlled")
    manager.wait_event("limit", lambda data: not data["is_active"], mark)
    wait_status(charger, 5, power_w=lambda w: w > 9_500)
    assert manager.set_limit(0).ok
    wait_status(charger, 3, power_w=0, charging=False)
    assert manager.release().ok
    wait_status(charger, 5, power_w=lambda w: w > 9_500)
    unplug(charger)


def test_measured_phases_add_up_to_the_total(pair):
    charger, manager = pair
    plug(charger)
    content = manager.read("measurementListData", (1,))
    values = {}
    for entry in content["measurementData"]:
        number = entry["value"]
        values[entry["measurementId"]] = number["number"] * 10.0 ** number["scale"]
    assert values[1] > 9_000
    assert abs(values[1] - sum(values[i] for i in (2, 3, 4))) <= 3
    for i in range(3):
        assert abs(values[2 + i] - values[7 + i] * values[10 + i]) < 20
    unplug(charger)


def test_a_fault_reaches_the_manager_and_clears(pair):
    charger, manager = pair
    plug(charger)
    mark = manager.mark()
    charger.command("ev set pilot_short 1")
    event = manager.wait_event("state", lambda d: "failure" in str(d), mark)
    assert "PilotFault" in str(event.data)
    assert charger.command("status")["faults"] == ["PilotFault"]
    mark = manager.mark()
    unplug(charger)
    manager.wait_event("state", lambda d: "normalOperation" in str(d), mark)


def test_the_car_appears_and_disappears_as_an_entity(pair):
    charger, manager = pair
    mark = manager.mark()
    plug(charger)
    added = manager.wait_event("entity_added", None, mark)
    assert list(added.data["entity"]) == [1, 1] and added.data["type"] == "EV"
    mark = manager.mark()
    unplug(charger)
    removed = manager.wait_event("entity_removed", None, mark)
    assert list(removed.data["entity"]) == [1, 1]


def test_silence_ends_in_failsafe_and_a_heartbeat_with_a_limit_ends_that(pair):
    charger, manager = pair
    assert manager.failsafe(5_000, 7_200).ok
    plug(charger)
    manager.heartbeat(False)
    wait_status(charger, 15, lpc_state="failsafe")
    wait_status(charger, 3, power_w=lambda w: 2_000 < w <= 5_100)
    assert not manager.set_limit(9_000).ok
    manager.heartbeat(True)
    mark = manager.mark()
    manager.wait_event("heartbeat_sent", None, mark)
    assert manager.release().ok
    wait_status(charger, 5, lpc_state="unlimited/controlled", power_w=lambda w: w > 9_500)
    unplug(charger)
