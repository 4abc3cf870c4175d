"""Starts that fail end in the rescue console, and the way back from there."""

import time

import pytest

from tools.simulate import Simulator


@pytest.mark.parametrize("code", ["source", "romfs"])
def test_three_failed_starts_bring_the_rescue_console_and_a_repair_ends_it(tmp_path, code):
    options = {"port": 0, "state": str(tmp_path / "state"), "speed": 100, "code": code}
    charger = Simulator(**options, no_mdns=True, no_echonet=True)
    with charger:
        ski = charger.wait_event("listening")["ski"]
    identity = tmp_path / "state" / "identity"
    whole = identity.read_bytes()
    identity.write_bytes(whole[:40])
    for _ in range(3):
        charger.start()
        assert charger.process.wait(10) == 1
        charger.stop()
    with charger:
        assert charger.wait_event("rescue")["failed"] == 3
        status = charger.command("status")
        assert status["rescue"] and "identity is damaged" in status["crash"]
        identity.write_bytes(whole)
        assert charger.command("restart")["ok"]
        assert charger.wait_event("listening")["ski"] == ski
        # A minute of this charger's time later the failures are forgotten.
        end = time.monotonic() + 10
        while '"failed": 0' not in (text := (tmp_path / "state" / "starts").read_text()):
            assert time.monotonic() < end, text
            time.sleep(0.05)


def test_shutdown_in_the_rescue_console_ends_it(tmp_path):
    (tmp_path / "starts").write_text('{"failed": 3, "starting": false, "crash": "?"}')
    with Simulator(port=0, state=str(tmp_path)) as charger:
        charger.wait_event("rescue")
        assert charger.stop() == 0
