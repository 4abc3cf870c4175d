"""The firmware from its ROMFS image, bundled, on the 32-bit build with a small heap."""

from host_tests.e2e.called import Listener
from host_tests.e2e.peer import Peer, certificate_in_order
from host_tests.e2e.world import Manager, wait_status
from tools.simulate import Simulator


def test_a_whole_session_in_a_small_heap(tmp_path):
    with Manager(tmp_path / "manager", speed=10) as manager:
        options = {"bits": "32", "code": "romfs", "heap": "128K", "speed": 10, "no_mdns": True}
        with Simulator(port=0, state=str(tmp_path / "charger"), **options) as charger:
            charger.command(f"trust {manager.identity.ski}")
            manager.connect_to(charger)
            manager.wait_usable("lpc", "mpc", "evsecc")
            charger.command("ev plug")
            assert manager.set_limit(4_200, 600).ok
            wait_status(charger, 10, power_w=lambda w: 2_000 < w <= 4_284)
            assert manager.release().ok
            manager.close()
            wait_status(charger, connections=0)
            assert not any("emory" in line for line in charger.command("log")["lines"])


def test_every_command_of_an_image_answers_as_the_sources_do(tmp_path):
    """Commands are parts of the bundle that are loaded for one use."""
    answers = {}
    for code in ("source", "romfs"):
        state = str(tmp_path / "charger")  # one identity for both
        options = {"bits": "32", "code": code, "no_mdns": True, "iso15118": True, "feed_in": 9000}
        with Simulator(port=0, state=state, **options) as charger:
            for command in charger.command("help")["commands"]:
                if command not in ("log", "restart", "factory-reset", "shutdown"):
                    answer = charger.command(command)
                    answers.setdefault(command, []).append((answer["ok"], sorted(answer)))
            answers.setdefault("label", []).append(charger.command("id")["qr"])
            wrong = [charger.command(f"trust {word}")["error"] for word in ("", "00")]
            answers.setdefault("wrong words", []).append(wrong)
    assert len(answers) > 8
    for command, (source, image) in answers.items():
        assert source == image, command


def test_the_image_calls_its_partners_and_ends_a_double_connection(tmp_path):
    """What is rarely needed, like the rule for two connections, is a part of its own."""
    options = {"bits": "32", "code": "romfs", "no_echonet": True}
    with Simulator(port=0, state=tmp_path / "charger", **options) as charger:
        hems = certificate_in_order(tmp_path, charger.command("id")["ski"], is_larger=False)
        with Listener(hems) as listener:
            charger.command("trust " + hems.ski)
            with listener.accept().reach("data") as older:
                newer = Peer(charger.port, hems).reach("data")
                assert older.expect("connectionClose")[1]["phase"] == "announce"
                older.wait_closed()
                assert newer.discover().address
                newer.drop()
        charger.command("button")
        charger.wait_event("registration", state="open")
        lines = charger.command("log")["lines"]
        assert not any("Error" in line for line in lines), lines
