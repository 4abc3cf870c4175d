"""Count how often a node feeds its board's watchdog: run by test_watchdog.py.

Arguments: what is wrong with the node, folder for its state. Prints how many control cycles of
half a second were followed by feeding, and whether the node's other tasks went on.
"""

import asyncio
import sys
import time

root = __file__.rsplit("/", 3)[0]
sys.path[:0] = [root, root + "/lib"]

from boards.sim.board import create  # noqa: E402
from firmware.clock import Clock  # noqa: E402
from firmware.log import Log  # noqa: E402
from firmware.node import Config, Node  # noqa: E402
from firmware.storage import Storage  # noqa: E402

_WATCHED_MS = 500


class Feedings:
    def __init__(self, board):
        self.count = 0
        board.feed_watchdog = self.feed

    def feed(self):
        self.count += 1


class NoConsole:
    async def run(self):
        pass


def broken(*_):
    raise ValueError("a mistake in the control")


async def wait_for_ever():
    await asyncio.Event().wait()


async def hog():
    """A protocol that never comes to an end and never waits."""
    await asyncio.sleep_ms(100)
    end = time.ticks_add(time.ticks_ms(), _WATCHED_MS)
    while time.ticks_diff(end, time.ticks_ms()) > 0:
        pass


async def fail():
    raise OSError("a mistake in a protocol")


async def watch(node, feedings, wrong):
    ticks = 0
    tick = node._tick

    def count(now):
        nonlocal ticks
        ticks += 1
        tick(now)

    node._tick = count
    if wrong == "control raises":
        node.control.step = broken
    elif wrong == "control waits":
        node._control = wait_for_ever
    elif wrong == "protocols wait":
        node._timers = node.links.serve = wait_for_ever
    elif wrong == "protocols raise":
        node._timers = node.links.serve = fail
    task = asyncio.create_task(node.run(NoConsole()))
    while not node.identity:
        await asyncio.sleep_ms(5)
    await asyncio.sleep_ms(50)
    if wrong == "a protocol hogs":
        hogging = asyncio.create_task(hog())
    feedings.count = ticks = 0
    await asyncio.sleep_ms(_WATCHED_MS)
    print(feedings.count, ticks)
    if wrong == "a protocol hogs":
        await hogging
    node.stop("shutdown")
    await task


def main(wrong, folder):
    config = Config()
    config.address = "127.0.0.1"
    config.port = 0
    board = create()
    feedings = Feedings(board)
    clock = Clock()
    log = Log(clock)
    asyncio.run(
        watch(Node(config, board, Storage(folder, log), clock, clock, log), feedings, wrong)
    )


main(sys.argv[1], sys.argv[2])
