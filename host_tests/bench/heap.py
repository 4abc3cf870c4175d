"""Python heap on the 32-bit build, code in ROMFS: what lives, what is needed, what grows.

The high-water mark is the smallest heap (`-X heapsize`) with which a whole session works: pairing,
discovery, a car, a limit, its release, disconnection. It includes garbage and fragmentation, as a
board feels them.
"""

import asyncio
import subprocess
from pathlib import Path

from host_tests.bench.figures import Figure
from host_tests.e2e.world import settled_heap
from tools import romfs
from tools.energy_manager.manager import EnergyManager
from tools.micropython import micropython_path
from tools.simulate import Simulator

PROGRAM = Path(__file__).resolve().parent / "imported.py"
STEP_KIB = 2
LARGEST_KIB = 512
SESSIONS = 10
CONNECTED = 3  # energy managers, as many as a charger serves at a time
IDLE = 5  # further peers: eight can be trusted
SPEED = 10

BUDGET_KIB = {1: 48, 2: 64}


def measure(folder: Path, progress) -> list[Figure]:
    """All figures of this file; `progress(text)` is called before each longer step."""
    progress("heap: live data")
    live = asyncio.run(live_bytes(folder))
    figures = [
        Figure("heap of the firmware's code", _kib(imported_bytes()), "KiB"),
        Figure("heap in use, nobody connected", _kib(live["idle"]), "KiB"),
        Figure("heap in use, one energy manager", _kib(live["connected"]), "KiB"),
        Figure("heap growth over ten sessions", live["growth"], "B", 0),
    ]
    progress("heap: peers")
    idle, connected = asyncio.run(peer_bytes(folder))
    figures.append(Figure("heap per trusted peer that is not connected", idle, "B"))
    figures.append(Figure("heap per connected energy manager", _kib(connected), "KiB"))
    for managers in (1, 2):
        progress(f"heap: high-water mark with {managers} energy manager(s)")
        mark = high_water_kib(folder, managers)
        name = f"heap high-water, {managers} energy manager{'s' if managers > 1 else ''}"
        figures.append(Figure(name, mark, "KiB", BUDGET_KIB[managers]))
    return figures


def imported_bytes() -> int:
    """Heap that the code of the image takes by itself, before anything runs."""
    romfs.build()
    command = [micropython_path(32), "-X", "heapsize=512K", PROGRAM, romfs.ROOT / romfs.IMAGE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return int(done.stdout)


def high_water_kib(folder: Path, managers: int) -> int:
    """Bisect the smallest heap that a session with so many managers needs."""
    low, high = 32, LARGEST_KIB
    while high - low > STEP_KIB:
        middle = (low + high) // 2 // STEP_KIB * STEP_KIB
        if asyncio.run(works(folder, middle, managers)):
            high = middle
        else:
            low = middle
    return high


async def works(folder: Path, heap_kib: int, managers: int) -> bool:
    """Whether a session runs through in a heap of this size without running out of it."""
    try:
        with _charger(folder, f"{heap_kib}K") as charger:
            await session(charger, folder, managers)
            lines = (await asyncio.to_thread(charger.command, "log"))["lines"]
            return not any("emory" in line for line in lines)
    except Exception:  # whatever breaks in too small a heap, it does not work
        return False


async def live_bytes(folder: Path) -> dict[str, int]:
    """Heap in use after collection: idle, connected, and how much ten sessions leave behind.

    Ten others come before them: what is made once is made then, up to the first stored message
    counter.
    """
    with _charger(folder, "1M") as charger:
        idle = await _heap(charger)
        before = growth = 0
        for _ in range(2):
            for _ in range(SESSIONS):
                connected = await session(charger, folder, 1)
            growth = await _settled(charger) - before
            before += growth
    return {"idle": idle, "connected": connected, "growth": growth}


async def peer_bytes(folder: Path) -> tuple[int, int]:
    """Heap of one more trusted peer that is not there, and of one more that is connected."""
    (folder / "peers").mkdir(exist_ok=True)
    with _charger(folder / "peers", "1M") as charger:
        ski = (await asyncio.to_thread(charger.command, "id"))["ski"]
        fleet = [EnergyManager(folder / f"peer{i}", speed=SPEED) for i in range(CONNECTED)]
        for manager in fleet:
            await asyncio.to_thread(charger.command, f"trust {manager.identity.ski}")
        await _connect(charger, ski, fleet)  # what is made once is made then
        for manager in fleet:
            await manager.close()
        before = await _settled(charger)
        for number in range(IDLE):
            await asyncio.to_thread(charger.command, f"trust {number:040x}")
        idle = (await _settled(charger) - before) // IDLE
        await _connect(charger, ski, fleet[:1])
        one = await _settled(charger)
        await _connect(charger, ski, fleet[1:])
        connected = (await _settled(charger) - one) // (CONNECTED - 1)
        for manager in fleet:
            await manager.close()
    return idle, connected


async def _connect(charger: Simulator, ski: str, fleet: list[EnergyManager]) -> None:
    """Connect these managers, up to what they need to monitor."""
    for manager in fleet:
        await manager.connect("127.0.0.1", charger.port, ski)
        await manager.wait_usable("mpc")


async def session(charger: Simulator, folder: Path, managers: int) -> int:
    """Pair, limit, charge, release, part; returns the heap in use while connected."""
    ski = (await asyncio.to_thread(charger.command, "id"))["ski"]
    fleet = [EnergyManager(folder / f"manager{i}", speed=SPEED) for i in range(managers)]
    for manager in fleet:
        await asyncio.to_thread(charger.command, f"trust {manager.identity.ski}")
    for i, manager in enumerate(fleet):
        await manager.connect("127.0.0.1", charger.port, ski)
        await manager.wait_usable("mpc" if i else "lpc")
    await asyncio.to_thread(charger.command, "ev plug")
    if not (await fleet[0].set_limit(4200, 600)).ok:
        raise RuntimeError("limit refused")
    await asyncio.sleep(0.8)
    used = await _heap(charger)
    if not (await fleet[0].release()).ok:
        raise RuntimeError("release refused")
    await asyncio.to_thread(charger.command, "ev unplug")
    await asyncio.sleep(0.3)
    for manager in fleet:
        await manager.close()
    return used


async def _settled(charger: Simulator) -> int:
    """Heap in use when nothing is going on any more."""
    return await asyncio.to_thread(settled_heap, charger)


async def _heap(charger: Simulator) -> int:
    return (await asyncio.to_thread(charger.command, "status"))["heap_used"]


def _charger(folder: Path, heap: str) -> Simulator:
    return Simulator(
        state=str(folder / "charger32"), port=0, bits="32", code="romfs", heap=heap, speed=SPEED
    )


def _kib(octets: int) -> float:
    return round(octets / 1024, 1)
