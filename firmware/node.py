"""The node: everything wired together, and the few tasks that keep it going.

    control     25 ms    pilot, contactor, arbiter (evse.charging); nothing else may touch them
    timers     100 ms    SHIP and SPINE timers, notifies, settings that changed
    server               accepts SHIP connections, one Link each
    mdns                 announces and browses
    echonet              ECHONET Lite, loaded only if it is on
    console              commands

Each task runs under a supervisor: a crash is logged, the task starts again after a pause, and the
charger goes on within the limits that hold at that moment.
"""

import asyncio
import gc
import os
import socket
import time
from asyncio import core

from micropython import const

from evse import arbiter as sources
from evse.arbiter import Arbiter
from evse.charging import CHANGED_CONNECTED, CHANGED_FAULTS, ChargingControl
from firmware.identity import load_or_make
from firmware.ship_link import Link
from firmware.storage import Settings
from firmware.tls_stream import server_context
from ship import qr
from ship.trust import USER_INPUT, TrustStore
from usecases.station import Station

VERSION = "0.1.0"

_CONTROL_MS = const(25)
_TIMERS_MS = const(100)
_RESTART_MS = const(1_000)

MAX_LINKS = const(3)  # two energy managers, and one that wants to be trusted
MAX_HANDSHAKES = const(2)  # TLS handshakes at once: each takes 25 KB of system heap on a board
MAX_MESSAGE = const(16_384)

_CATEGORY = const(3)  # e-mobility (SRIP)

# Limits of a protocol hold only while its task lives: without news for this long the source is
# stale and the arbiter takes the fallback.
_LPC_EXPIRY_MS = const(10_000)

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
        self.trust = TrustStore(storage.load("peers"))
        self.identity = None
        self.links = []
        self.mdns = None
        self.echonet = None
        self._echonet_job = None
        self.stall_us = 0  # how late the control loop was at most, since somebody asked
        self.outcome = None  # "restart" or "shutdown": why `run` returned
        self.ship_id = _ship_id(board, config.serial)
        self._stop = asyncio.Event()

        now = clock.now_ms()
        self.arbiter = Arbiter(board.NOMINAL_VOLTAGE_MV)
        self.control = ChargingControl(board, self.arbiter, now)
        self.control.on_change = self._charging_changed
        self._ev_changed = False
        self._faults_changed = False
        self._told = None
        self.station = Station(
            self._description(),
            self.control.meter,
            self._fault_text,
            self.settings,
            clock.now_ms,
            wall.timestamp,
            self._limit_changed,
        )
        self.device = self.station.device
        self._counter_limit = self.device.counter

    def _description(self):
        board = self.board
        nominal_ma = board.MAX_CURRENT_MA // 1000 * board.PHASES
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
            nominal_ma * board.NOMINAL_VOLTAGE_MV // 1000,
        )

    # --- life -------------------------------------------------------------------------------

    async def run(self, console):
        """Work until `stop`; `console.run()` is a task like the others."""
        self.identity = await load_or_make(self.storage, self.ship_id, self.board.VENDOR)
        for ski in self.config.trust:
            self.trust.add(ski, USER_INPUT, "start")
        context = server_context(self.identity.certificate, self.identity.key)
        listener = self._listen()
        tasks = [
            asyncio.create_task(self._supervise("control", self._control)),
            asyncio.create_task(self._supervise("timers", self._timers)),
            asyncio.create_task(self._supervise("server", lambda: self._serve(listener, context))),
            asyncio.create_task(self._supervise("console", console.run)),
        ]
        if self.config.mdns_address:
            self.mdns = self._make_mdns()
            tasks.append(asyncio.create_task(self._supervise("mdns", self.mdns.run)))
        if self.config.echonet_address and self.settings.get("echonet", True):
            self._start_echonet()
        self.log.event(
            "listening",
            address=self.config.address,
            port=self.config.port,
            ski=self.identity.ski,
            id=self.ship_id,
        )
        await self._stop.wait()
        await self._shut_down(tasks, listener)

    def stop(self, outcome):
        """End `run`: "restart" or "shutdown"."""
        self.outcome = outcome
        self._stop.set()

    async def _shut_down(self, tasks, listener):
        """Part from everybody in order, then stop."""
        if self.mdns:
            self.mdns.close()
        self._stop_echonet()
        for link in self.links:
            link.end()
        for _ in range(20):
            if not self.links:
                break
            await asyncio.sleep_ms(50)
        for task in tasks:
            task.cancel()
        listener.close()
        self.board.set_contactor(False)
        self._save()
        await asyncio.sleep_ms(0)

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
        """The LPC cap may have changed: it holds at once, before anybody is told."""
        self._publish_limits(self.clock.now_ms())
        self.control.step(self.clock.now_ms())

    def _publish_limits(self, now):
        lpc = self.station.lpc
        cap = lpc.cap_w()
        if cap is None:
            self.arbiter.withdraw(sources.LPC)
        else:
            failsafe = min(cap, lpc.limit.failsafe_w)
            self.arbiter.publish(
                sources.LPC,
                now,
                watts=cap,
                expires_ms=_LPC_EXPIRY_MS,
                fallback=failsafe,
                reason=lpc.state_name(),
            )

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
        for link in list(self.links):
            link.tick(self.wall.now_ms())
        self._tell()
        self._save()

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
        for link in self.links:
            link.flush()

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

    # --- connections ------------------------------------------------------------------------

    def _listen(self):
        """Open the listening socket; port 0 takes any free one. Raises OSError."""
        config = self.config
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if config.port:
            listener.bind(socket.getaddrinfo(config.address, config.port)[0][-1])
        else:
            config.port = _bind_anywhere(listener, config.address)
        listener.listen(4)
        listener.setblocking(False)
        return listener

    async def _serve(self, listener, context):
        while True:
            yield core._io_queue.queue_read(listener)
            self._accept(listener, context)

    def _accept(self, listener, context):
        """Take one connection. Not inside the coroutine, for the same reason as `_tick`."""
        try:
            raw, _ = listener.accept()
        except OSError:
            return  # the client was gone before we came
        if not self._make_room():
            self.log.info("connection refused: no room")
            raw.close()
            return
        _no_delay(raw)
        link = Link(self, raw, "connection %d" % raw.fileno())
        self.links.append(link)
        gc.collect()  # before mbedTLS needs its memory
        link.start(context)

    def _make_room(self):
        """Whether there is room now: who is not yet open gives way, the oldest first (SHIP 8.1).

        So neither silent clients nor strangers keep an energy manager out; open connections stay.
        """
        handshakes = [link for link in self.links if link.ski is None]
        waiting = [link for link in self.links if not link.is_open()]
        if len(handshakes) >= MAX_HANDSHAKES:
            handshakes[0].give_way()
        elif len(self.links) >= MAX_LINKS:
            if not waiting:
                return False
            waiting[0].give_way()
        return True

    def link_pending(self, link):
        """A stranger waits for the user's decision."""
        self.log.event("pending", ski=link.ski)

    def link_open(self, link):
        """A partner reached data exchange; an older connection with the same key gives way."""
        self.log.event("connected", ski=link.ski)
        for other in self.links:
            if other is not link and other.ski == link.ski and other.is_open():
                other.retire()

    def link_closed(self, link):
        """A connection is gone."""
        if link in self.links:
            self.links.remove(link)
        if link.ski:
            self.log.event("disconnected", ski=link.ski, reason=link.reason)
        else:
            self.log.info("%s: %s" % (link.where, link.reason))
        gc.collect()

    def learn_ship_id(self, ski, ship_id):
        """Store or compare a peer's SHIP ID. Returns False if it is another one."""
        peer = self.trust.find(ski)
        known = peer and peer["id"]
        if not self.trust.learn_id(ski, ship_id):
            return False
        if peer and not known:
            self.save_trust()
        return True

    # --- trust ------------------------------------------------------------------------------

    def trust_peer(self, ski, user_trust, by):
        """Trust a key, now and after restarts. Raises ship.trust.TrustFull."""
        self.trust.add(ski, user_trust, by)
        self.save_trust()
        for link in list(self.links):
            if link.ski == ski:
                link.trust()
        self.update_register()

    def untrust_peer(self, ski):
        """Forget a key and part from its owner. Returns whether it was trusted."""
        known = self.trust.remove(ski)
        self.save_trust()
        for link in list(self.links):
            if link.ski == ski:
                link.reject()
        self.update_register()
        return known

    def forget(self):
        """Factory reset: nothing of peers and settings survives, not even in memory."""
        self.trust = TrustStore()
        self.settings.clear()

    def save_trust(self):
        """Store the trusted peers."""
        self.storage.save("peers", self.trust.dump())

    # --- ECHONET Lite -----------------------------------------------------------------------

    def _start_echonet(self):
        from firmware.echonet import EchonetTask

        config = self.config
        self.echonet = EchonetTask(self, config.echonet_address or config.address)
        self._echonet_job = asyncio.create_task(self._supervise("echonet", self.echonet.run))

    def _stop_echonet(self):
        if self.echonet:
            self.echonet.close()
            self._echonet_job.cancel()
            self.echonet = None

    def command_echonet(self, arguments):
        """The console's `echonet`: returns what it shows. ValueError with what to do instead."""
        verb = arguments[0] if arguments else ""
        if verb in ("on", "off"):
            self.settings.put("echonet", verb == "on")
        if verb == "off":
            self._stop_echonet()
        elif verb == "on" and not self.echonet:
            self._start_echonet()
        if not self.echonet:
            if verb not in ("", "status", "off"):
                raise ValueError("ECHONET Lite is off; first: echonet on")
            return {"state": "off"}
        from firmware.echonet_console import command, status

        command(self.echonet, self.settings, arguments)
        if verb in ("class", "tcp"):
            self._stop_echonet()
            self._start_echonet()
        return status(self.echonet, self.settings)

    # --- mDNS and label ---------------------------------------------------------------------

    def _make_mdns(self):
        from firmware.mdns import MdnsTask, ipv4_octets
        from mdns.browser import Browser
        from mdns.responder import Responder
        from mdns.service import Service

        config = self.config
        now = self.wall.now_ms()
        host = "%s-%s" % (self.board.BRAND.lower().replace(" ", "-"), config.serial)
        instance = "%s %s %s" % (self.board.BRAND, self.board.MODEL, config.serial)
        address = ipv4_octets(config.mdns_address)
        service = Service(instance, host, config.port, self._txt(), [address])
        responder = Responder(service, now, os.urandom)
        browser = Browser(now, os.urandom)
        return MdnsTask(responder, browser, self.wall, config.mdns_address, self.log)

    def _txt(self):
        from mdns.txt import ship_strings

        board = self.board
        return ship_strings(
            self.ship_id,
            self.identity.ski,
            self.path,
            not self.trust.peers,
            board.BRAND,
            board.MODEL,
            board.DEVICE_TYPE,
            self.config.serial,
            (_CATEGORY,),
        )

    def update_register(self):
        """The TXT key `register`: true as long as nobody is trusted (SHIP 5.1)."""
        if self.mdns:
            self.mdns.responder.set_txt(self._txt(), self.wall.now_ms())
            self.mdns.flush()

    def seen(self):
        """Other SHIP nodes in the network, as the console shows them."""
        if not self.mdns:
            return []
        from mdns.txt import parse

        result = []
        for peer in self.mdns.browser.peers:
            if peer.is_found:
                entry = parse(peer.txt) or {}
                entry["name"] = peer.instance
                result.append(entry)
        return result

    def qr_text(self):
        """The text of the label's QR code (SHIP 12, SRIP 3)."""
        board = self.board
        return qr.write(
            {
                "SKI": self.identity.ski,
                "ID": self.ship_id,
                "BRAND": board.BRAND,
                "TYPE": board.DEVICE_TYPE,
                "MODEL": board.MODEL,
                "SERIAL": self.config.serial,
                "CAT": str(_CATEGORY),
            }
        )


class StationDescription:
    """What the device tells of itself (usecases.station)."""

    def __init__(self, address, manufacturer, nominal_w):
        self.address = address
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


def _no_delay(raw):
    """TCP_NODELAY: SHIP messages are small requests and answers."""
    try:
        raw.setsockopt(6, 1, 1)
    except OSError:
        pass  # this port does without


def _bind_anywhere(listener, address):
    """Bind to a free port of the dynamic range; MicroPython cannot ask which one it got."""
    for _ in range(50):
        port = 49_152 + int.from_bytes(os.urandom(2), "big") % 16_384
        try:
            listener.bind(socket.getaddrinfo(address, port)[0][-1])
            return port
        except OSError:
            continue
    raise OSError("no free port")
