"""An energy manager and a car at the simulated charger, over real sockets."""

import time

import pytest

from host_tests.e2e.world import Manager, wait_status
from tools.simulate import Simulator


@pytest.fixture
def charger(tmp_path):
    options = {"port": 0, "no_mdns": True, "state": str(tmp_path / "charger"), "speed": 5}
    with Simulator(iso15118=True, feed_in=11_000, **options) as simulator:
        yield simulator


@pytest.fixture
def manager(tmp_path, charger):
    with Manager(tmp_path / "manager", speed=5, for_cars=True) as one:
        charger.command(f"trust {one.identity.ski}")
        one.connect_to(charger)
        one.wait_usable("lpc", "evcs")
        assert one.write_limit(11_000, is_active=False, delete_duration=True).ok
        yield one


def test_x_opev_a_written_current_is_on_the_pilot_when_the_result_arrives(charger, manager):
    charger.command("ev plug")
    manager.wait_usable("opev")
    wait_status(charger, offered_ma=16_000)
    assert manager.limit_currents({"a": 10, "b": 9.5, "c": 12}).ok
    status = charger.command("status")
    assert status["offered_ma"] == 9_500
    assert status["why"].startswith("9.5 A on L1-L3 because OPEV 9.5 A (from d:_")
    assert manager.limit_currents(0).ok
    assert charger.command("status")["offered_ma"] == 0
    assert manager.limit_currents(None).ok
    wait_status(charger, offered_ma=16_000)


def test_x_oscev_a_recommendation_lowers_but_does_not_stop(charger, manager):
    charger.command("ev plug")
    manager.wait_usable("oscev")
    wait_status(charger, offered_ma=16_000)
    assert manager.limit_currents(3, recommended=True).ok
    assert "OSCEV 6.0 A (surplus" in charger.command("status")["why"]
    charger.command("set charge_mode 1")
    wait_status(charger, offered_ma=0)


def test_x_cevc_a_plan_follows_curve_and_prices(charger, manager):
    charger.command("ev plug soc_percent=50")
    charger.command("ev set wanted_wh 4000")
    charger.command("ev set iso15118 1")
    manager.wait_usable("cevc")
    assert manager.values()["cevc"]["wanted_wh"] == 4_000
    assert manager.plan_charge([(172_800, 5_000)], [(3600, 0.2), (169_200, 0.3)]).ok
    end = time.monotonic() + 5
    while manager.values()["cevc"]["plan"] != [(0, 5_000), (2_880, 0)]:
        assert time.monotonic() < end, manager.values()["cevc"]
        time.sleep(0.05)
    wait_status(charger, why=lambda text: "because CEVC 5.0 kW (plan)" in text)


def test_x_evcs_the_summary_of_a_session_is_shown(charger, manager):
    charger.command("ev plug")
    manager.wait_usable("vehicle")
    charger.command("ev unplug")
    wait_status(charger, ev_connected=False)
    mark = charger.mark()
    assert manager.summarise(12_345, 3.7, 65).ok
    shown = charger.wait_event("summary", 5, mark)
    assert (shown["wh"], shown["cost"], shown["solar_percent"]) == (12_345, 370, 65)
