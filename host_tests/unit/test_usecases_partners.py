"""Several energy managers at one station: who may limit it, and who keeps a limit alive."""

from ev_world import EvWorld
from spine_world import (
    CLIENT,
    CONFIGURATION,
    DISCOVERY,
    HEMS,
    LOAD_CONTROL,
    USE_CASES,
    FeedInDescription,
    Manager,
    World,
)
from test_usecases_cevc import BILL, SUMMARY
from test_usecases_lpc import ACTIVE, controlled, limited, value

from usecases.power_limit import FAILSAFE, LIMITED, UNLIMITED_AUTONOMOUS

OTHER = "d:_i:1_other"


def another(world):
    """A second manager, which plays the energy guard too."""
    manager = Manager(world, OTHER)
    manager.introduce(DISCOVERY.replace(HEMS, OTHER), USE_CASES.replace(HEMS, OTHER))
    return manager


def beats(world, manager, seconds):
    """Let time pass with a heartbeat of `manager` each 10 s."""
    for _ in range(seconds // 10):
        manager.heartbeat()
        world.pass_time(10)


def test_x_lpc_the_first_guard_is_the_one_and_the_second_is_refused():
    world = limited()
    other = another(world)
    for feature, name in ((LOAD_CONTROL, "LoadControl"), (CONFIGURATION, "DeviceConfiguration")):
        assert other.relate("Subscription", feature, name) == 0
        assert other.relate("Binding", feature, name) == 7
    assert other.write_limit(ACTIVE + value(9000)) == 9
    assert world.lpc.cap_w() == 4200


def test_x_lpc_a_guard_cannot_get_half_of_the_limit_of_another():
    world = World()
    world.manager.introduce()
    assert world.manager.relate("Binding", LOAD_CONTROL, "LoadControl") == 0
    other = another(world)
    assert other.relate("Binding", CONFIGURATION, "DeviceConfiguration") == 7
    assert world.manager.relate("Binding", CONFIGURATION, "DeviceConfiguration") == 0


def test_x_lpc_another_guards_heartbeat_does_not_stand_in_for_the_lost_one():
    world = limited()
    other = another(world)
    world.manager.close()
    beats(world, other, 130)
    assert world.lpc.limit.state == FAILSAFE
    beats(world, other, 130)
    assert world.lpc.limit.state == FAILSAFE  # nor is it the heartbeat that came back


def test_x_lpc_another_guard_takes_over_by_its_binding():
    world = limited()
    other = another(world)
    world.manager.close()
    other.heartbeat()
    other.take()
    assert other.relate("Binding", LOAD_CONTROL, "LoadControl") == 0
    asked = [a for a in other.asked if a.function == "deviceDiagnosisHeartbeatData"]
    assert len(asked) == 2  # when it was found, and now that its heartbeat counts
    beats(world, other, 130)
    assert world.lpc.limit.state == LIMITED
    assert other.write_limit(ACTIVE + value(3000)) == 0
    assert world.lpc.cap_w() == 3000


def test_x_lpc_the_guard_that_comes_back_counts_before_it_binds_again():
    world = controlled()
    world.manager.close()
    world.pass_time(100)
    world.manager = Manager(world)
    world.manager.introduce()
    beats(world, world.manager, 100)
    assert world.lpc.cap_w() is None


def test_x_lpc_a_limit_in_the_opposite_sense_of_another_is_nobodys_business():
    """The contradiction is decided by who is bound, whatever is written and how often."""
    world = limited()
    other = another(world)
    for watts in (0, 11_000, -5):
        assert other.write_limit(ACTIVE + value(watts)) == 9
        assert world.manager.write_limit(ACTIVE + value(4200)) == 0
        assert world.lpc.cap_w() == 4200


def test_x_evcs_the_summary_may_come_from_another_manager_than_the_power_limit():
    shown = []
    world = World(on_summary=shown.append)
    world.manager.commission()
    other = another(world)
    assert other.relate("Binding", BILL, "Bill") == 0
    world.station.ev_connected(True)
    assert other.send("write", CLIENT, BILL, SUMMARY)[0].error == 0
    assert shown[0]["wh"] == 12_345


def test_x_opev_the_car_has_another_master_than_the_station():
    world = EvWorld()
    assert world.manager.relate("Binding", LOAD_CONTROL, "LoadControl") == 0
    other = Manager(world, OTHER)
    assert other.relate("Binding", ((1, 1), 6), "LoadControl") == 0
    assert world.manager.relate("Binding", ((1, 1), 6), "LoadControl") == 7


def test_x_opev_another_managers_heartbeat_does_not_keep_the_limits_of_a_lost_one():
    world = EvWorld().bind()
    world.beat()
    assert world.limit_all(120) == 0
    first = world.manager
    world.manager = Manager(world, OTHER)
    first.close()
    world.keep_alive(10)
    assert world.allowed() == (6_000, "safe current, no heartbeat from d:_i:12345_HEMS-1")
    world.bind()
    world.beat()
    assert world.allowed() == ((12_000,) * 3, "from " + OTHER)


def test_x_lpc_without_any_trusted_partner_nothing_is_limited_not_even_after_a_restart():
    world = World(description=FeedInDescription)
    world.manager.commission()
    assert world.lpc.cap_w() == 4200
    world.station.release()
    assert (world.lpc.cap_w(), world.lpp.cap_w()) == (None, None)
    again = World(settings=world.settings)
    assert again.lpc.cap_w() is None
    again.manager.commission()  # and a new one starts again in init
    assert again.lpc.cap_w() == 4200
    again.pass_time(121)
    assert again.lpc.limit.state == UNLIMITED_AUTONOMOUS
