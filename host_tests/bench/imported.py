"""Runs under MicroPython, code in ROMFS: octets of heap that the firmware's code takes.

Argument: image. What the interpreter's own modules take is not counted.
"""

import gc
import os
import sys

import ffi
import uctypes
import vfs

path = sys.argv[1]
libc = ffi.open("libc.so.6")
file = libc.func("i", "open", "si")(path, 0)
address = libc.func("P", "mmap", "PLiiil")(None, os.stat(path)[6], 1, 2, file, 0)
vfs.mount(vfs.VfsRom(uctypes.bytearray_at(address, os.stat(path)[6])), "/rom")
sys.path[:] = ["/rom", "/rom/lib", ".frozen"]

import asyncio  # noqa: E402

asyncio.new_event_loop()
gc.threshold(4096)  # as firmware.main has it
gc.collect()
before = gc.mem_alloc()

import pilotwire  # noqa: E402, F401

gc.collect()
print(gc.mem_alloc() - before)
