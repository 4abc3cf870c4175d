"""The console command `echonet`: what the installer decides, and who has been seen.

Loaded when the command is used. Everything is kept in the settings.
"""

from micropython import const

_ALLOWED_MAX = const(4)  # as many as echonet.guard remembers

# Keys in the settings store; read by firmware.echonet
_WRITES = "echonet_writes"
_ALLOW = "echonet_allow"
_CLASS = "echonet_class"
_RATE = "echonet_rate"
_TCP = "echonet_tcp"

_USAGE = (
    "echonet [status|on|off|writes on|writes off|allow ADDRESS|deny ADDRESS|class 02A1|"
    "class 027E|rate N|tcp on|tcp off]"
)


def status(task, settings):
    """Return what the console shows of a firmware.echonet.EchonetTask."""
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
        "rate": guard.rate,
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


def command(task, settings, arguments):
    """Carry out `echonet ...`. Raises ValueError with what to do instead.

    `on` and `off` are the owner's; after `class` and `tcp` it makes the task anew.
    """
    verb = arguments[0] if arguments else "status"
    value = arguments[1] if len(arguments) == 2 else ""
    if verb == "writes" and value in ("on", "off"):
        task.guard.writes_on = value == "on"
        settings.put(_WRITES, task.guard.writes_on)
        if value == "off":
            task.charger.release()
    elif verb == "allow" and value:
        _allow(task, settings, value)
    elif verb == "deny" and value:
        addresses = settings.get(_ALLOW, [])
        if value not in addresses:
            raise ValueError("this controller is not allowed anyway")
        _keep(task, settings, [text for text in addresses if text != value])
    elif verb == "rate" and value.isdigit() and int(value):
        task.guard.rate = int(value)
        settings.put(_RATE, task.guard.rate)
    elif verb == "class" and value.upper() in ("02A1", "027E"):
        settings.put(_CLASS, value.upper())
    elif verb == "tcp" and value in ("on", "off"):
        settings.put(_TCP, value == "on")
    elif verb not in ("status", "on") or value:
        raise ValueError(_USAGE)


def _allow(task, settings, address):
    addresses = settings.get(_ALLOW, [])
    task.place(address)
    if address in addresses:
        return
    if len(addresses) >= _ALLOWED_MAX:
        raise ValueError("no room for another controller; deny one first")
    _keep(task, settings, addresses + [address])


def _keep(task, settings, addresses):
    settings.put(_ALLOW, addresses)
    task.allow(addresses)
