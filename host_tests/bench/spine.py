"""SPINE codec on the 32-bit build, code in ROMFS, next to MicroPython's generic `json` (in C).

Times are the best of many on this machine. Peak heap is the smallest stretch of free heap in which
a go succeeds (codec.py): what it keeps, what it needs meanwhile and what it leaves behind before a
collection. The text itself is not in it.
"""

import json
import subprocess
from pathlib import Path

from host_tests.bench.figures import Figure
from tools import romfs
from tools.micropython import micropython_path

PROGRAM = Path(__file__).resolve().parent / "codec.py"
SHARE_BUDGET = 33  # percent: three times better than the generic tree

_HEADER = (
    '{"datagram":[{"header":[{"specificationVersion":"1.3.0"},{"addressSource":'
    '[{"device":"d:_i:12345_HEMS-1"},{"entity":[%d]},{"feature":%d}]},{"addressDestination":'
    '[{"device":"d:_n:ACME_EVSE-42"},{"entity":[%d]},{"feature":%d}]},{"msgCounter":4711}%s,'
    '{"cmdClassifier":"%s"}]},{"payload":[{"cmd":[[%s]]}]}]}'
)


def measure(folder: Path, progress) -> list[Figure]:
    """All figures of this file; `progress(text)` is called before each message."""
    romfs.build()
    figures = []
    for name, text in messages().items():
        progress(f"SPINE codec: {name}")
        path = folder / "datagram.json"
        path.write_text(text)
        label = f"SPINE {name}, {len(text)} B"
        heap = {}
        for way, title in (("spine", "decode"), ("spine-out", "encode")):
            for which, suffix in ((way, ""), (way.replace("spine", "json"), ", json")):
                microseconds, heap[which] = run(path, which)
                figures.append(Figure(f"{label}: {title}{suffix}", microseconds / 1000, "ms"))
                if title == "decode":
                    figures.append(Figure(f"{label}: peak heap{suffix}", heap[which], "B"))
    share = round(100 * heap["spine"] / heap["json"])
    figures.append(Figure(f"{label}: peak heap, share of json", share, "%", SHARE_BUDGET))
    figures.append(Figure(f"{label}: peak heap, whole node", run(path, "receive")[1], "B"))
    return figures


def run(path: Path, way: str) -> tuple[int, int]:
    """(microseconds, octets of peak heap) of one way to treat the datagram."""
    command = [micropython_path(32), "-X", "heapsize=512K", PROGRAM, romfs.ROOT / romfs.IMAGE]
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
