"""Time from an OPEV write to the changed pilot, on loopback.

The charger changes the pilot before it sends the result, so the round trip of a write is an upper
bound; after each result the console is asked whether the pilot really has the new current.
"""

import time
from pathlib import Path

from host_tests.bench.client import Client
from host_tests.bench.figures import Figure, median, p95
from tools.energy_manager.identity import Identity
from tools.simulate import Simulator

BUDGET_MS = 20  # the use case allows 2 s
_FIRST_TENTHS, _LAST_TENTHS = 150, 65  # reductions only: raises are spaced on purpose
_WRITE = (
    '{"function":"loadControlLimitListData"},{"filter":[[{"cmdControl":[{"partial":[]}]}]]},'
    '{"loadControlLimitListData":[{"loadControlLimitData":[%s]}]}'
)
_ENTRY = '[{"limitId":%d},{"isLimitActive":true},{"value":[{"number":%d},{"scale":-1}]}]'


def measure(folder: Path, code: str = "source") -> list[Figure]:
    """Figures of OPEV against a charger started for it."""
    identity = Identity.load(folder / "manager")
    with Simulator(
        state=str(folder / "opev"), port=0, code=code, no_mdns=True, trust=[identity.ski]
    ) as charger:
        client = Client(identity, "127.0.0.1", charger.port)
        client.connect()
        client.commission()
        client.limit(False, 11_000)
        charger.command("ev plug")
        _wait(charger, lambda status: status["ev_connected"])
        time.sleep(0.3)  # the EV entity follows within a tick of the timers
        client.load_control, client.diagnosis = ("1,1", 6), ("1,1", 10)
        client.ask("call", (0, 0), (0, 0), client._relation("Binding"))
        client.heartbeat()
        _wait(charger, lambda status: status["offered_ma"] == 16_000)
        took = [
            _limit(client, charger, tenths) for tenths in range(_FIRST_TENTHS, _LAST_TENTHS, -1)
        ]
        client.close()
    return [
        Figure("OPEV write to changed pilot, median", median(took), "ms", 2),
        Figure("OPEV write to changed pilot, p95", p95(took), "ms", BUDGET_MS),
    ]


def _limit(client: Client, charger: Simulator, tenths: int) -> float:
    entries = ",".join(_ENTRY % (number, tenths) for number in (1, 2, 3))
    begin = time.perf_counter()
    answer = client.ask("write", (1, 2), client.load_control, _WRITE % entries)
    took_ms = (time.perf_counter() - begin) * 1000
    if '"errorNumber":0' not in answer:
        raise ConnectionError("limit refused: " + answer[-120:])
    offered_ma = charger.command("status")["offered_ma"]
    if offered_ma != tenths * 100:
        raise AssertionError(f"{tenths * 100} mA were written, the pilot says {offered_ma}")
    return took_ms


def _wait(charger: Simulator, condition, timeout_s: float = 20) -> None:
    end = time.monotonic() + timeout_s
    while not condition(charger.command("status")):
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.1)
