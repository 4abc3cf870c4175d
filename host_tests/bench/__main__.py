"""Measure everything, print it, keep it: `make bench`.

make bench                        table, build/bench.json
make bench ARGS=--write           also the tables in host_tests/README.md
make bench ARGS="--against HOST:PORT"
    the same client against another charger that trusts the SKI that is printed
make bench ARGS="--only latency"  one part: latency, usecases, echonet, heap, spine or sizes
make bench ARGS="--codec-peer NAME=COMMAND"
    another SPINE codec, with the same messages (host_tests/bench/peers.py tells the interface)
"""

import argparse
import datetime
import json
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from host_tests.bench import echonet, heap, latency, sizes, spine, usecases
from host_tests.bench.figures import Figure, as_dict, comparison, markdown, median, p95
from host_tests.bench.peers import Peer, PeerError
from tools.energy_manager.identity import Identity

ROOT = Path(__file__).resolve().parent.parent.parent
OUTPUT = ROOT / "build" / "bench.json"
README = ROOT / "host_tests" / "README.md"
MARKS = "<!-- bench: begin -->", "<!-- bench: end -->"
CODEC_MARKS = "<!-- codec bench: begin -->", "<!-- codec bench: end -->"

PARTS = ("latency", "usecases", "echonet", "heap", "spine", "sizes")


def main() -> int:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=PARTS, help="measure one part")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--write", action="store_true", help="update the tables in the README")
    parser.add_argument("--against", metavar="HOST:PORT", help="time another charger")
    parser.add_argument(
        "--codec-peer",
        metavar="NAME=COMMAND",
        action="append",
        type=Peer.parse,
        default=[],
        help="measure another SPINE codec too; may be repeated",
    )
    options = parser.parse_args()
    if options.write and options.only not in (None, "spine"):
        parser.error("--write needs all figures, or --only spine for its own table")
    if options.codec_peer and options.only not in (None, "spine"):
        parser.error("--codec-peer belongs to the part spine")
    console = Console(stderr=options.json)
    if options.against:
        return other(options.against, console)
    try:
        figures = measure(options.only, console, options.codec_peer)
    except PeerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    save(figures)
    if options.json:
        print(json.dumps(as_dict(figures), indent=2))
    else:
        console.print(as_table(figures))
    if options.write:
        write_readme(figures, options.only, bool(options.codec_peer))
    return 0


def measure(only: str | None, console: Console, peers: list[Peer]) -> list[Figure]:
    """The figures of one part or of all. Raises PeerError."""
    figures = []
    with tempfile.TemporaryDirectory() as name, console.status("starting") as status:
        folder = Path(name)
        # First, so that a command that fails has cost no time.
        foreign = spine.measure_peers(folder, status.update, peers)
        if only in (None, "latency"):
            status.update("times on loopback")
            figures += latency.measure(folder)
        if only in (None, "usecases"):
            status.update("limits of the use cases")
            figures += usecases.measure(folder)
        if only in (None, "echonet"):
            status.update("ECHONET Lite on loopback")
            figures += echonet.measure(folder)
        if only in (None, "heap"):
            figures += heap.measure(folder, status.update)
        if only in (None, "spine"):
            figures += spine.measure(folder, status.update, foreign)
        if only in (None, "sizes"):
            status.update("sizes")
            figures += sizes.measure()
    return figures


def other(place: str, console: Console) -> int:
    """Time a charger that somebody else has started."""
    identity = Identity.load(ROOT / "build" / "bench_manager")
    console.print(f"our SKI: {identity.ski}")
    host, _, port = place.rpartition(":")
    times, writes = latency.against(identity, host, int(port))
    figures = [
        Figure("TCP connect to data exchange, median", times["data"], "ms"),
        Figure("TCP connect to first limit, median", times["limit"], "ms"),
        Figure("limit write to result, median", median(writes), "ms"),
        Figure("limit write to result, p95", p95(writes), "ms"),
    ]
    console.print(as_table(figures))
    return 0


def save(figures: list[Figure]) -> None:
    """Write build/bench.json; figures of parts that were not measured stay."""
    known = json.loads(OUTPUT.read_text()) if OUTPUT.exists() else {}
    known.update(as_dict(figures))
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(json.dumps(known, indent=2) + "\n")


def as_table(figures: list[Figure]) -> Table:
    """The figures for a terminal."""
    table = Table()
    for column in ("figure", "value", "budget", ""):
        table.add_column(column, justify="left" if column == "figure" else "right")
    colours = {"ok": "[green]ok[/]", "over": "[red]over[/]", "": ""}
    for f in figures:
        budget = "" if f.budget is None else f"{f.budget:g} {f.unit}"
        table.add_row(f.name, f"{f.value:g} {f.unit}", budget, colours[f.verdict])
    return table


def write_readme(figures: list[Figure], only: str | None, has_peers: bool) -> None:
    """Replace the tables in host_tests/README.md.

    The table of the codec stays if everything was measured without peers: its columns would go.
    """
    text = README.read_text()
    if only is None:
        text = replaced(text, MARKS, markdown([f for f in figures if not f.column]))
    if only == "spine" or has_peers:
        text = replaced(text, CODEC_MARKS, comparison(figures))
    README.write_text(text)


def replaced(text: str, marks: tuple[str, str], table: str) -> str:
    """The text with another table between two marks."""
    start = text.index(marks[0]) + len(marks[0])
    today = datetime.date.today().isoformat()
    middle = f"\n\nMeasured {today} by `make bench`.\n\n{table}\n\n"
    return text[:start] + middle + text[text.index(marks[1]) :]


if __name__ == "__main__":
    sys.exit(main())
