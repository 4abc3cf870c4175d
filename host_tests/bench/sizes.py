"""Flash: compiled modules, simulated board included, and generated tables."""

from host_tests.bench.figures import Figure
from tools import romfs, spine_tables


def measure() -> list[Figure]:
    """All figures of this file."""
    sizes = romfs.sizes("sim")
    model = spine_tables.read_model()
    everything = spine_tables.read_profile(model, "all")
    charger = spine_tables.read_profile(model, "charger")
    return [
        Figure(".mpy of the firmware, bundled", _kib(sizes["bundle"]), "KiB", 140),
        Figure(".mpy of the firmware, one by one", _kib(sizes["total"]), "KiB"),
        Figure("SPINE tables, charger profile", _table_kib(model, charger), "KiB", 12),
        Figure("SPINE tables, all 142 functions", _table_kib(model, everything), "KiB", 40),
    ]


def _table_kib(model, functions) -> float:
    return _kib(spine_tables.size(spine_tables.pack(model, functions)))


def _kib(octets: int) -> float:
    return round(octets / 1024, 1)
