"""From use cases and settings to the arbiter: what each master allows, published as limits.

Limits of a protocol hold only while its task lives: without news for `EXPIRY_MS` the source is
stale and the arbiter takes the fallback. Knows the use cases and the charging control, no network.
"""

from micropython import const

from evse import arbiter as sources

EXPIRY_MS = const(10_000)

# Keys in the settings store: currents per phase, None for no limit, and the profile of the 6 A
# threshold (ChargingControl.is_strict).
SET_INSTALLATION_MA = "installation_ma"
SET_USER_MA = "user_ma"
SET_STRICT_6A = "strict_6a"


def configure(settings, control, now):
    """Apply what the installer and the user have set."""
    control.is_strict = settings.get(SET_STRICT_6A, 0) == 1
    for source, name in (
        (sources.INSTALLATION, SET_INSTALLATION_MA),
        (sources.USER, SET_USER_MA),
    ):
        milliamps = settings.get(name, None)
        if milliamps is None:
            control.arbiter.withdraw(source)
        else:
            control.arbiter.publish(source, now, milliamps=milliamps)


def publish(station, arbiter, board, now):
    """Publish everything that the use cases of `station` allow at `now`."""
    lpc = station.lpc
    cap = lpc.cap_w()
    if cap is None:
        arbiter.withdraw(sources.LPC)
    else:
        arbiter.publish(
            sources.LPC,
            now,
            watts=cap,
            expires_ms=EXPIRY_MS,
            fallback=min(cap, lpc.limit.failsafe_w),
            reason=lpc.state_name(),
        )
    if station.lpp:
        board.limit_feed_in(station.lpp.cap_w())
    ev = station.ev
    _publish_current(arbiter, sources.OPEV, now, ev and ev.opev)
    _publish_current(arbiter, sources.OSCEV, now, ev and ev.oscev)
    planned_w = ev and ev.cevc and ev.cevc.allowed_w(now)
    if planned_w is None:
        arbiter.withdraw(sources.CEVC)
    else:
        arbiter.publish(sources.CEVC, now, watts=planned_w, reason="plan")


def _publish_current(arbiter, source, now, use_case):
    """Pass on what OPEV or OSCEV allows; None without a car."""
    milliamps, why = use_case.allowed(now) if use_case else (None, "")
    if milliamps is None:
        arbiter.withdraw(source)
    else:
        arbiter.publish(
            source,
            now,
            milliamps=milliamps,
            expires_ms=EXPIRY_MS,
            fallback=use_case.fallback_ma,
            reason=why,
        )
