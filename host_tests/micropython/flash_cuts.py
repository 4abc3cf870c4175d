"""Cut the power at every write of a flash with a littlefs: run by test_flash_cuts.py.

The flash is in memory. At a cut the block that is being written is there by half, and nothing
that comes later; then the file system is mounted anew, as at the next start.
"""

import os
import sys

import vfs

root = __file__.rsplit("/", 3)[0] if __file__.count("/") > 2 else "."
sys.path[:0] = [root, root + "/lib"]

from firmware.storage import Storage  # noqa: E402

_BLOCK = 512
_BLOCKS = 32


class Cut(Exception):
    pass


class Flash:
    """A block device that takes `budget` programs and erasures."""

    def __init__(self, content=None, budget=None):
        self.content = bytearray(content or _BLOCK * _BLOCKS)
        self.budget = budget
        self.steps = 0
        self.is_unplugged = False  # files that a cut left open are closed by the garbage collector

    def readblocks(self, number, buffer, offset=0):
        if self.is_unplugged:
            return
        start = number * _BLOCK + offset
        buffer[:] = memoryview(self.content)[start : start + len(buffer)]

    def writeblocks(self, number, buffer, offset=0):
        if self.is_unplugged:
            return
        start = number * _BLOCK + offset
        length = len(buffer) if self._has_power() else len(buffer) // 2
        self.content[start : start + length] = memoryview(buffer)[:length]
        if length < len(buffer):
            raise OSError(5)

    def ioctl(self, operation, argument):
        if operation == 4:
            return _BLOCKS
        if operation == 5:
            return _BLOCK
        if operation == 6 and not self.is_unplugged:
            if not self._has_power():
                return -5
            start = argument * _BLOCK
            self.content[start : start + _BLOCK] = b"\xff" * _BLOCK
        return 0

    def _has_power(self):
        self.steps += 1
        return self.budget is None or self.steps <= self.budget


class Silent:
    def error(self, text):
        pass


def with_storage(flash, work):
    vfs.mount(vfs.VfsLfs2(flash), "/flash")
    try:
        return work(Storage("/flash/state", Silent()))
    finally:
        vfs.umount("/flash")
        flash.is_unplugged = True


def value(number):
    """Half of them are too long for littlefs to keep them inside the folder."""
    return bytes([number]) * (700 if number % 2 else 20)


def save(number):
    return lambda state: state.save("name", value(number))


def main():
    flash = Flash()
    vfs.VfsLfs2.mkfs(flash)
    with_storage(flash, save(0))
    cuts = old = new = 0
    for number in range(1, 7):
        whole = Flash(flash.content)
        with_storage(whole, save(number))
        for budget in range(whole.steps):
            cut = Flash(flash.content, budget)
            try:
                with_storage(cut, save(number))
            except OSError:
                pass
            kept = with_storage(Flash(cut.content), lambda state: state.load("name"))
            if kept == value(number - 1):
                old += 1
            elif kept == value(number):
                new += 1
            cuts += 1
        flash = whole
    print(cuts, old, new)
    full()


def full():
    """Fill the flash; the old value must stay, and saving work again when there is room."""
    flash = Flash()
    vfs.VfsLfs2.mkfs(flash)
    vfs.mount(vfs.VfsLfs2(flash), "/flash")
    state = Storage("/flash/state", Silent())
    state.save("name", value(1))
    state.save("name", value(3))
    filled = 0
    try:
        with open("/flash/filler", "wb") as file:
            while True:
                file.write(bytes(_BLOCK))
                file.flush()
                filled += 1
    except OSError:
        pass
    try:
        state.save("name", value(5))
        refused = None
    except OSError as error:
        refused = error.errno
    kept = state.load("name") == value(3)
    os.remove("/flash/filler")
    state.save("name", value(5))
    print(refused, kept, state.load("name") == value(5), "name.new" in os.listdir("/flash/state"))


main()
