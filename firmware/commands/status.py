"""The commands `status` and `limits`: what the charger does, and why."""

import gc

from evse.arbiter import SOURCE_COUNT, source_name
from firmware.version import VERSION


def run(console, name, words):
    """Each takes no words."""
    return _status(console.node) if name == "status" else _limits(console.node)


def _status(node):
    control = node.control
    meter = control.meter
    lpc = node.station.lpc
    stall_us = node.stall_us
    node.stall_us = 0
    gc.collect()
    return {
        "version": VERSION,
        "uptime_ms": node.clock.now_ms(),
        "state": control.state,
        "ev_connected": control.ev_connected,
        "charging": control.charging,
        "offered_ma": control.offered_ma,
        "phases_in_use": control.phases_in_use,
        "power_w": meter.power_w,
        "current_ma": meter.current_ma,
        "session_wh": control.session.energy_wh,
        "summary": node.summary,
        "faults": control.fault_names(),
        "why": control.explain(),
        "lpc_state": lpc.state_name(),
        "lpc_cap_w": lpc.cap_w(),
        "connections": node.links.open_count(),
        "mdns": node.neighbours.state,
        "echonet": node.echonet.state if node.echonet else "off",
        "heap_used": gc.mem_alloc(),
        "heap_free": gc.mem_free(),
        "stall_us": stall_us,
    }


def _limits(node):
    now = node.clock.now_ms()
    active = []
    for source in range(SOURCE_COUNT):
        published = node.arbiter.published(source, now)
        if published:
            in_watts, value, is_stale, _, reason = published
            entry = {"source": source_name(source), "w" if in_watts else "ma": value}
            if is_stale:
                entry["stale"] = True
            if reason:
                entry["reason"] = reason
            active.append(entry)
    limit = node.station.lpc.limit
    return {
        "limits": active,
        "why": node.control.explain(),
        "lpc": {
            "state": node.station.lpc.state_name(),
            "limit_w": limit.limit_w,
            "active": limit.is_active(),
            "remaining_s": limit.remaining_s(now),
            "failsafe_w": limit.failsafe_w,
            "failsafe_duration_s": limit.failsafe_duration_s,
        },
    }
