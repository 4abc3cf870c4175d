"""The abstract test cases of MPC that target the monitored unit, by their ids.

All values are read, and notified, through SPINE; the meter is set by the test. A station that can
feed in has produced energy and negative power.
"""

from spine_world import MEASUREMENT, FeedInDescription, World, flat

TOTAL, POWER, CONSUMED, PRODUCED, CURRENT, VOLTAGE, FREQUENCY = 1, 2, 5, 6, 7, 10, 16


def station():
    world = World(description=FeedInDescription)
    world.meter.produced_wh = 50
    return world


def entry_of(entries, number):
    return next(entry for entry in entries if entry["measurementId"] == number)


def measured(world, number):
    """(number, scale, valueState) of a measurement as it is polled."""
    entries = world.manager.read(MEASUREMENT, "measurementListData").entries("measurementData")
    entry = entry_of(entries, number)
    value = flat(entry["value"])
    return value["number"], value["scale"], entry["valueState"]


def described(world, number):
    """(unit, scopeType) of a measurement."""
    answer = world.manager.read(MEASUREMENT, "measurementDescriptionListData")
    entry = entry_of(answer.entries("measurementDescriptionData"), number)
    return entry["unit"], entry["scopeType"]


def test_atc_mpc_com_pt_mupolling_001_a_poll_is_answered_at_once():
    """ATC_MPC_COM_PT_MUPolling_001"""
    world = station()
    for watts in (0, 1_000, 11_000, 4_200, -3_000):
        world.meter.power_w = watts
        assert measured(world, TOTAL) == (watts, 0, "normal")


def test_atc_mpc_com_pt_munotification_001_five_changes_arrive_within_120_s():
    """ATC_MPC_COM_PT_MUNotification_001"""
    world = station()
    assert world.manager.relate("Subscription", MEASUREMENT, "Measurement") == 0
    world.pass_time(11)
    for watts in (100, 3_000, 3_050, 11_000, 7):
        world.manager.take()
        world.meter.power_w = watts
        told = None
        for second in range(1, 121):
            world.pass_time(1)
            for answer in world.manager.take():
                value = entry_of(answer.entries("measurementData"), TOTAL)["value"]
                if flat(value)["number"] == watts:
                    told = second
            if told:
                break
        assert told and told <= 10


def test_atc_mpc_sce1_pt_mutotalactivepower_001_in_watts_with_its_sign():
    """ATC_MPC_SCE1_PT_MUTotalActivePower_001"""
    world = station()
    assert described(world, TOTAL) == ("W", "acPowerTotal")
    assert measured(world, TOTAL) == (4_200, 0, "normal")
    world.meter.power_w = -2_500
    assert measured(world, TOTAL) == (-2_500, 0, "normal")


def phase_power(phase):
    world = station()
    world.meter.phase_power_w = [1_100, -1_200, 1_300]
    assert described(world, POWER + phase) == ("W", "acPower")
    assert measured(world, POWER + phase) == ([1_100, -1_200, 1_300][phase], 0, "normal")


def test_atc_mpc_sce1_pt_muphaseactivepower_001_of_phase_a():
    """ATC_MPC_SCE1_PT_MUPhaseActivePower_001"""
    phase_power(0)


def test_atc_mpc_sce1_pt_muphaseactivepower_002_of_phase_b():
    """ATC_MPC_SCE1_PT_MUPhaseActivePower_002"""
    phase_power(1)


def test_atc_mpc_sce1_pt_muphaseactivepower_003_of_phase_c():
    """ATC_MPC_SCE1_PT_MUPhaseActivePower_003"""
    phase_power(2)


def test_atc_mpc_sce2_pt_mutotalconsumedenergy_001_rises_while_consuming():
    """ATC_MPC_SCE2_PT_MUTotalConsumedEnergy_001"""
    world = station()
    assert described(world, CONSUMED) == ("Wh", "acEnergyConsumed")
    before = measured(world, CONSUMED)[0]
    world.meter.energy_wh += 10
    assert measured(world, CONSUMED) == (before + 10, 0, "normal")


def test_atc_mpc_sce2_pt_mutotalconsumedenergy_002_stands_while_producing():
    """ATC_MPC_SCE2_PT_MUTotalConsumedEnergy_002"""
    world = station()
    before = measured(world, CONSUMED)
    world.meter.power_w = -3_000
    world.meter.produced_wh += 10
    assert measured(world, CONSUMED) == before


def test_atc_mpc_sce2_pt_mutotalproducedenergy_001_stands_while_consuming():
    """ATC_MPC_SCE2_PT_MUTotalProducedEnergy_001"""
    world = station()
    assert described(world, PRODUCED) == ("Wh", "acEnergyProduced")
    before = measured(world, PRODUCED)
    world.meter.energy_wh += 10
    assert measured(world, PRODUCED) == before == (50, 0, "normal")


def test_atc_mpc_sce2_pt_mutotalproducedenergy_002_rises_while_producing():
    """ATC_MPC_SCE2_PT_MUTotalProducedEnergy_002"""
    world = station()
    world.meter.produced_wh += 10
    assert measured(world, PRODUCED) == (60, 0, "normal")


def active_current(phase):
    world = station()
    world.meter.current_ma = [6_100, -6_200, 6_300]
    assert described(world, CURRENT + phase) == ("A", "acCurrent")
    assert measured(world, CURRENT + phase) == ([6_100, -6_200, 6_300][phase], -3, "normal")


def test_atc_mpc_sce3_pt_muactiveaccurrent_001_of_phase_a():
    """ATC_MPC_SCE3_PT_MUActiveACCurrent_001"""
    active_current(0)


def test_atc_mpc_sce3_pt_muactiveaccurrent_002_of_phase_b():
    """ATC_MPC_SCE3_PT_MUActiveACCurrent_002"""
    active_current(1)


def test_atc_mpc_sce3_pt_muactiveaccurrent_003_of_phase_c():
    """ATC_MPC_SCE3_PT_MUActiveACCurrent_003"""
    active_current(2)


def voltage(phase):
    world = station()
    world.meter.voltage_mv = [230_100, 231_200, 229_300]
    assert described(world, VOLTAGE + phase) == ("V", "acVoltage")
    assert measured(world, VOLTAGE + phase) == ([230_100, 231_200, 229_300][phase], -3, "normal")
    # Only what is connected: a station on one phase has no b and no c.
    answer = World(phases=1).manager.read(MEASUREMENT, "measurementListData")
    numbers = [entry["measurementId"] for entry in answer.entries("measurementData")]
    assert (VOLTAGE + phase in numbers) == (phase == 0)


def test_atc_mpc_sce4_pt_muacvoltage_001_of_phase_a():
    """ATC_MPC_SCE4_PT_MUACVoltage_001"""
    voltage(0)


def test_atc_mpc_sce4_pt_muacvoltage_002_of_phase_b():
    """ATC_MPC_SCE4_PT_MUACVoltage_002"""
    voltage(1)


def test_atc_mpc_sce4_pt_muacvoltage_003_of_phase_c():
    """ATC_MPC_SCE4_PT_MUACVoltage_003"""
    voltage(2)


def test_x_mpc_voltages_between_phases_are_not_published():
    """So ATC_MPC_SCE4_PT_MUACVoltage_004 to 006 are for others."""
    answer = station().manager.read(MEASUREMENT, "measurementListData")
    numbers = [entry["measurementId"] for entry in answer.entries("measurementData")]
    assert not {13, 14, 15} & set(numbers)


def test_atc_mpc_sce5_pt_mufrequency_001_in_hertz():
    """ATC_MPC_SCE5_PT_MUFrequency_001"""
    world = station()
    assert described(world, FREQUENCY) == ("Hz", "acFrequency")
    assert measured(world, FREQUENCY) == (50_010, -3, "normal")
