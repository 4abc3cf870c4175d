"""Scaled numbers, durations and times."""

from spine.values import duration, parse_datetime, parse_duration, scaled, unscale


def refused(function, argument):
    try:
        function(argument)
    except ValueError:
        return True
    return False


def test_scaled_numbers_become_integers_rounded_down():
    assert unscale({"number": 7, "scale": 3}) == 7000
    assert unscale({"number": 42009, "scale": -1}) == 4200
    assert unscale({"number": -15, "scale": -1}) == -2
    assert unscale({"number": 5}) == 5
    assert unscale({"number": 105, "scale": -1}, -3) == 10_500
    assert scaled(105, -1) == {"number": 105, "scale": -1}


def test_scaled_numbers_without_number_or_with_an_absurd_scale_are_refused():
    assert refused(unscale, {})
    assert refused(unscale, {"scale": 2})
    assert refused(unscale, {"number": 1, "scale": 30000})
    assert refused(unscale, {"number": 1, "scale": -30000})


def test_durations_in_all_forms():
    for text, seconds in (
        ("PT0S", 0),
        ("P0D", 0),
        ("PT15M", 900),
        ("PT1H2M3S", 3723),
        ("P1DT1H", 90_000),
        ("P2D", 172_800),
        ("PT4.5S", 5),
        ("PT4.0S", 4),
        ("-PT5S", 0),
        ("PT86400S", 86_400),
    ):
        assert parse_duration(text) == seconds, text
    assert duration(900) == "PT900S"


def test_what_is_no_duration_is_refused():
    for text in (
        "",
        "P",
        "PT",
        "T5S",
        "5",
        "PT5",
        "PTS",
        "P1Y",
        "P1M",
        "PT1S1M",
        "PT1.5M",
        "PT1S ",
        "2030-01-01T00:00:00Z",
        "PT99999999999S",
    ):
        assert refused(parse_duration, text), text


def test_times_in_all_forms_are_milliseconds_since_1970():
    for text, milliseconds in (
        ("1970-01-01T00:00:00Z", 0),
        ("2025-03-01T10:00:00Z", 1_740_823_200_000),
        ("2025-03-01T10:00:00", 1_740_823_200_000),
        ("2025-03-01T11:30:00+01:30", 1_740_823_200_000),
        ("2025-03-01T05:00:00-05:00", 1_740_823_200_000),
        ("2025-03-01T10:00:00.25Z", 1_740_823_200_250),
        ("2025-03-01T10:00:00.0004999Z", 1_740_823_200_000),
        ("2024-02-28T24:00:00Z", 1_709_164_800_000),
        ("2024-02-29T00:00:00Z", 1_709_164_800_000),
    ):
        assert parse_datetime(text) == milliseconds, text


def test_what_is_no_time_is_refused():
    for text in (
        "",
        "PT5M",
        "10:00:00",
        "2025-03-01",
        "2025-03-01T10:00",
        "2025-13-01T10:00:00Z",
        "2025-03-32T10:00:00Z",
        "2025-03-01Tx:00:00Z",
        "2025-03-01T10:00:00.xZ",
        "1025-03-01T10:00:00Z",
    ):
        assert refused(parse_datetime, text), text
