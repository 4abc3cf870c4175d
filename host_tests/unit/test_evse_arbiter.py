"""The arbiter: strictest limit, watts and amperes, age, fallback, explanation."""

from evse.arbiter import (
    CABLE,
    ECHONET,
    HARDWARE,
    INSTALLATION,
    LPC,
    OPEV,
    OSCEV,
    SOURCE_COUNT,
    TEMPERATURE,
    USER,
    Arbiter,
    source_name,
)

U230 = 230_000


def station(max_ma=16_000):
    arbiter = Arbiter()
    arbiter.publish(HARDWARE, 0, milliamps=max_ma)
    return arbiter


def is_refused(arbiter, **limit):
    try:
        arbiter.publish(USER, 0, **limit)
    except ValueError:
        return True
    return False


def test_without_a_hardware_limit_nothing_is_allowed():
    arbiter = Arbiter()
    arbiter.publish(USER, 0, milliamps=10_000)
    decision = arbiter.decide(0, 3, U230)
    assert decision.current_ma == 0
    assert decision.source == HARDWARE
    assert decision.explain() == "0.0 A because hardware has published no limit"
    arbiter.publish(HARDWARE, 0, milliamps=16_000)
    assert arbiter.decide(0, 3, U230).current_ma == 10_000
    arbiter.withdraw(HARDWARE)
    assert arbiter.decide(0, 3, U230).current_ma == 0


def test_the_strictest_source_is_binding_and_named():
    arbiter = station(32_000)
    order = (
        (INSTALLATION, 25_000),
        (CABLE, 20_000),
        (TEMPERATURE, 16_000),
        (USER, 13_000),
        (OPEV, 10_000),
        (OSCEV, 8_000),
    )
    for source, milliamps in order:
        arbiter.publish(source, 0, milliamps=milliamps)
        decision = arbiter.decide(0, 3, U230)
        assert (decision.source, decision.current_ma) == (source, milliamps)
    for source, milliamps in reversed(order):
        decision = arbiter.decide(0, 3, U230)
        assert (decision.source, decision.current_ma) == (source, milliamps)
        arbiter.withdraw(source)
    assert arbiter.decide(0, 3, U230).current_ma == 32_000


def test_current_is_floored_to_a_tenth_of_an_ampere():
    arbiter = station()
    for milliamps, expected in ((15_999, 15_900), (6_000, 6_000), (5_999, 5_900), (99, 0), (0, 0)):
        arbiter.publish(USER, 0, milliamps=milliamps)
        assert arbiter.decide(0, 3, U230).current_ma == expected


def test_watts_become_amperes_by_phases_and_measured_voltage():
    arbiter = station(80_000)
    cases = (
        (4_200, 3, 230_000, 6_000),  # 6.08 A
        (4_200, 3, 240_000, 5_800),  # 5.83 A
        (4_200, 1, 230_000, 18_200),
        (7_000, 1, 230_000, 30_400),
        (11_000, 3, 230_000, 15_900),
        (0, 3, 230_000, 0),
        (4_140, 3, 230_000, 6_000),
        (4_139, 3, 230_000, 5_900),
        (30_000_000, 3, 230_000, 80_000),
    )
    for watts, phases, voltage_mv, expected in cases:
        arbiter.publish(LPC, 0, watts=watts)
        decision = arbiter.decide(0, phases, voltage_mv)
        assert decision.current_ma == expected, (watts, phases, voltage_mv)
        assert decision.limit_w == watts
        assert decision.amps_ma == 80_000


def test_no_watt_limit_is_ever_exceeded_by_the_current_it_allows():
    arbiter = station(80_000)
    for watts in range(1, 30_000, 83):
        arbiter.publish(LPC, 0, watts=watts)
        for phases in (1, 2, 3):
            for voltage_mv in (207_000, 229_777, 253_000):
                ma = arbiter.decide(0, phases, voltage_mv).current_ma
                assert ma * voltage_mv * phases <= watts * 1_000_000


def test_the_voltage_is_clamped_to_ten_per_cent_of_nominal():
    arbiter = station(80_000)
    arbiter.publish(LPC, 0, watts=6_900)
    for voltage_mv, expected in (
        (1, 11_100),
        (207_000, 11_100),
        (230_000, 10_000),
        (253_000, 9_000),
        (400_000, 9_000),
        (0, 10_000),  # never measured
    ):
        assert arbiter.decide(0, 3, voltage_mv).current_ma == expected
    japan = Arbiter(200_000)
    japan.publish(HARDWARE, 0, milliamps=30_000)
    japan.publish(ECHONET, 0, watts=3_000)
    assert japan.decide(0, 1, 202_000).current_ma == 14_800


def test_the_lowest_watt_limit_wins_over_the_others():
    arbiter = station(32_000)
    arbiter.publish(LPC, 0, watts=9_000)
    arbiter.publish(ECHONET, 0, watts=6_000)
    decision = arbiter.decide(0, 3, U230)
    assert (decision.limit_w, decision.source, decision.current_ma) == (6_000, ECHONET, 8_600)
    arbiter.publish(USER, 0, milliamps=7_000)
    decision = arbiter.decide(0, 3, U230)
    assert (decision.limit_w, decision.source, decision.current_ma) == (6_000, USER, 7_000)
    arbiter.withdraw(ECHONET)
    assert arbiter.decide(0, 3, U230).limit_w == 9_000
    arbiter.withdraw(LPC)
    assert arbiter.decide(0, 3, U230).limit_w is None


def test_a_limit_per_phase_counts_only_on_phases_in_use():
    arbiter = station()
    arbiter.publish(OPEV, 0, milliamps=(12_000, 9_000, 7_000))
    assert arbiter.decide(0, 3, U230).current_ma == 7_000
    assert arbiter.decide(0, 2, U230).current_ma == 9_000
    assert arbiter.decide(0, 1, U230).current_ma == 12_000


def test_a_phase_without_a_limit_does_not_lower_the_minimum():
    arbiter = station()
    arbiter.publish(OPEV, 0, milliamps=(None, 9_000, None))
    assert arbiter.decide(0, 3, U230).current_ma == 9_000
    assert arbiter.decide(0, 1, U230).current_ma == 16_000


def test_a_stale_source_takes_its_fallback_at_its_expiry_and_not_a_tick_before():
    arbiter = station()
    arbiter.publish(LPC, 1_000, watts=9_000, expires_ms=120_000, fallback=4_200)
    assert arbiter.decide(120_999, 3, U230).limit_w == 9_000
    decision = arbiter.decide(121_000, 3, U230)
    assert (decision.limit_w, decision.current_ma, decision.is_stale) == (4_200, 6_000, True)
    assert arbiter.decide(10**9, 3, U230).limit_w == 4_200
    arbiter.publish(LPC, 130_000, watts=9_000, expires_ms=120_000, fallback=4_200)
    decision = arbiter.decide(130_000, 3, U230)
    assert (decision.limit_w, decision.is_stale) == (9_000, False)


def test_a_fallback_may_be_a_current_per_phase():
    arbiter = station()
    arbiter.publish(
        OPEV, 0, milliamps=(10_000, 11_000, 12_000), expires_ms=4_000, fallback=(6_000, 7_000, 0)
    )
    assert arbiter.decide(3_999, 2, U230).current_ma == 10_000
    assert arbiter.decide(4_000, 2, U230).current_ma == 6_000
    assert arbiter.decide(4_000, 3, U230).current_ma == 0


def test_several_sources_expire_one_after_the_other():
    arbiter = station()
    arbiter.publish(OPEV, 0, milliamps=15_000, expires_ms=200, fallback=14_000)
    arbiter.publish(USER, 0, milliamps=15_000, expires_ms=100, fallback=14_500)
    arbiter.publish(ECHONET, 0, milliamps=15_000, expires_ms=300, fallback=13_000)
    seen = [arbiter.decide(now, 3, U230).current_ma for now in (0, 99, 100, 199, 200, 299, 300)]
    assert seen == [15_000, 15_000, 14_500, 14_500, 14_000, 14_000, 13_000]


def test_an_expired_fallback_of_zero_is_a_pause_and_not_the_absence_of_a_limit():
    arbiter = station()
    arbiter.publish(OPEV, 0, milliamps=16_000, expires_ms=1, fallback=0)
    assert arbiter.decide(1, 3, U230).current_ma == 0


def test_explain_names_current_phases_source_and_value():
    arbiter = station(32_000)
    decision = arbiter.decide(0, 3, U230)
    assert decision.explain() == "32.0 A on L1-L3 because hardware 32.0 A"
    arbiter.publish(LPC, 0, watts=7_000, expires_ms=10, fallback=4_140, reason="heartbeat")
    assert arbiter.decide(0, 3, U230).explain() == (
        "10.1 A on L1-L3 because LPC 7.0 kW (heartbeat)"
    )
    assert arbiter.decide(10, 1, U230).explain() == (
        "18.0 A on L1 because LPC 4140 W, fallback (heartbeat)"
    )
    arbiter.publish(OPEV, 10, milliamps=(8_050, 9_000, 9_000))
    assert arbiter.decide(10, 2, U230).explain() == "8.0 A on L1-L2 because OPEV 8.0 A"


def test_every_source_has_a_name():
    names = [source_name(source) for source in range(SOURCE_COUNT)]
    assert len(set(names)) == SOURCE_COUNT
    assert (names[HARDWARE], names[LPC], names[OSCEV]) == ("hardware", "LPC", "OSCEV")


def test_published_shows_each_source_for_the_console():
    arbiter = station()
    assert arbiter.published(LPC, 0) is None
    arbiter.publish(LPC, 5, watts=9_000, expires_ms=100, fallback=4_200, reason="r")
    assert arbiter.published(LPC, 65) == (True, 9_000, False, 40, "r")
    assert arbiter.published(LPC, 500) == (True, 4_200, True, 0, "r")
    assert arbiter.published(HARDWARE, 500) == (False, 16_000, False, None, "")
    arbiter.withdraw(LPC)
    assert arbiter.published(LPC, 500) is None


def test_one_source_can_ask_what_all_others_would_allow():
    arbiter = station()
    arbiter.publish(ECHONET, 0, milliamps=0)
    arbiter.decide(0, 3, U230)
    assert arbiter.would_allow(0, 3, ECHONET) == 16_000
    assert arbiter.would_allow(0, 3, LPC) == arbiter.would_allow(0, 3) == 0
    arbiter.publish(LPC, 0, watts=4_140, expires_ms=1_000, fallback=1_380)
    assert arbiter.would_allow(999, 3, ECHONET) == 6_000
    assert arbiter.would_allow(1_000, 3, ECHONET) == 2_000
    assert arbiter.would_allow(1_000, 1, ECHONET) == 6_000
    arbiter.withdraw(LPC)
    arbiter.publish(OPEV, 0, milliamps=(None, 5_900, None))
    assert arbiter.would_allow(0, 3, ECHONET) == 5_900
    assert arbiter.would_allow(0, 1, ECHONET) == 16_000
    assert arbiter.decide(0, 3, U230).current_ma == 0


def test_the_same_decision_object_is_filled_each_time():
    arbiter = station()
    assert arbiter.decide(0, 3, U230) is arbiter.decide(1, 1, U230)


def test_limits_that_make_no_sense_are_refused_and_leave_the_old_one():
    arbiter = station()
    arbiter.publish(USER, 0, milliamps=9_000)
    assert is_refused(arbiter)
    assert is_refused(arbiter, watts=1, milliamps=1)
    assert is_refused(arbiter, watts=-1)
    assert is_refused(arbiter, milliamps=-1)
    assert is_refused(arbiter, milliamps=(1, -1))
    assert is_refused(arbiter, watts=(1, 2, 3))
    assert is_refused(arbiter, milliamps="6")
    assert is_refused(arbiter, milliamps=6_000, expires_ms=1)
    assert is_refused(arbiter, watts=1, expires_ms=1, fallback=(1, 2, 3))
    assert is_refused(arbiter, watts=1, expires_ms=1, fallback=-1)
    assert arbiter.decide(0, 3, U230).current_ma == 9_000
