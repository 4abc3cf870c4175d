"""Common SPINE data types in integers: scaled numbers, durations (IEC 63380-3 5.2.2)."""

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
