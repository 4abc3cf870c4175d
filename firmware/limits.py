"""From use cases to the arbiter: what each energy manager allows, published as limits.

Limits of a protocol hold only while its task lives: without news for `EXPIRY_MS` the source is
stale and the arbiter takes the fallback. Knows the use cases and the charging control, no network.
"""

from micropython import const

from evse import arbiter as sources

EXPIRY_MS = const(10_000)


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


def publish_installation(settings, arbiter, now):
    """Publish what the installation allows per phase, if the installer has set it."""
    limit_ma = settings.get("installation_ma", 0)
    if limit_ma:
        arbiter.publish(sources.INSTALLATION, now, milliamps=limit_ma)
    else:
        arbiter.withdraw(sources.INSTALLATION)


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
