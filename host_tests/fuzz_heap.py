"""Runs under MicroPython: datagrams of the fuzzer, one a line as hex, go to one station again and
again, each time over a new connection. Prints the heap in use after each round.

The first rounds grow what the interpreter grows once (names, dictionaries of modules and objects).
"""

import gc
import sys

_root = __file__.rsplit("/", 1)[0] + "/.."
sys.path[:] = [_root + "/host_tests/unit", _root, _root + "/lib", ".frozen"]

from spine_world import Manager, World  # noqa: E402


def one_round(world, path):
    manager = Manager(world)
    manager.introduce()
    manager.commission()
    with open(path) as file:
        for line in file:
            manager.peer.outbox = []
            manager.peer.receive(bytes.fromhex(line.strip()), world.now)
            world.device.flush()
    manager.close()
    del world.logged[:]
    gc.collect()
    return gc.mem_alloc()


def main(path, rounds):
    world = World(connect=False)
    used = [0] * rounds  # of its final size, or it would grow in between
    for number in range(rounds):
        used[number] = one_round(world, path)
    print(*used)


main(sys.argv[1], int(sys.argv[2]))
