"""An energy manager and a car at the simulated charger, over real sockets.

The first current limit of a new session is waited for: 3 s at this speed, at 6 A.
"""

import json
import subprocess
import sys
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
    wait_status(charger, 10, offered_ma=16_000)
    assert manager.limit_currents({"a": 10, "b": 9.5, "c": 12}).ok
    status = charger.command("status")
    assert status["offered_ma"] == 9_500
    assert status["why"].startswith("9.5 A on L1-L3 because OPEV 9.5 A (from d:_")
    assert manager.limit_currents(0).ok
    assert charger.command("status")["offered_ma"] == 0
    assert manager.limit_currents(None).ok
    wait_status(charger, 10, offered_ma=16_000)


def test_x_opev_the_command_line_limits_and_releases_the_current(charger, tmp_path):
    def run(*words):
        command = [sys.executable, "-m", "tools.energy_manager", *words, "--state", str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
        return done.returncode, done.stdout, done.stderr

    _, identity, _ = run("identity", "--json")
    charger.command(f"trust {json.loads(identity)['ski']}")
    assert run("pair", f"127.0.0.1:{charger.port}", "--yes")[0] == 0
    here = ("--host", "127.0.0.1", "--port", str(charger.port), "--speed", "5")
    code, _, error = run("current", "10", *here, "--timeout", "1")
    assert code == 1 and "no car is plugged in" in error
    charger.command("ev plug")
    wait_status(charger, ev_connected=True)
    mark = charger.mark()
    code, text, _ = run("current", "7.5", *here, "--for", "10s")
    assert code == 0 and text.startswith("accepted after ")
    charger.wait_event("charging", 1, mark, offered_ma=7_500)
    code, text, _ = run("current", "8", *here)
    assert code == 0 and "the charger takes a safe current" in text
    assert run("current", "-1", *here)[:2] == (1, "refused: error 7 current must be >= 0\n")
    assert run("current", "--release", *here)[0] == 0
    wait_status(charger, 10, offered_ma=16_000)


def test_x_lpc_more_watts_than_a_number_holds_are_the_largest_limit(charger, manager):
    charger.command("ev plug")
    for watts in (2**63 - 1, 2**63, 10**30):
        assert manager.write_limit(watts, is_active=True, delete_duration=True).ok
        status = charger.command("status")
        assert (status["lpc_state"], status["lpc_cap_w"]) == ("limited", 999_999_999)
    wait_status(charger, 10, offered_ma=16_000)
    assert manager.write_limit(4_200, is_active=True, delete_duration=True).ok
    wait_status(charger, lpc_cap_w=4_200)


def test_x_lpp_what_flows_back_is_limited_and_negative_on_the_wire(charger, manager):
    manager.wait_usable("lpp")
    assert manager.limit_production(None).ok
    charger.command("ev plug soc_percent=60")
    charger.command("ev set give_ma 16000")
    wait_status(charger, 10, power_w=lambda watts: watts < -10_000)
    assert manager.limit_production(3_000).ok
    wait_status(charger, 10, power_w=lambda watts: -3_000 <= watts < -2_000)
    assert manager.values()["lpp"]["limit"]["limit_w"] == 3_000
    limits = manager.read("loadControlLimitListData", (1,))["loadControlLimitData"]
    assert [entry["value"]["number"] for entry in limits] == [11_000, -3_000]
    assert manager.limit_production(0).ok
    wait_status(charger, 10, power_w=lambda watts: watts >= 0)
    assert not manager.limit_production(-1).ok  # consumption, on the wire


def test_x_lpc_without_any_trusted_partner_nothing_is_limited(charger, manager):
    assert manager.write_limit(4_200, is_active=True, delete_duration=True).ok
    assert charger.command("status")["lpc_cap_w"] == 4_200
    assert charger.command(f"untrust {manager.identity.ski}")["ok"]
    wait_status(charger, connections=0, lpc_cap_w=None)
    mark = charger.mark()
    charger.command("restart")
    charger.wait_event("listening", 10, mark)
    wait_status(charger, lpc_cap_w=None)


def test_x_opev_settings_of_installer_and_user(charger):
    for line in ("opev_safe_ma none", "opev_safe_ma 0", "opev_safe_ma 8000", "charge_mode 2"):
        assert charger.command("set " + line)["ok"]
    charger.command("set installation_ma 13000")
    charger.command("set user_ma 10000")
    wait_status(charger, why="10.0 A on L1-L3 because user 10.0 A")
    charger.command("set user_ma none")
    wait_status(charger, why="13.0 A on L1-L3 because installation 13.0 A")
    for line in ("opev_safe_ma 3", "opev_safe_ma x", "charge_mode 3", "serial 4", "opev_strict 2"):
        assert not charger.command("set " + line)["ok"]


def test_x_oscev_a_recommendation_lowers_but_does_not_stop(charger, manager):
    charger.command("ev plug")
    manager.wait_usable("oscev")
    wait_status(charger, 10, offered_ma=16_000)
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
