"""A charging plan: when to charge with which power, from a power curve, prices and a demand.

No SPINE here. Times are seconds from the moment the plan was made, powers are W, and prices are
whole numbers of any unit that grows with cost. A curve is a list of (start, end, most power), in
order and without gaps; `end` of the last one may be None (open).
"""

from micropython import const

_HORIZON_S = const(172_800)  # without a departure time: 48 h
_HOUR_S = const(3600)
_SHORTEST_S = const(300)  # less is not worth closing a contactor


def check_curve(slots):
    """Raise ValueError unless the slots are in order, without gaps, and not negative."""
    at = 0
    for i in range(len(slots)):
        start, end, most_w = slots[i]
        if start != at or most_w < 0:
            raise ValueError("slots must follow each other")
        if end is None:
            if i + 1 < len(slots):
                raise ValueError("only the last slot may be open")
        elif end <= start:
            raise ValueError("a slot needs a duration")
        at = end


def at(slots, second):
    """The slot of (start, end, …) tuples that holds at a time, or None."""
    for slot in slots:
        if slot[0] <= second and (slot[1] is None or second < slot[1]):
            return slot
    return None


def make(curve, prices, wanted_wh, departure_s, car_w):
    """The plan as a list of (start, end, power).

    `curve` and `prices` ((start, end, price)) may be empty: no limit, no preference. The cheapest
    slots are filled first, the earlier of equal ones; what does not fit is left out.
    """
    horizon = departure_s or _HORIZON_S
    edges = {0, horizon}
    for slots in (curve, prices):
        for slot in slots:
            edges.update([edge for edge in slot[:2] if edge is not None and edge < horizon])
    edges = sorted(edges)
    rows = []
    for i in range(len(edges) - 1):
        slot = at(curve, edges[i])
        power = min(slot[2], car_w) if slot else (0 if curve else car_w)
        slot = at(prices, edges[i])
        # A time without a price is dearer than any with one.
        price = slot[2] if slot else (1 << 29 if prices else 0)
        rows.append([price, edges[i], edges[i + 1], power])
    left = wanted_wh * _HOUR_S
    result = []
    for _, start, end, power in sorted(rows):
        room = power * (end - start)
        if room > left > 0:
            # The last slot is used from its start: done early is better than done late.
            split = min(end, start + max(_SHORTEST_S, (left + power - 1) // power))
            result.append((start, split, power))
            result.append((split, end, 0))
        else:
            result.append((start, end, power if left > 0 else 0))
        left -= min(left, room)
    return _joined([slot for slot in sorted(result) if slot[1] > slot[0]])


def _joined(slots):
    """Neighbours of the same power become one."""
    result = slots[:1]
    for slot in slots[1:]:
        if slot[2] == result[-1][2]:
            result[-1] = (result[-1][0], slot[1], slot[2])
        else:
            result.append(slot)
    return result
