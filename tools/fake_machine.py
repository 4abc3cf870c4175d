"""An ESP32 made of nothing: `machine`, `network` and the clock for boards without hardware.

    world = reset()
    board = load("boards.esp32_devkit.board").create()
    world.analog[36] = lambda: 2_700     # millivolts at the pin, now
    world.inputs[27] = 1                 # or a function
    world.advance_ms(25)
    world.log                            # (us, gpio, level or ("duty", duty_u16)) of each change

Time is virtual and moves with what would take time on a chip: reading a pin 2 us, the ADC 40 us.
The signatures are those of MicroPython 1.25 on the ESP32; an argument that the port does not know
is an error here too. Runs on CPython and on MicroPython.
"""

import sys

_PIN_US = 2
_ADC_US = 40
_RETURN_US = 15  # from the edge that time_pulse_us waits for to the next instruction
_FULL = 65535

world = None


class World:
    """One chip. `uses` lists (gpio, use, owner): input, pull-up, output, adc, or no more than pin.

    `owner` may be set to a function that tells who is being made. `uart` answers requests: called
    with the bytes it returns a list of (delay in ms, bytes).
    """

    def __init__(self):
        self.now_us = 0
        self.log = []
        self.uses = []
        self.levels = {}
        self.inputs = {}
        self.analog = {}
        self.idle_mv = 0  # at analogue pins that are not in `analog`
        self.pwms = {}
        self.irqs = {}
        self.sent = []
        self.received = bytearray()
        self.uart = None
        self.joins = {}  # name of a network → (status, password)
        self.wifi_address = "192.0.2.7"
        self.cable_address = None
        self.events = []  # (us, function)
        self.owner = None

    def use(self, gpio, use):
        """Note what a pin is used for."""
        self.uses.append((gpio, use, self.owner() if self.owner else ""))

    def drive(self, gpio, level):
        """An output changes."""
        if self.levels.get(gpio) != level:
            self.levels[gpio] = level
            self.log.append((self.now_us, gpio, level))

    def changes(self, gpio):
        """Return (ms, level) of each change of one output."""
        return [(us // 1000, level) for us, pin, level in self.log if pin == gpio]

    def advance(self, us):
        """Let time pass, with what is due in it."""
        end = self.now_us + us
        while self.events:
            first = min(self.events, key=lambda event: event[0])
            if first[0] > end:
                break
            self.events.remove(first)
            self.now_us = max(self.now_us, first[0])
            first[1]()
        self.now_us = max(self.now_us, end)

    def advance_ms(self, ms):
        """Let milliseconds pass."""
        self.advance(ms * 1000)

    def until_ms(self, ms):
        """Go on to a time, if it is not past already."""
        self.advance(max(0, ms * 1000 - self.now_us))

    def later(self, us, function):
        """Call a function in so many microseconds."""
        self.events.append((self.now_us + us, function))

    def level(self, gpio):
        """Return the level of a pin now."""
        if gpio in self.pwms:
            return self.pwms[gpio].level()
        if gpio in self.inputs:
            given = self.inputs[gpio]
            return given() if callable(given) else given
        return self.levels.get(gpio, 0)

    def fall(self, gpio):
        """A falling edge at an input, as of a pulse."""
        if gpio in self.irqs:
            handler, pin = self.irqs[gpio]
            handler(pin)


def reset():
    """Return a new chip; what was made before belongs to the old one."""
    global world
    world = World()
    return world


class Pin:
    """machine.Pin."""

    IN = 1
    OUT = 3
    PULL_DOWN = 1
    PULL_UP = 2
    IRQ_RISING = 1
    IRQ_FALLING = 2

    def __init__(self, gpio, mode=-1, pull=-1, *, value=None):
        if not isinstance(gpio, int):
            raise TypeError("a pin has a number, not %r" % (gpio,))
        self.gpio = gpio
        self.mode = mode
        world.use(gpio, "pin")
        if mode == self.OUT:
            world.use(gpio, "output")
            world.drive(gpio, value or 0)
        elif mode == self.IN:
            world.use(gpio, "pull-up" if pull == self.PULL_UP else "input")
            if pull == self.PULL_UP and gpio not in world.inputs:
                world.inputs[gpio] = 1

    def value(self, level=None):
        """Read, or drive."""
        if level is None:
            world.advance(_PIN_US)
            return world.level(self.gpio)
        if self.mode != self.OUT:
            raise ValueError("GPIO %d is no output" % self.gpio)
        world.drive(self.gpio, 1 if level else 0)
        return None

    def irq(self, handler=None, trigger=3):
        """Call the handler at edges; `World.fall` makes one."""
        world.irqs[self.gpio] = (handler, self)


class PWM:
    """machine.PWM."""

    def __init__(self, pin, freq=5_000, *, duty_u16=32_768):
        self._pin = pin
        self._period_us = 1_000_000 // freq
        self._start_us = world.now_us
        self._duty = None
        world.use(pin.gpio, "output")
        world.pwms[pin.gpio] = self
        self.duty_u16(duty_u16)

    def duty_u16(self, duty):
        """Change the duty."""
        if not 0 <= duty <= _FULL:
            raise ValueError("duty_u16 must be from 0 to 65535")
        if duty != self._duty:
            self._duty = duty
            world.log.append((world.now_us, self._pin.gpio, ("duty", duty)))

    def _high_us(self):
        return self._duty * self._period_us // _FULL

    def level(self):
        """Return the level now."""
        return 1 if (world.now_us - self._start_us) % self._period_us < self._high_us() else 0

    def next_edge_us(self):
        """Return how long the present level lasts, None for ever."""
        high_us = self._high_us()
        if high_us in (0, self._period_us):
            return None
        at_us = (world.now_us - self._start_us) % self._period_us
        return high_us - at_us if at_us < high_us else self._period_us - at_us


def time_pulse_us(pin, level, timeout_us=1_000_000):
    """machine.time_pulse_us of a pin that a PWM drives: returns at the end of such a level."""
    pwm = world.pwms.get(pin.gpio)
    wait_us = pwm.next_edge_us() if pwm else None
    if wait_us is None:
        world.advance(timeout_us)
        return -1 if world.level(pin.gpio) == level else -2
    if pwm.level() != level:
        world.advance(wait_us)
        wait_us = pwm.next_edge_us()
    world.advance(wait_us + _RETURN_US)
    return wait_us


class ADC:
    """machine.ADC."""

    ATTN_11DB = 3

    def __init__(self, pin, *, atten=0):
        self._gpio = pin.gpio
        world.use(pin.gpio, "adc")

    def read_uv(self):
        """Return what `World.analog` has for the pin, half-way through the reading."""
        world.advance(_ADC_US // 2)
        given = world.analog.get(self._gpio, world.idle_mv)
        pin_mv = given() if callable(given) else given
        world.advance(_ADC_US // 2)
        return pin_mv * 1000


class UART:
    """machine.UART."""

    def __init__(self, number, baudrate=115_200, *, tx=None, rx=None, rxbuf=256):
        self.baudrate = baudrate
        world.use(tx.gpio, "output")
        world.use(rx.gpio, "input")

    def write(self, data):
        """Send; the answers that `World.uart` has are received after their delays."""
        request = bytes(data)
        world.sent.append((world.now_us // 1000, request))
        for delay_ms, answer in world.uart(request) if world.uart else ():
            world.later(delay_ms * 1000, _Arrival(answer))
        return len(request)

    def any(self):
        """Return the number of bytes received."""
        return len(world.received)

    def readinto(self, buffer):
        """Take bytes."""
        count = min(len(buffer), len(world.received))
        if not count:
            return None
        buffer[:count] = world.received[:count]
        world.received = world.received[count:]
        return count


class _Arrival:
    def __init__(self, data):
        self._data = data

    def __call__(self):
        world.received += self._data


class Timer:
    """machine.Timer."""

    ONE_SHOT = 0

    def __init__(self, number):
        self.number = number

    def init(self, *, mode, period, callback):
        """Call the callback once, after so many ms."""
        world.later(period * 1000, lambda: callback(self))


class SPI:
    """machine.SPI."""

    def __init__(self, number, baudrate=500_000, *, sck=None, mosi=None, miso=None):
        world.use(sck.gpio, "output")
        world.use(mosi.gpio, "output")
        world.use(miso.gpio, "input")


class WLAN:
    """network.WLAN: joins what `World.joins` has."""

    PM_NONE = 0

    def __init__(self, interface):
        self._is_connected = False
        self._status = 1000
        self.is_active = False

    def active(self, is_active=None):
        """Switch on."""
        if is_active is not None:
            self.is_active = is_active
        return self.is_active

    def config(self, *, pm):
        """Set the power management."""
        world.log.append((world.now_us, "wlan", ("pm", pm)))

    def scan(self):
        """Return (name, bssid, channel, RSSI, security, hidden) of each network."""
        self._need_active()
        world.advance_ms(2_000)
        return [
            (name.encode(), b"", 6, -50, 3 if world.joins[name][1] else 0, False)
            for name in sorted(world.joins)
        ]

    def connect(self, name, password):
        """Begin to join."""
        self._need_active()
        world.log.append((world.now_us, "wlan", ("connect", name)))
        status, wanted = world.joins.get(name, (201, ""))
        if status == 1010 and password != wanted:
            status = 202

        def end():
            self._status = status
            self._is_connected = status == 1010

        world.later(900_000, end)

    def disconnect(self):
        """Leave."""
        self._need_active()
        self._is_connected = False

    def _need_active(self):
        if not self.is_active:
            raise OSError("Wifi Not Started")

    def isconnected(self):
        """Whether there is an address."""
        return self._is_connected

    def status(self, what=None):
        """Return the state, or the signal."""
        return -57 if what == "rssi" else self._status

    def ifconfig(self):
        """Return address, mask, gateway, DNS."""
        return (world.wifi_address, "255.255.255.0", "192.0.2.1", "192.0.2.1")


class LAN:
    """network.LAN on SPI: up if `World.cable_address` is set."""

    def __init__(self, *, phy_type, phy_addr, spi, cs, int):
        self._is_active = False
        world.use(cs.gpio, "output")
        world.use(int.gpio, "input")

    def active(self, is_active=None):
        """Switch on."""
        if is_active is not None:
            self._is_active = is_active
            world.log.append((world.now_us, "lan", ("active", is_active)))
        return self._is_active

    def isconnected(self):
        """Whether there is a link."""
        return self._is_active and world.cable_address is not None

    def ifconfig(self):
        """Return address, mask, gateway, DNS."""
        return (world.cable_address, "255.255.255.0", "192.0.2.1", "192.0.2.1")


def _sleep_us(us):
    world.advance(us)


async def _sleep_ms(ms):
    world.advance_ms(ms)


class _Module:
    def __init__(self, **members):
        for name, member in members.items():
            setattr(self, name, member)


_MODULES = {
    "machine": _Module(
        ADC=ADC, PWM=PWM, SPI=SPI, UART=UART, Pin=Pin, Timer=Timer, time_pulse_us=time_pulse_us
    ),
    "network": _Module(
        WLAN=WLAN, LAN=LAN, STA_IF=0, PHY_W5500=102, STAT_NO_AP_FOUND=201, STAT_WRONG_PASSWORD=202
    ),
    "time": _Module(sleep_us=_sleep_us),
    "asyncio": _Module(sleep_ms=_sleep_ms),
}


def load(name):
    """Import a module of boards/ with the chip in place of the real modules; return it.

    Only what it imports now gets the chip: `time` and `asyncio` are their own again afterwards.
    """
    saved = {}
    for fake, module in _MODULES.items():
        saved[fake] = sys.modules.get(fake)
        sys.modules[fake] = module
    try:
        return __import__(name, None, None, ["create"])
    finally:
        for fake, module in saved.items():
            if module is None:
                del sys.modules[fake]
            else:
                sys.modules[fake] = module


def stay(*names):
    """Put modules of the chip in place for good, in a process of its own."""
    for name in names:
        sys.modules[name] = _MODULES[name]


def run(coroutine):
    """Run a coroutine of a part to its end; virtual time passes in its sleeps."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise RuntimeError("it waits for something that is not here")
