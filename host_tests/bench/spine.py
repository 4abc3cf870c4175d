"""SPINE codec on the 32-bit build, code in ROMFS, next to MicroPython's generic `json` (in C).

Times are the best of many on this machine. Peak heap is the smallest stretch of free heap in which
a go succeeds (codec.py): what it keeps, what it needs meanwhile and what it leaves behind before a
collection. The text itself is not in it. Other codecs can be measured beside it (peers.py).
"""

import json
import subprocess
from pathlib import Path

from host_tests.bench.figures import Figure
from host_tests.bench.peers import Peer
from tools import romfs, spine_tables
from tools.micropython import micropython_path

PROGRAM = Path(__file__).resolve().parent / "codec.py"
IMAGE = Path("build/bench/codec.romfs")
OURS = "Pilotwire"
SHARE_BUDGET = 33  # percent, of a large discovery: three times better than the generic tree

_HEADER = (
    '{"datagram":[{"header":[{"specificationVersion":"1.3.0"},{"addressSource":'
    '[{"device":"d:_i:12345_HEMS-1"},{"entity":[%d]},{"feature":%d}]},{"addressDestination":'
    '[{"device":"d:_n:ACME_EVSE-42"},{"entity":[%d]},{"feature":%d}]},{"msgCounter":4711}%s,'
    '{"cmdClassifier":"%s"}]},{"payload":[{"cmd":[[%s]]}]}]}'
)


def measure_peers(folder: Path, progress, peers: list[Peer]) -> dict:
    """(message, name of the peer) → its numbers. Raises PeerError."""
    path = folder / "datagram.json"
    numbers = {}
    for name, text in messages().items():
        path.write_text(text)
        for peer in peers:
            progress(f"SPINE codec: {name}, {peer.name}")
            numbers[name, peer.name] = peer.measure(path)
    return numbers


def measure(folder: Path, progress, foreign: dict) -> list[Figure]:
    """All figures of this file; `progress(text)` is called before each message.

    `foreign` are the numbers of `measure_peers`.
    """
    path = folder / "datagram.json"
    peers = list(dict.fromkeys(who for _, who in foreign))
    romfs.build(image=IMAGE, is_bundled=False)  # codec.py imports the modules one by one
    figures = []
    for name, text in messages().items():
        progress(f"SPINE codec: {name}")
        path.write_text(text)
        row = f"{name}, {len(text)} B"
        ours, generic = _own(path, "spine"), _own(path, "json")
        figures += _figures(row, OURS, ours) + _figures(row, "json", generic)
        for who in peers:
            figures += _figures(row, who, foreign[name, who])
        share = round(100 * ours["peak_bytes"] / generic["peak_bytes"])
        budget = SHARE_BUDGET if name == "discovery" else None
        figures += [
            Figure(f"SPINE {row}: peak heap, share of json", share, "%", budget),
            Figure(f"SPINE {row}: peak heap, whole node", run(path, "receive")[1], "B"),
        ]
    return figures + _tables(foreign)


def _own(path: Path, way: str) -> dict[str, float]:
    """The numbers of a codec of this interpreter, as a peer would tell them."""
    decode_us, octets = run(path, way)
    return {
        "decode_us": decode_us,
        "encode_us": run(path, f"{way}-out")[0],
        "peak_bytes": octets,
    }


def _figures(row: str, who: str, numbers: dict[str, float]) -> list[Figure]:
    """The figures of one message and one codec."""
    suffix = "" if who == OURS else f", {who}"
    figures = []
    for title in ("decode", "encode"):
        ms = round(numbers[f"{title}_us"] / 1000, 4)
        place = (f"{row}: {title}", who)
        figures.append(Figure(f"SPINE {row}: {title}{suffix}", ms, "ms", None, *place))
    if "peak_bytes" in numbers:
        place = (f"{row}: peak heap", who)
        name = f"SPINE {row}: peak heap{suffix}"
        figures.append(Figure(name, numbers["peak_bytes"], "B", None, *place))
    return figures


def _tables(foreign: dict) -> list[Figure]:
    """Table bytes beside each other; our own are figures of sizes.py as well."""
    figures = []
    model = spine_tables.read_model()
    for profile, title in (("charger", "charger profile"), ("all", "all 142 functions")):
        octets = spine_tables.size(
            spine_tables.pack(model, spine_tables.read_profile(model, profile))
        )
        name = f"data model: {title}"
        figures.append(Figure(f"SPINE {name}", octets, "B", None, name, OURS))
    name = "data model: as the program has it"
    sizes = {who: n["table_bytes"] for (_, who), n in foreign.items() if "table_bytes" in n}
    for who, octets in sizes.items():
        figures.append(Figure(f"SPINE {name}, {who}", octets, "B", None, name, who))
    return figures


def run(path: Path, way: str) -> tuple[int, int]:
    """(microseconds, octets of peak heap) of one way to treat the datagram."""
    command = [micropython_path(32), "-X", "heapsize=512K", PROGRAM, romfs.ROOT / IMAGE]
    done = subprocess.run(
        [*command, path, way], capture_output=True, text=True, timeout=60, check=True
    )
    microseconds, octets = done.stdout.split()
    return int(microseconds), int(octets)


def messages() -> dict[str, str]:
    """name → datagram: a heartbeat, a limit with its filters, use cases, a large discovery."""
    beat = (
        '{"deviceDiagnosisHeartbeatData":[{"timestamp":"2025-03-01T10:00:00Z"},'
        '{"heartbeatCounter":17},{"heartbeatTimeout":"PT60S"}]}'
    )
    limit = (
        '{"function":"loadControlLimitListData"},{"filter":[[{"cmdControl":[{"delete":[]}]},'
        '{"loadControlLimitListDataSelectors":[{"limitId":1}]},{"loadControlLimitDataElements":'
        '[{"timePeriod":[]}]}],[{"cmdControl":[{"partial":[]}]}]]},{"loadControlLimitListData":'
        '[{"loadControlLimitData":[[{"limitId":1},{"isLimitActive":true},{"value":'
        '[{"number":4200},{"scale":0}]}]]}]}'
    )
    reference = ',{"msgCounterReference":3}'
    return {
        "heartbeat": _HEADER % (1, 1, 1, 1, "", "notify", beat),
        "limit": _HEADER % (1, 2, 1, 4, "", "write", limit),
        "use cases": _HEADER % (0, 0, 0, 0, reference, "reply", use_cases()),
        "discovery": _HEADER % (0, 0, 0, 0, reference, "reply", discovery()),
    }


def use_cases() -> str:
    """The use cases of an energy manager with four actors."""
    support = (
        '[{"useCaseName":"%s"},{"useCaseVersion":"1.0.0"},{"useCaseAvailable":true},'
        '{"scenarioSupport":[1,2,3,4]},{"useCaseDocumentSubRevision":"release"}]'
    )
    names = ("limitationOfPowerConsumption", "monitoringOfPowerConsumption")
    entries = [
        '[{"address":[{"device":"d:_i:12345_HEMS-1"},{"entity":[%d]}]},{"actor":"%s"},'
        '{"useCaseSupport":[%s]}]' % (entity, actor, ",".join(support % name for name in names))
        for entity, actor in enumerate(("EnergyGuard", "CEM", "MonitoringAppliance"), 1)
    ]
    return '{"nodeManagementUseCaseData":[{"useCaseInformation":[%s]}]}' % ",".join(entries)


def discovery(octets: int = 10_240) -> str:
    """A detailed discovery of at least so many octets, in the shape of the recorded ones."""
    operations = '{"possibleOperations":[{"read":[{"partial":[]}]}]}'
    functions = {
        "DeviceDiagnosis": ("deviceDiagnosisHeartbeatData", "deviceDiagnosisStateData"),
        "Measurement": (
            "measurementListData",
            "measurementDescriptionListData",
            "measurementConstraintsListData",
        ),
        "ElectricalConnection": (
            "electricalConnectionDescriptionListData",
            "electricalConnectionParameterDescriptionListData",
        ),
        "LoadControl": ("loadControlLimitListData", "loadControlLimitDescriptionListData"),
    }
    entities, features, entity = [], [], 0
    while len("".join(entities + features)) < octets:
        entities.append(
            '[{"description":[{"entityAddress":[{"entity":[%d]}]},{"entityType":"%s"}]}]'
            % (entity, "CEM" if entity else "DeviceInformation")
        )
        for number, (kind, names) in enumerate(functions.items()):
            supported = ",".join('[{"function":"%s"},%s]' % (n, operations) for n in names)
            features.append(
                '[{"description":[{"featureAddress":[{"entity":[%d]},{"feature":%d}]},'
                '{"featureType":"%s"},{"role":"server"},{"supportedFunction":[%s]}]}]'
                % (entity, number, kind, supported)
            )
        entity += 1
    text = (
        '{"nodeManagementDetailedDiscoveryData":[{"specificationVersionList":'
        '[{"specificationVersion":["1.3.0"]}]},{"deviceInformation":[{"description":'
        '[{"deviceAddress":[{"device":"d:_i:12345_HEMS-1"}]},{"deviceType":'
        '"EnergyManagementSystem"},{"networkFeatureSet":"smart"}]}]},'
        '{"entityInformation":[%s]},{"featureInformation":[%s]}]}'
        % (",".join(entities), ",".join(features))
    )
    json.loads(text)
    return text
