"""Common SPINE data types in integers: scaled numbers, durations, times (IEC 63380-3 5.2.2)."""

from micropython import const

_MAX_SCALE = const(18)  # 10^18 fits the 64-bit `number`
_UNIT_SECONDS = {"D": 86400, "H": 3600, "M": 60, "S": 1}


def scaled(number, scale=0):
    """A ScaledNumber; both elements are always sent (IG 3.2.1)."""
    return {"number": number, "scale": scale}


def amperes(current_ma):
    """A ScaledNumber in A, to a tenth, as short as it goes."""
    if current_ma % 1000:
        return scaled(current_ma // 100, -1)
    return scaled(current_ma // 1000)


def unscale(value, scale=0):
    """The ScaledNumber `value` as an integer in units of 10^scale, rounded down.

    Raises ValueError without `number` or with an absurd scale.
    """
    number = value.get("number")
    shift = value.get("scale", 0) - scale
    if number is None or not -_MAX_SCALE <= shift <= _MAX_SCALE:
        raise ValueError("scaled number")
    return number * 10**shift if shift >= 0 else number // 10**-shift


def duration(seconds):
    """An xs:duration of whole seconds, always in the form `PT<n>S`."""
    return "PT%dS" % seconds


def parse_duration(text):
    """Whole seconds of an xs:duration, fractions rounded up; negative ones count as zero.

    Raises ValueError for absolute times, years and months (ambiguous) and anything else.
    """
    rest = text
    negative = rest.startswith("-")
    if negative:
        rest = rest[1:]
    if not rest.startswith("P") or len(rest) < 3:
        raise ValueError("duration")
    date, _, time = rest[1:].partition("T")
    total = _part(date, "D") + _part(time, "HMS")
    return 0 if negative else total


def _part(text, units):
    """Seconds of the date part or the time part of a duration."""
    total = 0
    digits = ""
    fraction = False
    for character in text:
        if character.isdigit():
            digits += character
        elif character in ".," and "S" in units and digits:
            total += int(digits)
            digits = ""
            fraction = True
        elif character in units and digits and len(digits) < 10:
            if fraction:
                if character != "S":
                    raise ValueError("duration")
                total += int(digits) > 0
            else:
                total += int(digits) * _UNIT_SECONDS[character]
            units = units[units.index(character) + 1 :]
            digits = ""
        else:
            raise ValueError("duration")
    if digits:
        raise ValueError("duration")
    return total


def parse_datetime(text):
    """Milliseconds since 1970 of an xs:dateTime, which may lack its zone (then it is UTC), have
    fractions of a second, or say 24:00:00. Raises ValueError."""
    date, _, clock = text.partition("T")
    year, month, day = [int(part) for part in date.split("-")]
    clock = clock.rstrip("Z")
    offset_s = 0
    if len(clock) > 6 and clock[-6] in "+-":
        offset_s = int(clock[-5:-3]) * 3600 + int(clock[-2:]) * 60
        if clock[-6] == "-":
            offset_s = -offset_s
        clock = clock[:-6]
    hours, minutes, seconds = clock.split(":")
    seconds, _, fraction = seconds.partition(".")
    if not (1 <= month <= 12 and 1 <= day <= 31 and 1970 <= year < 10_000):
        raise ValueError("date")
    # Years begin in March here, so that the leap day is the last one.
    if month < 3:
        year -= 1
        month += 12
    days = year * 365 + year // 4 - year // 100 + year // 400 + (153 * month - 457) // 5 + day
    total = (days - 719_469) * 86_400 + int(hours) * 3600 + int(minutes) * 60 + int(seconds)
    return (total - offset_s) * 1000 + int((fraction + "000")[:3])
