"""Start-up: read the configuration, make the node, run it, start again if asked to.

firmware.start calls `main()`, on a board without arguments; which board it is, is known to
firmware/board.py alone. On the Unix port the arguments are those of tools/simulate.py, which is
the way to start a simulated charger:

    --address A --port P     where to listen (port 0: any free one)
    --state DIR              folder of identity, peers and settings
    --serial TEXT            serial number
    --trust SKI              trust this peer from the start (may be repeated)
    --mdns-address A, --no-mdns
    --echonet-address A[,A], --no-echonet
    --phases 1|3 --switch-phases --feed-in W --iso15118 --speed N   of the simulated station
    --log-level error|info|debug, --json (events as JSON lines)
"""

import gc

gc.threshold(4096)  # collect often while importing, or what stays is scattered over the heap

import asyncio  # noqa: E402

from firmware import port  # noqa: E402
from firmware.clock import Clock  # noqa: E402
from firmware.console import Console  # noqa: E402
from firmware.log import LEVELS, Log  # noqa: E402
from firmware.node import Config, Node  # noqa: E402
from firmware.storage import Storage  # noqa: E402
from ship.ski import parse_ski  # noqa: E402

_MIN_THRESHOLD = 4096


class Options:
    """Command line of the simulator, with the defaults of a board."""

    def __init__(self, arguments):
        self.config = Config()
        self.config.trust = []
        self.state = "state"
        self.phases = 3
        self.feed_in_w = 0
        self.iso15118 = False
        self.switch_phases = False
        self.speed = 1
        self.level = "info"
        self.json = False
        use_mdns = True
        use_echonet = True
        mdns_address = echonet_address = None
        words = iter(arguments)
        for word in words:
            if word == "--json":
                self.json = True
            elif word == "--no-mdns":
                use_mdns = False
            elif word == "--mdns-address":
                mdns_address = next(words)
            elif word == "--no-echonet":
                use_echonet = False
            elif word == "--echonet-address":
                echonet_address = next(words)
            elif not self._take(word, words):
                raise SystemExit("unknown option " + word)
        if use_mdns:
            self.config.mdns_address = mdns_address or self.config.address
        if use_echonet:
            self.config.echonet_address = echonet_address or self.config.address

    def _take(self, word, words):
        config = self.config
        if word == "--address":
            config.address = next(words)
        elif word == "--port":
            config.port = int(next(words))
        elif word == "--serial":
            config.serial = next(words)
        elif word == "--trust":
            config.trust.append(parse_ski(next(words)))
        elif word == "--state":
            self.state = next(words)
        elif word == "--speed":
            self.speed = int(next(words))
        elif word == "--log-level":
            self.level = next(words)
        else:
            return self._take_board(word, words)
        return True

    def _take_board(self, word, words):
        if word == "--phases":
            self.phases = int(next(words))
        elif word == "--feed-in":
            self.feed_in_w = int(next(words))
        elif word == "--iso15118":
            self.iso15118 = True
        elif word == "--switch-phases":
            self.switch_phases = True
        else:
            return False
        return True


def main(arguments=(), started=lambda: None):
    """Run until shut down. Returns when the console says `shutdown`.

    Calls `started` when all has gone well for a minute.
    """
    gc.collect()
    # Collecting before the heap is full keeps large stretches free at its end.
    gc.threshold(max(_MIN_THRESHOLD, gc.mem_free() // 4))
    port.prepare()
    options = Options(arguments)
    close_terminal = None if options.json else port.open_terminal()
    try:
        while _run(options, close_terminal is not None, started) == "restart":
            gc.collect()
    finally:
        if close_terminal:
            close_terminal()


def _run(options, is_terminal, started):
    from firmware.board import make

    wall = Clock()
    clock = Clock(options.speed) if options.speed > 1 else wall
    log = Log(clock, LEVELS.index(options.level), not options.json, options.json)
    storage = Storage(options.state, log)
    if storage.has("restore"):
        from firmware.commands.backup import apply

        apply(storage)
    if storage.has("serial"):
        number = storage.load("serial")
        if number is None:  # another number would be another SHIP ID
            raise OSError("serial number is damaged")
        options.config.serial = str(number, "ascii")
    board = make(options)
    node = Node(options.config, board, storage, clock, wall, log)
    node.started = started
    try:
        asyncio.run(node.run(Console(node, is_terminal)))
    finally:
        board.set_contactor(False)  # whatever has ended it, nobody controls it any more
        asyncio.new_event_loop()
    log.event("stopped", outcome=node.outcome)
    return node.outcome
