"""The charger object in front of the real charging control and the simulated board."""

from boards.sim.board import create
from echonet.charger import CHARGER, CHARGER_DISCHARGER, Charger
from evse import faults
from evse.arbiter import ECHONET, INSTALLATION, LPC, SOURCE_COUNT, Arbiter
from evse.charging import ChargingControl

MAKER = b"\xff\xff\xf0"
UNIQUE = bytes(range(10))


class Settings(dict):
    """What outlives a restart."""

    def put(self, key, value):
        self[key] = value


class Outlet:
    """One charging point in virtual time."""

    def __init__(
        self,
        code=CHARGER,
        phases=1,
        vehicle=None,
        settings=None,
        random=bytes,
        switch_phases=False,
    ):
        self.board = create(phases=phases, max_current_ma=32_000, switch_phases=switch_phases)
        self.arbiter = Arbiter(self.board.NOMINAL_VOLTAGE_MV)
        self.control = ChargingControl(self.board, self.arbiter, 0)
        self.settings = Settings() if settings is None else settings
        self.charger = Charger(
            code, 1, self.control, MAKER, UNIQUE, b"SN0001", self.settings, vehicle, random
        )
        self.now = 0

    def run(self, duration_ms):
        """Let time pass: control every 25 ms, the object every 100 ms."""
        end = self.now + duration_ms
        while self.now < end:
            self.now += 25
            self.control.step(self.now)
            if self.now % 100 == 0:
                self.charger.update(self.now)

    def plug(self, **options):
        self.board.ev.plug(max_ma=32_000, **options)
        self.run(20_000)

    def read(self, *epcs):
        """Values in hex."""
        values = [self.charger.value(epc) for epc in epcs]
        return " ".join([value.hex().upper() if value else "" for value in values])

    def number(self, epc):
        return int.from_bytes(self.charger.value(epc), "big")

    def write(self, epc, edt):
        return self.charger.write(epc, bytes.fromhex(edt))

    def limit(self):
        return self.arbiter.published(ECHONET, self.now)


def test_what_the_board_is():
    outlet = Outlet(phases=3)
    outlet.run(1_000)
    read = outlet.read
    assert read(0x80, 0x81, 0x82, 0x8A, 0xCC, 0xE6) == "30 00 00005202 FFFFF0 11 00"
    assert read(0x83) == "FEFFFFF0" + "00010203040506070809" + "02A101"
    assert read(0x8C) == "53696D756C61746564206368"  # "Simulated ch"
    assert read(0x8D) == "534E30303031000000000000"
    assert read(0xC5) == "%08X" % 22_080  # 3 x 230 V x 32 A
    assert read(0xC8) == "%08X%08X" % (1_380, 22_080)  # the least is one phase, 6 A
    assert read(0xCA) == "003C0140"
    assert read(0xD2, 0xEB, 0xED) == "00E6 00005640 0140"
    assert read(0xCD, 0xE4, 0xCE) == "  "


def test_maps_say_what_there_is():
    outlet = Outlet()
    assert outlet.read(0x9E) == "0681CDDAE7EBED"
    assert outlet.read(0x9D) == "07808188C7DAEBED"
    # 80-83 88 89 8A 8C 8D 9D-9F C5 C7 C8 CA CC D2 D3 D8 DA E6 E7 EB ED
    assert outlet.read(0x9F) == "1901012121001040503101314011430202"


def test_without_a_meter_nothing_is_measured_and_no_goal_is_offered():
    board = create(phases=1)
    board.HAS_METER = False
    control = ChargingControl(board, Arbiter(), 0)
    charger = Charger(CHARGER, 1, control, MAKER, UNIQUE, b"", Settings(), None, bytes)
    assert charger.value(0x9E).hex() == "0581cddaebed"
    for epc in (0xD3, 0xD8, 0xE7):
        assert not charger.places[epc & 127]
    charger.update(100)
    assert charger.value(0x9E) and not charger.value(0xD3)


def test_the_other_class_has_what_it_requires_and_no_discharging():
    outlet = Outlet(CHARGER_DISCHARGER)
    outlet.plug()
    assert outlet.charger.eoj == b"\x02\x7e\x01"
    assert outlet.read(0xC6, 0xC9, 0xCB) == "00000000 0000000000000000 00000000"
    assert outlet.read(0xC0, 0xC2, 0xC4) == "00000000 00000000 00"
    assert outlet.read(0xC7, 0xDA, 0xE1, 0xDC, 0xDD) == "41 42 42 01 00"
    assert outlet.read(0x9E) == "0581DAE7EBED"
    assert outlet.read(0x9D) == "0A808188C7DADCDDE1EBED"
    for mode in ("43", "46", "48", "49"):
        assert not outlet.write(0xDA, mode)
    assert outlet.write(0xED, "00A0")
    outlet.run(20_000)
    assert outlet.read(0xDC) == "04"  # designated current
    assert 14_000 < outlet.number(0xD4) * 100 <= 16_000  # measured current, tenths of an ampere
    assert 220 < outlet.number(0xD5) < 235
    assert outlet.write(0xEB, "00000BB8")
    outlet.run(20_000)
    assert outlet.read(0xDC) == "03"  # designated power


# --- states


def test_no_vehicle_then_one_that_charges_then_none():
    outlet = Outlet()
    assert outlet.read(0xC7) == "FF"  # not known yet
    outlet.run(2_000)
    assert outlet.read(0xC7, 0xDA, 0x88, 0x89) == "30 44 42 0000"
    outlet.plug()
    assert outlet.control.charging
    assert outlet.read(0xC7, 0xDA, 0x88) == "41 42 42"
    outlet.board.ev.unplug()
    outlet.run(2_000)
    assert outlet.read(0xC7, 0xDA) == "30 44"


def test_a_vehicle_that_sleeps_is_charging_as_far_as_we_can_tell_until_it_has_charged():
    outlet = Outlet()
    outlet.board.ev.plug()
    outlet.board.ev.set("asleep", 1)
    outlet.run(10_000)
    assert not outlet.control.charging and outlet.control.offered_ma
    assert outlet.read(0xC7, 0xDA) == "41 42"
    outlet.board.ev.set("asleep", 0)
    outlet.run(10_000)
    assert outlet.control.charging
    outlet.board.ev.set("asleep", 1)  # it has had enough
    outlet.run(10_000)
    assert not outlet.control.charging and outlet.control.offered_ma
    assert outlet.read(0xC7, 0xDA) == "41 44"


def test_limits_of_others_that_allow_nothing_make_the_vehicle_not_chargeable():
    outlet = Outlet()
    outlet.plug()
    outlet.arbiter.publish(LPC, outlet.now, watts=1_000)
    outlet.run(10_000)
    assert outlet.read(0xC7, 0xDA) == "40 44"
    assert not outlet.write(0xDA, "42")
    assert outlet.write(0xDA, "47")  # a stop is always possible
    outlet.arbiter.publish(LPC, outlet.now, watts=3_000)
    outlet.run(1_000)
    assert outlet.read(0xC7, 0xDA) == "41 47"


def test_a_limit_that_one_phase_can_use_is_no_block_where_the_phases_can_be_switched():
    for can_switch, status in ((False, "40"), (True, "41")):
        outlet = Outlet(phases=3, switch_phases=can_switch)
        outlet.plug()
        assert outlet.write(0xDA, "47")
        outlet.arbiter.publish(LPC, outlet.now, watts=2_000)
        outlet.run(20_000)
        assert outlet.read(0xC7, 0xDA) == status + " 47"


def test_what_the_car_gives_back_is_no_charging_power():
    for code, power in ((CHARGER, "00000000"), (CHARGER_DISCHARGER, "FFFFF830")):
        outlet = Outlet(code)
        outlet.plug()
        outlet.control.meter.power_w = -2_000
        outlet.charger.update(outlet.now)
        assert outlet.read(0xD3) == power


def test_a_limit_just_below_6_ampere_that_is_tried_counts_as_chargeable():
    outlet = Outlet()
    outlet.arbiter.publish(LPC, outlet.now, watts=1_350)
    outlet.plug()
    assert outlet.control.charging
    assert outlet.read(0xC7, 0xDA) == "41 42"


def test_a_blocked_phase_blocks():
    outlet = Outlet(phases=3)
    outlet.arbiter.publish(INSTALLATION, 0, milliamps=(None, 0, None))
    outlet.plug()
    assert outlet.read(0xC7, 0xDA) == "40 44"


def test_faults_have_their_codes_and_make_the_mode_other():
    codes = "000A 003C 000A 0002 0007 003D 001E 000C 000B 0003 0000 000E 000F 0007 005A 001F"
    codes += " 000A 005A"
    for bit, code in enumerate(codes.split()):
        outlet = Outlet()
        outlet.plug()
        outlet.control.faults = 1 << bit
        outlet.charger.update(outlet.now)
        if 1 << bit == faults.VENTILATION:  # a wish that is not met, no fault
            assert outlet.read(0x88, 0x89) == "42 0000"
        elif 1 << bit == faults.METER:  # charging goes on
            assert outlet.read(0x88, 0x89, 0xC7, 0xDA) == "41 001F 41 42"
        else:
            assert outlet.read(0x88, 0x89, 0xDA) == "41 %s 40" % code, bit
            assert outlet.read(0xC7) == "40"


def test_the_most_serious_fault_is_the_one_that_is_told():
    outlet = Outlet()
    outlet.plug()
    outlet.control.faults = faults.METER | faults.HIGH_TEMPERATURE
    outlet.charger.update(outlet.now)
    assert outlet.read(0x88, 0x89) == "41 000B"


def test_a_real_fault_and_its_end():
    outlet = Outlet()
    outlet.plug()
    outlet.board.world.faults = faults.HIGH_TEMPERATURE
    outlet.run(1_000)
    assert outlet.read(0xC7, 0xDA, 0x88, 0x89) == "40 40 41 000B"
    assert not outlet.write(0xDA, "42")
    outlet.board.world.faults = 0
    outlet.run(30_000)
    assert outlet.read(0xC7, 0xDA, 0x88, 0x89) == "41 42 42 0000"


def test_out_of_service_is_idle_and_not_chargeable():
    outlet = Outlet()
    outlet.plug()
    outlet.control.in_service = False
    outlet.run(200)
    assert outlet.read(0xC7, 0xDA) == "40 47"


# --- measured values


def test_power_and_energy_are_those_of_the_meter():
    outlet = Outlet()
    outlet.plug()
    meter = outlet.control.meter
    assert meter.power_w > 6_000
    assert outlet.number(0xD3) == meter.power_w
    outlet.run(60_000)
    assert outlet.number(0xD8) == meter.energy_wh > 100
    meter.energy_wh = 1_000_000_005
    outlet.board.world.energy_wh = 1_000_000_005
    outlet.run(400)
    assert 5 <= outlet.number(0xD8) < 10  # goes on from zero


def test_a_lost_meter_has_no_power_but_keeps_its_energy():
    outlet = Outlet()
    outlet.plug()
    energy = outlet.read(0xD8)
    outlet.board.world.meter_fails = 1
    outlet.run(1_000)
    assert outlet.read(0xD3) == "" and outlet.read(0x88, 0x89) == "41 001F"
    assert outlet.read(0xD8) >= energy
    outlet.board.world.meter_fails = 0
    outlet.run(1_000)
    assert outlet.number(0xD3) > 6_000


def test_vehicle_data_are_told_where_the_board_has_them():
    class Told:
        capacity_wh = soc_permille = None

    told = Told()
    outlet = Outlet(vehicle=told)
    outlet.run(100)
    for epc in (0xCE, 0xCF, 0xD0, 0xE2, 0xE4):
        assert outlet.charger.places[epc & 127] and outlet.read(epc) == ""
    told.soc_permille = 409
    outlet.run(100)
    assert outlet.read(0xE4, 0xE2, 0xCF) == "28  "  # no capacity: no energy
    told.capacity_wh = 60_000
    outlet.run(100)
    assert outlet.read(0xCE, 0xCF, 0xD0) == "0000EA60 00008A84 0000EA60"
    assert outlet.read(0xE2, 0xE4) == "00005FDC 28"
    told.capacity_wh = told.soc_permille = None
    outlet.run(100)
    assert outlet.read(0xE4, 0xE2) == " "


# --- writes


def test_a_current_is_read_back_and_limits_each_phase():
    outlet = Outlet(phases=3)
    outlet.plug()
    assert outlet.write(0xED, "00A0")
    assert outlet.read(0xED) == "00A0"
    assert outlet.limit()[:2] == (False, 16_000)
    outlet.run(5_000)
    assert outlet.control.offered_ma == 16_000
    assert "ECHONET" in outlet.control.explain()


def test_a_power_is_a_limit_in_watts():
    outlet = Outlet(phases=3)
    outlet.plug()
    assert outlet.write(0xEB, "00001770")
    assert outlet.limit()[:2] == (True, 6_000)
    outlet.run(20_000)
    assert 0 < outlet.number(0xD3) <= 6_000


def test_of_power_and_current_the_stricter_one_counts():
    outlet = Outlet()
    outlet.plug()
    assert outlet.write(0xED, "00A0") and outlet.write(0xEB, "%08X" % 3_000)
    assert outlet.limit()[:2] == (True, 3_000)  # about 13 A
    assert outlet.write(0xED, "0064")
    assert outlet.limit()[:2] == (False, 10_000)
    assert outlet.write(0xEB, "%08X" % 1_400)
    assert outlet.limit()[:2] == (True, 1_400)
    assert outlet.write(0xEB, "%08X" % 7_360)
    assert outlet.limit()[:2] == (False, 10_000)
    assert outlet.write(0xED, "0140")
    assert outlet.limit() is None  # both as large as can be: no limit


def test_no_current_and_no_power_are_a_pause():
    for epc, edt in ((0xED, "0000"), (0xEB, "00000000")):
        outlet = Outlet()
        outlet.plug()
        assert outlet.write(epc, edt)
        outlet.run(10_000)
        assert not outlet.control.charging
        assert outlet.read(0xC7, 0xDA) == "41 44"


def test_values_outside_what_the_board_can_do_are_refused_and_nothing_changes():
    outlet = Outlet()
    outlet.plug()
    for epc, edt in ((0xED, "003B"), (0xED, "0141"), (0xEB, "00000563"), (0xEB, "00001CC1")):
        assert not outlet.write(epc, edt)
    assert outlet.read(0xEB, 0xED) == "00001CC0 0140" and outlet.limit() is None


def test_a_write_can_never_raise_what_others_allow():
    outlet = Outlet(phases=3)
    outlet.plug()
    outlet.arbiter.publish(LPC, outlet.now, watts=4_200)
    outlet.run(10_000)
    before = outlet.control.offered_ma
    for epc, edt in ((0xDA, "42"), (0xEB, "%08X" % 22_080), (0xED, "0140"), (0xE7, "3B9AC9FF")):
        outlet.write(epc, edt)
        outlet.run(130_000)
        assert outlet.control.offered_ma <= before


def test_limits_end_when_the_vehicle_leaves():
    outlet = Outlet()
    outlet.plug()
    outlet.write(0xED, "0064")
    outlet.write(0xEB, "00000BB8")
    outlet.write(0xE7, "00001388")
    outlet.board.ev.unplug()
    outlet.run(2_000)
    assert outlet.read(0xED, 0xEB, 0xE7) == "0140 00001CC0 00000000"
    assert outlet.limit() is None


def test_standby_stops_until_the_vehicle_leaves():
    outlet = Outlet()
    outlet.plug()
    assert outlet.write(0xDA, "44") and outlet.read(0xDA) == "44"
    outlet.run(10_000)
    assert not outlet.control.charging
    assert "standby" in outlet.control.explain()
    outlet.run(600_000)
    assert not outlet.control.charging and outlet.read(0xC7, 0xDA) == "41 44"
    outlet.board.ev.unplug()
    outlet.run(2_000)
    outlet.plug()
    assert outlet.control.charging and outlet.read(0xDA) == "42"


def test_idle_stops_whatever_vehicle_comes():
    outlet = Outlet()
    assert outlet.write(0xDA, "47")
    outlet.run(1_000)
    assert outlet.read(0xC7, 0xDA) == "30 47"
    outlet.plug()
    assert not outlet.control.offered_ma and outlet.read(0xC7, 0xDA) == "41 47"
    assert outlet.write(0xDA, "42")
    outlet.run(130_000)
    assert outlet.control.charging and outlet.read(0xDA) == "42"


def test_charge_is_refused_without_a_vehicle_and_accepted_again_and_again_with_one():
    outlet = Outlet()
    outlet.run(2_000)
    assert not outlet.write(0xDA, "42")
    outlet.plug()
    for _ in range(20):
        assert outlet.write(0xDA, "42")
    assert outlet.control.charging and outlet.limit() is None


def test_between_a_stop_and_the_next_start_a_minute_passes_and_up_to_another_at_random():
    for random, pause_ms in ((bytes, 60_000), (lambda n: b"\xff" * n, 120_000)):
        outlet = Outlet(random=random)
        outlet.plug()
        outlet.write(0xDA, "44")
        outlet.run(5_000)
        assert outlet.write(0xDA, "42")
        assert outlet.read(0xDA) == "42" and outlet.limit()[4] == "pause"
        outlet.run(pause_ms - 5_500)
        assert not outlet.control.offered_ma and outlet.read(0xDA) == "42"
        outlet.run(15_000)
        assert outlet.control.charging and outlet.read(0xDA) == "42"


def test_after_ten_starts_the_next_ones_come_every_six_minutes():
    outlet = Outlet()
    outlet.plug()
    for _ in range(10):
        assert outlet.write(0xDA, "47") and outlet.write(0xDA, "42")
    assert outlet.write(0xDA, "47") and not outlet.write(0xDA, "42")
    outlet.run(340_000)
    assert outlet.write(0xDA, "42")
    assert outlet.write(0xDA, "47") and not outlet.write(0xDA, "42")


def test_charge_that_comes_to_nothing_is_taken_back():
    outlet = Outlet()
    outlet.plug()
    outlet.board.ev.set("asleep", 1)
    outlet.run(10_000)
    assert outlet.read(0xDA) == "44"
    assert outlet.write(0xDA, "42")
    outlet.run(29_000)
    assert outlet.read(0xDA) == "42"
    outlet.run(2_000)
    assert outlet.read(0xDA) == "44"


def test_a_goal_in_watt_hours_ends_in_standby():
    outlet = Outlet()
    outlet.plug()
    start = outlet.number(0xD8)
    assert outlet.write(0xE7, "%08X" % 50)
    assert outlet.read(0xE7) == "00000032"
    outlet.run(20_000)
    assert outlet.control.charging
    outlet.run(40_000)
    assert not outlet.control.charging and outlet.read(0xDA, 0xE7) == "44 00000000"
    assert 50 <= outlet.number(0xD8) - start <= 56
    assert outlet.write(0xE7, "00000000") and outlet.read(0xDA) == "44"


def test_the_location_survives_a_restart_and_spares_the_flash():
    outlet = Outlet()
    outlet.run(1_000)
    assert outlet.settings == {}
    outlet.write(0x81, "68")
    outlet.run(30_000)
    assert outlet.settings == {}  # not yet: once a minute at most
    outlet.write(0x81, "01" + "22" * 16)
    outlet.run(60_000)
    assert outlet.settings == {"echonet_location1": "01" + "22" * 16}
    again = Outlet(settings=outlet.settings)
    assert again.read(0x81) == "01" + "22" * 16


def test_release_takes_everything_back():
    outlet = Outlet()
    outlet.plug()
    for epc, edt in ((0xDA, "47"), (0xED, "0064"), (0xE7, "00001388")):
        assert outlet.write(epc, edt)
    outlet.run(1_000)
    outlet.charger.release()
    assert outlet.limit() is None
    outlet.run(15_000)
    assert outlet.control.charging and outlet.read(0xDA, 0xED, 0xE7) == "42 0140 00000000"


def test_changes_are_marked_for_announcement_once():
    outlet = Outlet()
    outlet.run(2_000)
    outlet.charger.changed = b""
    outlet.run(2_000)
    assert outlet.charger.changed == b""
    outlet.plug()
    assert sorted(outlet.charger.changed) == [0xC7, 0xDA]
    outlet.charger.changed = b""
    outlet.run(10_000)
    assert outlet.charger.changed == b""  # power and energy change, but they are no events


def test_two_outlets_have_limits_of_their_own():
    one, two = Outlet(), Outlet()
    one.plug()
    two.plug()
    one.write(0xDA, "47")
    one.run(10_000)
    two.run(10_000)
    assert not one.control.charging and two.control.charging


def test_the_source_is_that_of_the_arbiter():
    outlet = Outlet()
    outlet.write(0xED, "0064")
    assert outlet.limit()[:2] == (False, 10_000)
    outlet.arbiter.publish(SOURCE_COUNT - 1, 0, milliamps=0)
    outlet.plug()
    assert outlet.read(0xC7) == "40"
