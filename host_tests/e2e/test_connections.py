"""Several chargers, several energy managers, and the same one twice."""

from host_tests.e2e.world import Manager, wait_status
from tools.energy_manager.identity import Identity
from tools.simulate import Simulator


def charger(state, **options):
    return Simulator(port=0, state=str(state), no_mdns=True, **options)


def test_chargers_live_side_by_side(tmp_path):
    with Manager(tmp_path / "m1") as one, Manager(tmp_path / "m2") as two:
        options = {"trust": [one.identity.ski, two.identity.ski]}
        with charger(tmp_path / "a", serial="A", **options) as a:
            with charger(tmp_path / "b", serial="B", bits="32", **options) as b:
                one.connect_to(a)
                two.connect_to(b)
                assert a.command("id")["ski"] != b.command("id")["ski"]
                one.wait_usable("lpc")
                assert one.set_limit(3000).ok
                assert a.command("limits")["lpc"]["limit_w"] == 3000
                assert b.command("limits")["lpc"]["limit_w"] != 3000
                one.close()
                two.close()


def test_a_second_energy_manager_watches_but_does_not_limit(tmp_path):
    with Manager(tmp_path / "m1") as one, Manager(tmp_path / "m2") as two:
        trust = [one.identity.ski, two.identity.ski]
        with charger(tmp_path / "charger", trust=trust) as node:
            one.connect_to(node)
            one.wait_usable("lpc")
            two.connect_to(node)
            two.wait_usable("mpc")
            mark = two.mark()
            assert one.set_limit(5000).ok
            event = two.wait_event("limit", lambda data: data["is_active"], mark)
            assert event.data["limit_w"] == 5000
            assert not two.write_limit(9000, True).ok
            assert node.command("limits")["lpc"]["limit_w"] == 5000
            one.close()
            two.close()


def test_the_newer_connection_of_a_manager_takes_over_its_bindings(tmp_path):
    with charger(tmp_path / "charger") as node:
        ski = node.command("id")["ski"]
        number = 0  # the node with the larger SKI decides, the other one waits for half a minute
        while Identity.load(tmp_path / str(number)).ski > ski:
            number += 1
        identity = tmp_path / str(number)
        with Manager(identity) as old, Manager(identity) as new:
            node.command("trust " + old.identity.ski)
            old.connect_to(node)
            old.wait_usable("lpc")
            new.connect_to(node)
            new.wait_usable("lpc")
            assert new.set_limit(4000).ok
            old.wait_closed()
            wait_status(node, connections=1)
            assert new.set_limit(5000).ok
            new.close()


def test_trusted_peers_survive_a_restart_of_the_process(tmp_path):
    ski = "ab" * 20
    with charger(tmp_path) as node:
        node.command(f"trust {ski}")
    with charger(tmp_path) as node:
        assert [peer["ski"] for peer in node.command("peers")["trusted"]] == [ski]
