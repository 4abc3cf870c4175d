"""The node: everything wired together, and the few tasks that keep it going.

    control     25 ms    pilot, contactor, arbiter (evse.charging); nothing else may touch them
    timers     100 ms    SHIP and SPINE timers, notifies, settings that changed
    server               accepts SHIP connections, one Link each
    network              of boards with interfaces of their own: brings them up
    mdns                 announces and browses
    echonet              ECHONET Lite, loaded only if it is on
    console              commands

Each task runs under a supervisor: a crash is logged, the task starts again after a pause, and the
charger goes on within the limits that hold at that moment.
"""

import asyncio
import gc
import time

from micropython import const

from evse.arbiter import Arbiter
from evse.car import Car
from evse.charging import CHANGED_CONNECTED, CHANGED_FAULTS, ChargingControl
from firmware import limits
from firmware.identity import load_or_make
from firmware.links import Links
from firmware.neighbours import CATEGORY, Neighbours
from firmware.registration import Registration
from firmware.storage import Settings
from firmware.version import VERSION
from ship import qr
from ship.trust import USER_INPUT
from usecases.station import Station

_CONTROL_MS = const(25)
_TIMERS_MS = const(100)
_RESTART_MS = const(1_000)
_HEALTHY_MS = const(60_000)  # a start that lasts so long has succeeded

MAX_MESSAGE = const(16_384)

_COUNTER_STEP = const(1_000)  # msgCounter is stored ahead in steps, to spare the flash


class Config:
    """What the start-up decides; see firmware.main for the meaning."""

    address = "0.0.0.0"
    port = 4712
    serial = "0001"
    trust = ()
    mdns_address = None  # None: no mDNS
    echonet_address = None  # None: no ECHONET Lite


class Node:
    """A charging station on the network. `clock` runs the protocols, `wall` the network."""

    path = "/ship/"
    max_message = MAX_MESSAGE

    def __init__(self, config, board, storage, clock, wall, log):
        self.config = config
        self.board = board
        self.storage = storage
        self.clock = clock
        self.wall = wall
        self.log = log
        self.settings = Settings(storage, "settings")
        self.identity = None
        self.registration = Registration(self)
        self._pins = None
        self.links = Links(self)
        self.neighbours = Neighbours(self)
        self.echonet = None
        self._echonet_job = None
        self.stall_us = 0  # how late the control loop was at most, since somebody asked
        self.outcome = None  # "restart" or "shutdown": why `run` returned
        self.ship_id = _ship_id(board, config.serial)
        self.started = None  # called once, when all has gone well for a minute
        self._stop = asyncio.Event()
        self._tasks = []

        now = clock.now_ms()
        self.arbiter = Arbiter(board.NOMINAL_VOLTAGE_MV)
        self.control = ChargingControl(board, self.arbiter, now)
        self.control.on_change = self._charging_changed
        limits.configure(self.settings, self.control, now)
        self._ev_changed = False
        self._faults_changed = False
        self._told = None
        self.summary = {}
        self.station = Station(
            self._description(),
            self.control.meter,
            self._fault_text,
            self.settings,
            clock.now_ms,
            wall.timestamp,
            self._limit_changed,
            Car(self.control),
            self._show_summary if board.HAS_DISPLAY else None,
        )
        self.device = self.station.device
        self._counter_limit = self.device.counter

    def _description(self):
        board = self.board
        nominal_ma = board.MAX_CURRENT_MA
        installed_ma = self.settings.get(limits.SET_INSTALLATION_MA, None)
        if installed_ma is not None:
            nominal_ma = min(nominal_ma, installed_ma)
        return StationDescription(
            _device_address(board, self.config.serial),
            {
                "deviceName": board.MODEL,
                "deviceCode": board.MODEL,
                "serialNumber": self.config.serial,
                "softwareRevision": VERSION,
                "vendorName": board.VENDOR,
                "brandName": board.BRAND,
                "powerSource": "mains3Phase" if board.PHASES == 3 else "mainsSinglePhase",
            },
            nominal_ma // 100 * board.PHASES * (board.NOMINAL_VOLTAGE_MV // 1000) // 10,
            board.FEED_IN_W,
        )

    # --- life -------------------------------------------------------------------------------

    async def run(self, console):
        """Work until `stop`; `console.run()` is a task like the others."""
        self.identity = await load_or_make(self.storage, self.ship_id, self.board.VENDOR)
        for ski in self.config.trust:
            self.registration.store.add(ski, USER_INPUT, "start")
        self.links.listen()
        self._start("control", self._control)
        self._start("timers", self._timers)
        self._start("server", self.links.serve)
        self._start("console", console.run)
        if self.board.HAS_NETWORK:
            from firmware.network import NetworkTask

            self._start("network", NetworkTask(self).run)
        else:
            self.start_discovery()
        self.log.event(
            "listening",
            address=self.config.address,
            port=self.config.port,
            ski=self.identity.ski,
            id=self.ship_id,
        )
        await self._stop.wait()
        await self._shut_down()

    def _start(self, name, work):
        self._tasks.append(asyncio.create_task(self._supervise(name, work)))

    def start_discovery(self):
        """There is a network: be found, by mDNS and ECHONET Lite as configured."""
        if self.config.mdns_address:
            self._start("mdns", self.neighbours.make_task())
        if self.config.echonet_address and self.settings.get("echonet", True):
            self.start_echonet()

    def stop(self, outcome):
        """End `run`: "restart" or "shutdown"."""
        self.outcome = outcome
        self._stop.set()

    async def _shut_down(self):
        """Part from everybody in order, then stop."""
        self.neighbours.close()
        self.stop_echonet()
        for link in self.links.all:
            link.end()
        for _ in range(20):
            if not self.links.all:
                break
            await asyncio.sleep_ms(50)
        for task in self._tasks:
            task.cancel()
        self.links.close()
        self.board.set_contactor(False)
        self._save()
        await asyncio.sleep_ms(0)

    def start_echonet(self):
        """Serve ECHONET Lite from now on."""
        from firmware.echonet import EchonetTask

        self.echonet = EchonetTask(self, self.config.echonet_address or self.config.address)
        self._echonet_job = asyncio.create_task(self._supervise("echonet", self.echonet.run))

    def move_echonet(self, address):
        """Go on at another address; what controllers have written holds."""
        self._echonet_job.cancel()
        self.echonet.addresses = [address]
        self._echonet_job = asyncio.create_task(self._supervise("echonet", self.echonet.run))

    def stop_echonet(self):
        """End it, if it is on: what was written over ECHONET Lite holds no longer."""
        if self.echonet:
            self.echonet.close()
            self._echonet_job.cancel()
            self.echonet = None

    async def _supervise(self, name, work):
        """Keep a task alive: what it raises is logged, and it starts again."""
        while True:
            try:
                await work()
                return
            except Exception as error:
                self.log.exception("task " + name, error)
            gc.collect()
            await asyncio.sleep_ms(_RESTART_MS)

    # --- control ----------------------------------------------------------------------------

    async def _control(self):
        pause = self.clock.real_ms(_CONTROL_MS)
        last = time.ticks_us()
        while True:
            self.control.step(self.clock.now_ms())
            self.board.feed_watchdog()
            await asyncio.sleep_ms(pause)
            now = time.ticks_us()
            late = time.ticks_diff(now, last) - pause * 1000
            last = now
            self.stall_us = max(self.stall_us, late)

    def _charging_changed(self, control, what):
        """Called inside a control step: only remember, protocols follow in their own task."""
        if what & CHANGED_CONNECTED:
            self._ev_changed = True
        if what & CHANGED_FAULTS:
            self._faults_changed = True

    def _fault_text(self):
        names = self.control.fault_names()
        return names[0] if names else ""

    def _limit_changed(self):
        """A limit may have changed: it holds at once, before anybody is told."""
        self._publish_limits(self.clock.now_ms())
        self.control.step(self.clock.now_ms())

    def _publish_limits(self, now):
        limits.publish(self.station, self.arbiter, self.board, now)

    def _show_summary(self, summary):
        """What the last session cost (EVCS): a display of its own is the board's business."""
        self.summary = summary
        self.log.event("summary", **summary)

    # --- timers -----------------------------------------------------------------------------

    async def _timers(self):
        pause = self.clock.real_ms(_TIMERS_MS)
        while True:
            self._tick(self.clock.now_ms())
            await asyncio.sleep_ms(pause)

    def _tick(self, now):
        """Not inside the coroutine: there the last link would live on in a local variable."""
        self._forward_changes()
        self.device.tick(now)
        self._publish_limits(now)
        self.notify()
        self.links.tick(self.wall.now_ms())
        self.registration.tick(self.wall.now_ms())
        self.neighbours.tick(self.wall.now_ms())
        self._tell()
        self._save()
        if self.started and now >= _HEALTHY_MS:
            self.started()
            self.started = None

    def _forward_changes(self):
        """Bring what the control loop remembered to the use cases."""
        if self._ev_changed:
            self._ev_changed = False
            self.station.ev_connected(self.control.ev_connected)
        if self._faults_changed:
            self._faults_changed = False
            self.station.evsecc.update()

    def notify(self):
        """Send notifies that are waiting, on all connections."""
        self.device.flush()
        self.links.flush()

    def _tell(self):
        """Events for scripts: the LPC state and the charging state when they change."""
        lpc = self.station.lpc
        control = self.control
        now = (lpc.limit.state, lpc.cap_w(), control.state, control.offered_ma)
        told = self._told or (None, None, None, None)
        if now[:2] != told[:2]:
            self.log.event("lpc", state=lpc.state_name(), cap_w=lpc.cap_w())
        if now[2:] != told[2:]:
            self.log.event(
                "charging",
                state=control.state,
                offered_ma=control.offered_ma,
                power_w=control.meter.power_w,
                why=control.explain(),
            )
        self._told = now

    def _save(self):
        """Store what changed; flash is written here and nowhere else."""
        if self.device.counter >= self._counter_limit:
            self._counter_limit = self.device.counter + _COUNTER_STEP
            self.settings.put("msg_counter", self._counter_limit)
        self.settings.save_if_changed()

    @property
    def pins(self):
        """PINs, ours and those of partners: firmware.pins.Pins, loaded when first used."""
        if self._pins is None:
            from firmware.pins import Pins

            self._pins = Pins(self)
        return self._pins

    # --- label ------------------------------------------------------------------------------

    def qr_text(self):
        """The text of the label's QR code (SHIP 12, SRIP 3)."""
        board = self.board
        return qr.write(
            {
                "SKI": self.identity.ski,
                "PIN": self.identity.pin,
                "ID": self.ship_id,
                "BRAND": board.BRAND,
                "TYPE": board.DEVICE_TYPE,
                "MODEL": board.MODEL,
                "SERIAL": self.config.serial,
                "CAT": str(CATEGORY),
            }
        )


class StationDescription:
    """What the device tells of itself (usecases.station)."""

    def __init__(self, address, manufacturer, nominal_w, feed_in_w):
        self.address = address
        self.feed_in_w = feed_in_w
        self.manufacturer = manufacturer
        self.nominal_w = nominal_w


def _ship_id(board, serial):
    """SHIP ID, the same for ever: with the maker's IANA number if there is one (SRIP-220)."""
    if board.VENDOR_ID:
        return "i:%d_u:%s" % (board.VENDOR_ID, serial)
    return "%s-%s" % (board.VENDOR, serial)


def _device_address(board, serial):
    """SPINE device address (AddressDeviceType, 5.2.2)."""
    maker = "i:%d" % board.VENDOR_ID if board.VENDOR_ID else "n:" + board.VENDOR
    return "d:_%s_%s-%s" % (maker, board.MODEL.replace(" ", "-"), serial)
