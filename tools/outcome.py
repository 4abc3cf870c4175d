"""How a host program ends that has a report, for people or as JSON, or an error to tell."""

import json
import sys
from collections.abc import Callable


def run(
    name: str,
    work: "Callable[[], dict]",
    errors: "tuple[type[Exception], ...]",
    as_json: bool,
    show: "Callable[[dict], None]",
) -> int:
    """Print what `work` reports, or which of the `errors` it raised; return the exit status."""
    try:
        report = work()
    except errors as problem:
        if as_json:
            print(json.dumps({"ok": False, "error": str(problem)}))
        print(f"{name}: {problem}", file=sys.stderr)
        return 1
    if as_json:
        print(json.dumps(report))
    else:
        show(report)
    return 0
