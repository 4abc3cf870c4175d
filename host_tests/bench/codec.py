"""Runs under MicroPython, code in ROMFS: decode or encode one datagram in some way.

Arguments: image, file with the datagram, way. Prints the microseconds of the best of many goes,
and the smallest stretch of free heap, in octets, in which a go succeeds.
Ways: json (the generic tree), spine (ours), json-out and spine-out (the way back), receive (all of
what a partner's datagram causes in a node).
"""
# ruff: noqa: E402 (the image must be there before anything is imported from it)

import gc
import os
import sys
import time

import ffi
import uctypes
import vfs

_REPETITIONS = 60
_LARGEST = 1 << 17
_STEP = 32


def mount(image):
    """The image outside the heap, as flash is on a board."""
    size = os.stat(image)[6]
    libc = ffi.open("libc.so.6")
    file = libc.func("i", "open", "si")(image, 0)
    address = libc.func("P", "mmap", "PLiiil")(None, size, 1, 2, file, 0)
    vfs.mount(vfs.VfsRom(uctypes.bytearray_at(address, size)), "/rom")
    sys.path[:] = ["/rom", "/rom/lib", ".frozen"]


mount(sys.argv[1])

import json

from spine import model, node_management
from spine.datagram import parse, write_header
from spine.device import LocalDevice
from spine.output import Output
from spine.peer import Peer


def decode(text):
    """Read a datagram and all of its data; lists entry by entry, as the node does."""
    datagram = parse(text)
    row = model.find_function(datagram.function)
    decoder = model.Decoder()
    if len(text) < 4096:
        return decoder.decode(model.function_type(row), datagram.data())
    for name in ("entityInformation", "featureInformation"):
        field = model.find_field(model.function_type(row), name.encode())
        for tree in datagram.entries(name):
            decoder.decode(model.field_type(field), tree)


def encode(row, data):
    """Write a datagram of natural data."""
    out = Output()
    write_header(out, "[]", "[]", 1, None, "notify", False)
    model.encode_function(out, row, data)
    return out


def way_of(name, text):
    """The callable to measure."""
    if name == "json":
        return lambda: json.loads(text)
    if name == "spine":
        return lambda: decode(text)
    if name == "json-out":
        tree = json.loads(text)
        return lambda: json.dumps(tree)
    if name == "spine-out":
        datagram = parse(text)
        row = model.find_function(datagram.function)
        data = model.Decoder().decode(model.function_type(row), datagram.data())
        return lambda: encode(row, data)
    return lambda: receive(text)


def receive(text):
    device = LocalDevice("d:_n:ACME_EVSE-42", "ChargingStation")
    node_management.install(device)
    peer = Peer(device, "ski", lambda peer, line: None)
    peer.start(0)
    peer.receive(text, 0)


def best_us(go):
    """Microseconds of the best of many goes."""
    best = 1 << 29
    for _ in range(_REPETITIONS):
        gc.collect()
        start = time.ticks_us()
        go()
        best = min(best, time.ticks_diff(time.ticks_us(), start))
    return best


def fits(go, octets):
    """Whether a go succeeds when all of the heap is taken but one stretch of so many octets."""
    gc.collect()
    reserve = bytearray(octets)
    ballast = [None] * 4096
    size = 65536
    count = 0
    while size >= 16:
        try:
            ballast[count] = bytearray(size)
            count += 1
        except MemoryError:
            size >>= 1
    del reserve
    gc.collect()
    try:
        go()
    except MemoryError:
        return False
    return True


def peak(go):
    """Bisect the smallest stretch that will do."""
    low, high = 0, _LARGEST
    while high - low > _STEP:
        middle = (low + high) >> 1
        if fits(go, middle):
            high = middle
        else:
            low = middle
    return high


def main(path, name):
    with open(path, "rb") as file:
        text = bytearray(os.stat(path)[6])
        file.readinto(text)
    go = way_of(name, text)
    go()
    print(best_us(go), peak(go))


main(sys.argv[2], sys.argv[3])
