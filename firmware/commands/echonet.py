"""The command `echonet`: what the installer decides, and the controllers seen last.

What is decided is kept in the settings, and holds at once.
"""

from micropython import const

_ALLOWED_MAX = const(4)  # as many as echonet.guard remembers

# Keys in the settings store; read by firmware.echonet
_WRITES = "echonet_writes"
_ALLOW = "echonet_allow"
_CLASS = "echonet_class"
_RATE = "echonet_rate"
_TCP = "echonet_tcp"

_VERBS = ("status", "on", "off", "writes", "allow", "deny", "class", "rate", "tcp")
_WITH_VALUE = _VERBS[3:]
_USAGE = (
    "echonet [status|on|off|writes on|writes off|allow ADDRESS|deny ADDRESS|class 02A1|"
    "class 027E|rate N|tcp on|tcp off]"
)


def run(console, name, words):
    """Carry out what is to be changed; return how things are then."""
    node = console.node
    verb = words[0] if words else "status"
    value = words[1] if len(words) > 1 else ""
    if verb not in _VERBS or len(words) > 2 or bool(value) != (verb in _WITH_VALUE):
        raise ValueError(_USAGE)
    if verb in ("on", "off"):
        node.settings.put("echonet", verb == "on")
    if verb == "off":
        node.stop_echonet()
    elif verb == "on" and not node.echonet:
        node.start_echonet()
    if not node.echonet:
        if verb in _WITH_VALUE:
            raise ValueError("ECHONET Lite is off; first: echonet on")
        return {"state": "off"}
    if verb in _WITH_VALUE:
        _change(node.echonet, node.settings, verb, value)
    if verb in ("class", "tcp"):
        node.stop_echonet()
        node.start_echonet()
    return _status(node.echonet, node.settings)


def _status(task, settings):
    node = task.node
    guard = task.guard
    now = task.wall.now_ms()
    return {
        "state": task.state,
        "addresses": task.addresses,
        "objects": [item.eoj.hex().upper() for item in node.objects],
        "mode": task.charger.value(0xDA).hex().upper(),
        "writes": "on" if guard.writes_on else "off",
        "allowed": settings.get(_ALLOW, []),
        "rate_per_s": guard.rate,
        "tcp": "on" if task.has_tcp else "off",
        "ignored": node.ignored,
        "malformed": node.malformed,
        "dropped": guard.dropped,
        "controllers": [
            {
                "address": task.text(controller.source),
                "seconds_ago": (now - controller.last_ms) // 1_000,
                "requests": controller.requests,
                "writes": controller.writes,
                "refused": controller.refused,
            }
            for controller in guard.seen
        ],
    }


def _change(task, settings, verb, value):
    """Keep what was decided; `class` and `tcp` count for the next task."""
    is_on = value == "on"
    if verb in ("writes", "tcp") and not is_on and value != "off":
        raise ValueError(_USAGE)
    if verb == "writes":
        task.guard.writes_on = is_on
        settings.put(_WRITES, is_on)
        if not is_on:
            task.charger.release()
    elif verb == "tcp":
        settings.put(_TCP, is_on)
    elif verb == "class":
        if value.upper() not in ("02A1", "027E"):
            raise ValueError(_USAGE)
        settings.put(_CLASS, value.upper())
    elif verb == "rate":
        if not value.isdigit() or not int(value):
            raise ValueError(_USAGE)
        task.guard.rate = int(value)
        settings.put(_RATE, task.guard.rate)
    else:
        _allow(task, settings, verb, value)


def _allow(task, settings, verb, address):
    addresses = settings.get(_ALLOW, [])
    if verb == "deny":
        if address not in addresses:
            raise ValueError("this controller is not allowed anyway")
        addresses = [text for text in addresses if text != address]
    else:
        task.place(address)
        if address in addresses:
            return
        if len(addresses) >= _ALLOWED_MAX:
            raise ValueError("no room for another controller; deny one first")
        addresses = addresses + [address]
    settings.put(_ALLOW, addresses)
    task.allow(addresses)
