"""Modbus RTU and the meters on it, on a fake UART: literal octets, and answers that are none."""

import struct

from evse.metering import ERROR, NORMAL, Meter
from tools import fake_machine

modbus = fake_machine.load("boards.parts.modbus")
meters = fake_machine.load("boards.parts.meters")
modbus_meter = fake_machine.load("boards.parts.modbus_meter")

# Of the Modbus specification over serial line, and of Eastron's document: voltage L1 of device 1
EXAMPLE = b"\x02\x07\x41\x12"
VOLTS_REQUEST = b"\x01\x04\x00\x00\x00\x02\x71\xcb"
VOLTS_ANSWER = b"\x01\x04\x04\x43\x66\x33\x34\x1b\x38"  # 230.2 V


def check(frame):
    return modbus.crc16(frame, len(frame) - 2) == frame[-2] | frame[-1] << 8


class Client:
    def __init__(self, *wanted):
        self.wanted = list(wanted)
        self.answers = []

    def wants(self, now):
        return self.wanted.pop(0) if self.wanted else None

    def answered(self, now, registers):
        self.answers.append((now, registers and bytes(registers)))


class Line:
    """A master, and a device that gives prepared answers: lists of (delay in ms, bytes)."""

    def __init__(self, *answers, direction=None):
        self.world = fake_machine.reset()
        self.answers = list(answers)
        self.world.uart = lambda request: self.answers.pop(0) if self.answers else []
        self.master = modbus.ModbusMaster(uart=1, tx=17, rx=16, direction=direction)
        self.now = 0

    def run(self, client, span_ms):
        for now in range(self.now, self.now + span_ms, 25):
            self.world.until_ms(now)
            self.master.poll(now, client)
        self.now = now + 25


def test_crc_and_request_are_the_literal_octets():
    assert check(EXAMPLE)
    assert check(VOLTS_REQUEST)
    line = Line([(20, VOLTS_ANSWER)])
    client = Client((1, 4, 0x0000, 2))
    line.run(client, 100)
    assert line.world.sent == [(0, VOLTS_REQUEST)]
    assert client.answers == [(25, b"\x43\x66\x33\x34")]
    assert (line.master.good, line.master.missed) == (1, 0)


def test_an_answer_in_pieces_is_put_together():
    line = Line([(10 * i, VOLTS_ANSWER[i : i + 1]) for i in range(len(VOLTS_ANSWER))])
    client = Client((1, 4, 0x0000, 2))
    line.run(client, 200)
    assert client.answers == [(100, b"\x43\x66\x33\x34")]


def test_what_is_no_answer_is_none():
    broken = VOLTS_ANSWER[:4] + b"\x42" + VOLTS_ANSWER[5:]
    other = b"\x02\x04\x04\x43\x66\x33\x34\x28\x38"
    exception = b"\x01\x84\x02\xc2\xc1"
    assert check(exception)
    for answer in (
        broken,
        VOLTS_ANSWER[:-2] + b"\x00\x00",
        other,
        b"\x01\x03" + VOLTS_ANSWER[2:],
        exception,
        VOLTS_ANSWER[:-1],
        VOLTS_ANSWER + b"\x00",
        b"\x00" + VOLTS_ANSWER,
        b"\xff" * 300,
        b"",
    ):
        line = Line([(20, answer)])
        client = Client((1, 4, 0x0000, 2))
        line.run(client, 400)
        assert [registers for _, registers in client.answers] == [None], answer
        assert line.master.missed == 1


def test_the_right_answer_of_another_device_is_none():
    frame = b"\x02\x04\x04\x43\x66\x33\x34"
    frame += struct.pack("<H", modbus.crc16(frame, len(frame)))
    line = Line([(20, frame)])
    client = Client((1, 4, 0x0000, 2))
    line.run(client, 400)
    assert [registers for _, registers in client.answers] == [None]


def test_no_answer_is_given_up_after_300_ms_and_a_late_one_does_not_count_for_the_next():
    line = Line([(320, VOLTS_ANSWER)], [(20, b"\x01\x04\x04\x00\x00\x00\x00\xfb\x84")])
    client = Client((1, 4, 0x0000, 2), (1, 4, 0x0006, 2))
    line.run(client, 1_000)
    assert client.answers[0] == (300, None)
    assert client.answers[1][1] == b"\x00\x00\x00\x00"
    assert line.world.sent[1][0] >= 350


def test_the_driver_is_enabled_for_the_request_and_free_before_the_answer():
    line = Line([(13, VOLTS_ANSWER)], direction=5)
    line.run(Client((1, 4, 0x0000, 2)), 100)
    assert line.world.changes(5) == [(0, 0), (0, 1), (9, 0)]  # 8 bytes take 8.3 ms


def test_a_request_for_too_many_registers_is_refused():
    for count in (0, 65):
        try:
            Line().master.poll(0, Client((1, 4, 0, count)))
            assert False
        except ValueError:
            pass


# Meters


class Device:
    """Answers with registers by address, as the real device would."""

    def __init__(self, registers):
        self.registers = registers
        self.is_silent = False
        self.requests = []

    def __call__(self, request):
        self.requests.append(request)
        if self.is_silent or not check(request):
            return []
        first, count = struct.unpack(">HH", request[2:6])
        words = [self.registers.get(first + i, 0) for i in range(count)]
        frame = request[:2] + bytes([2 * count]) + struct.pack(">%dH" % count, *words)
        return [(8 + len(frame), frame + struct.pack("<H", modbus.crc16(frame, len(frame))))]


def floats(values):
    registers = {}
    for register, value in values.items():
        registers[register], registers[register + 1] = struct.unpack(
            ">HH", struct.pack(">f", value)
        )
    return registers


class Bench:
    def __init__(self, table, registers, phases=3, **options):
        self.world = fake_machine.reset()
        self.device = self.world.uart = Device(registers)
        self.driver = modbus_meter.ModbusMeter(
            modbus.ModbusMaster(uart=1, tx=17, rx=16), table, **options
        )
        self.meter = Meter(phases)
        self.now = 0

    def run(self, span_ms):
        for now in range(self.now, self.now + span_ms, 25):
            self.world.until_ms(now)
            self.driver.poll(now)
        self.now = now + 25
        self.driver.read(self.meter, now)


SDM630 = {
    0x0000: 230.1,
    0x0002: 231.2,
    0x0004: 229.3,
    0x0006: 10.0,
    0x0008: 11.5,
    0x000A: 0.25,
    0x000C: 2301.0,
    0x000E: 2658.8,
    0x0010: 57.3,
    0x0034: 5017.1,
    0x0046: 49.98,
    0x0048: 1234.5,
    0x004A: 6.75,
}


def test_an_sdm630_is_read_in_two_requests():
    bench = Bench(meters.SDM630, floats(SDM630), is_exporting=True)
    bench.run(400)
    assert bench.device.requests == [
        b"\x01\x04\x00\x00\x00\x12\x70\x07",
        b"\x01\x04\x00\x34\x00\x18\xb1\xce",
    ]
    meter = bench.meter
    assert meter.state == NORMAL
    assert meter.voltage_mv == [230_100, 231_200, 229_300]
    assert meter.current_ma == [10_000, 11_500, 250]
    assert meter.phase_power_w == [2_301, 2_659, 57]
    assert meter.power_w == 5_017
    assert meter.frequency_mhz == 49_980
    assert meter.energy_wh == 1_234_500
    assert meter.produced_wh == 6_750


def test_an_sdm120_has_one_phase():
    registers = floats({0x00: 229.5, 0x06: 16.0, 0x0C: 3672.0, 0x46: 50.02, 0x48: 17.25})
    bench = Bench(meters.SDM120, registers, phases=1)
    bench.run(700)
    assert bench.device.requests[0] == b"\x01\x04\x00\x00\x00\x0e\x71\xce"
    assert bench.device.requests[1] == b"\x01\x04\x00\x46\x00\x02\x90\x1e"
    assert bench.device.requests[2] == b"\x01\x04\x00\x48\x00\x04\x71\xdf"
    meter = bench.meter
    assert (meter.voltage_mv, meter.current_ma, meter.phase_power_w) == (
        [229_500],
        [16_000],
        [3_672],
    )
    assert (meter.power_w, meter.frequency_mhz, meter.energy_wh) == (3_672, 50_020, 17_250)
    assert meter.produced_wh is None


def test_an_em340_has_integers_with_the_low_word_first():
    registers = {
        0x00: 2301,
        0x02: 2312,
        0x04: 2293,
        0x0C: 10_000,
        0x10: 0x86A0,
        0x11: 0x0001,
        0x12: 23_010,
        0x16: 0xFFF6,
        0x17: 0xFFFF,
        0x28: 0x11A0,
        0x29: 0x0001,
        0x33: 500,
        0x34: 0xE240,
        0x35: 0x0001,
        0x4E: 12,
    }
    bench = Bench(meters.EM340, registers, address=7, is_exporting=True)
    bench.run(700)
    assert bench.device.requests[0][:6] == b"\x07\x04\x00\x00\x00\x18"
    meter = bench.meter
    assert meter.voltage_mv == [230_100, 231_200, 229_300]
    assert meter.current_ma == [10_000, 0, 100_000]
    assert meter.phase_power_w == [2_301, 0, -1]
    assert meter.power_w == 7_005  # 70 048 tenths
    assert meter.frequency_mhz == 50_000
    assert meter.energy_wh == 12_345_600
    assert meter.produced_wh == 1_200


def test_every_row_of_every_map_lies_inside_a_block_and_three_phases_have_all_quantities():
    for table, quantities in ((meters.SDM120, 7), (meters.SDM630, 13), (meters.EM340, 13)):
        blocks = []
        for i in range(table[1]):
            blocks.append(struct.unpack_from(">HB", table, 2 + 3 * i))
        start = 2 + 3 * len(blocks)
        assert (len(table) - start) % meters.ROW == 0
        seen = set()
        for at in range(start, len(table), meters.ROW):
            quantity, register, kind, _, divisor = struct.unpack_from(">BHBHB", table, at)
            last = register + (0 if kind == meters.INT16 else 1)
            assert [1 for first, count in blocks if first <= register and last < first + count]
            assert divisor
            seen.add(quantity)
        assert len(seen) == quantities


def test_three_missed_answers_are_a_failed_meter_that_keeps_its_values():
    bench = Bench(meters.SDM630, floats(SDM630))
    bench.run(600)
    assert bench.meter.state == NORMAL
    updated_ms = bench.meter.updated_ms
    bench.device.is_silent = True
    bench.run(800)
    assert bench.meter.state == NORMAL
    bench.run(1_200)
    assert bench.meter.state == ERROR
    assert bench.meter.energy_wh == 1_234_500
    assert bench.meter.updated_ms >= updated_ms
    bench.device.is_silent = False
    bench.run(1_500)
    assert bench.meter.state == NORMAL


def test_a_meter_that_never_answered_is_a_failed_one():
    bench = Bench(meters.SDM630, {})
    bench.device.is_silent = True
    bench.run(300)
    assert bench.meter.state == ERROR
    assert bench.meter.updated_ms is None


def test_a_value_that_is_no_number_does_not_count():
    for bits in ((0x7FC0, 0x0000), (0xFFFF, 0xFFFF), (0x7F80, 0x0000)):
        registers = floats(SDM630)
        bench = Bench(meters.SDM630, registers)
        bench.run(600)
        registers[0x34], registers[0x35] = bits
        bench.run(3_000)
        assert bench.meter.state == ERROR
        assert bench.meter.power_w == 5_017


def test_values_are_of_one_round():
    registers = floats(SDM630)
    bench = Bench(meters.SDM630, registers)
    bench.run(600)
    registers.update(floats({0x0006: 1.0, 0x0034: 700.0}))
    bench.device.is_silent = False
    half = lambda request: bench.device(request) if request[3] == 0 else []  # noqa: E731
    bench.world.uart = half
    bench.run(1_000)
    assert (bench.meter.current_ma[0], bench.meter.power_w) == (10_000, 5_017)
    bench.world.uart = bench.device
    bench.run(1_500)
    assert (bench.meter.current_ma[0], bench.meter.power_w) == (1_000, 700)
