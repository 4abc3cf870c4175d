"""What the command line prints: lines for people, or one JSON object per line; the trace file.

A record is always both: `say(text, **fields)` prints the text, or with `--json` the fields.
"""

import json
import sys
import time

from .events import Event


def duration_text(seconds: float | None) -> str:
    """Return seconds as people say them: `45 s`, `15 min`, `1 h 30 min`."""
    if seconds is None:
        return "no end"
    hours, rest = divmod(round(seconds), 3600)
    minutes, rest = divmod(rest, 60)
    parts = ((hours, "h"), (minutes, "min"), (rest, "s"))
    return " ".join(f"{n} {unit}" for n, unit in parts if n) or "0 s"


def limit_text(limit: dict) -> str:
    """Return a limit as one phrase."""
    value = "?" if limit["limit_w"] is None else limit["limit_w"]
    if not limit["is_active"]:
        return f"no limit (value {value} W)"
    if limit["ends_in_s"] is None:
        return f"limited to {value} W until further notice"
    return f"limited to {value} W for {duration_text(limit['ends_in_s'])}"


def failsafe_text(values: dict) -> str:
    """Return the failsafe values as one phrase."""
    duration = values["failsafe_duration_s"]
    power = "?" if values["failsafe_w"] is None else values["failsafe_w"]
    time_text = "?" if duration is None else duration_text(duration)
    return f"failsafe {power} W for at least {time_text}"


def measured_text(values: dict) -> str:
    """Return measurements as one phrase; what is not known is left out."""
    parts = []
    if "power_w" in values:
        parts.append(f"{values['power_w']} W")
    for name, unit in (("power_phase_w", "W"), ("current_a", "A"), ("voltage_v", "V")):
        if values.get(name):
            inner = " ".join(f"{phase} {value}" for phase, value in sorted(values[name].items()))
            parts.append(f"({inner} {unit})")
    for name, unit in (("energy_wh", "Wh"), ("charged_wh", "Wh charged"), ("frequency_hz", "Hz")):
        if name in values:
            parts.append(f"{values[name]} {unit}")
    return " ".join(parts) or "no measurement"


def vehicle_text(vehicle: dict) -> str:
    """Return the state of the vehicle as one phrase."""
    if not vehicle["is_connected"]:
        return "no vehicle"
    facts = [vehicle.get("state") or "", vehicle.get("standard") or "", measured_text(vehicle)]
    return "vehicle " + ", ".join(fact for fact in facts if fact and fact != "no measurement")


def event_text(event: Event) -> str | None:
    """Return an event as one phrase; None for what only a developer wants to see."""
    template = _TEMPLATES.get(event.kind)
    if template is not None:
        return template.format_map({"what": "", **event.data}).rstrip()
    phrase = _PHRASES.get(event.kind)
    return phrase(event.data) if phrase else None


_TEMPLATES = {
    "ship": "{phase} {detail}",
    "connected": "connected to {ski}",
    "closed": "connection ended: {reason}",
    "retry": "trying again in {pause_s} s: {reason}",
    "ready": "discovered {device}",
    "entity_added": "entity {entity} {type} appeared",
    "entity_removed": "entity {entity} disappeared",
    "heartbeat": "heartbeat {counter} of the charger",
    "heartbeat_sent": "heartbeat {counter} sent",
    "problem": "problem: {what} {reason}",
    "malformed": "malformed message: {reason}",
    "result": "{what} written: error {error} {text}",
}
_PHRASES = {
    "limit": limit_text,
    "failsafe": failsafe_text,
    "measurement": measured_text,
    "vehicle": vehicle_text,
    "state": lambda data: " ".join(filter(None, ("charger", data["state"], data["error"]))),
}


class Output:
    """Where a command's results go."""

    def __init__(self, is_json: bool):
        self.is_json = is_json

    def say(self, text: str, /, **fields) -> None:
        """Print one result."""
        if self.is_json:
            print(json.dumps(fields, ensure_ascii=False), flush=True)
        else:
            print(text, flush=True)

    def hint(self, text: str) -> None:
        """Print advice for people; programs do not get it."""
        if not self.is_json:
            print(text, flush=True)

    def error(self, text: str) -> None:
        """Print why a command failed, on standard error; with `--json` also as a record."""
        if self.is_json:
            print(json.dumps({"event": "error", "text": text}, ensure_ascii=False), flush=True)
        else:
            print(f"error: {text}", file=sys.stderr, flush=True)

    def event(self, event: Event) -> None:
        """Print an observation with its time."""
        if self.is_json:
            print(json.dumps(event.as_dict(), ensure_ascii=False), flush=True)
        elif (text := event_text(event)) is not None:
            clock = time.strftime("%H:%M:%S", time.localtime(event.at))
            print(f"{clock}  {text}", flush=True)


class Trace:
    """A log of all SHIP messages: time, seconds since the start, direction, octets.

    The first octet of a message is written as two hex digits, JSON text as it went over the wire.
    """

    def __init__(self, path: str):
        self._file = sys.stderr if path == "-" else open(path, "a", encoding="utf-8")
        self._start = time.monotonic()

    def __enter__(self) -> "Trace":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not sys.stderr:
            self._file.close()

    def __call__(self, direction: str, octets: bytes) -> None:
        clock = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        text = octets[1:].decode(errors="backslashreplace")
        text = text if text.isprintable() else octets[1:].hex()
        since = time.monotonic() - self._start
        print(
            clock, f"{since:.4f}", direction, octets[:1].hex(), text, file=self._file, flush=True
        )
