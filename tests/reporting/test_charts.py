"""Charts: axes that fit the numbers, uncertainty in words, and the same numbers for a program."""

from collections.abc import Sequence

import pytest

from triof.reporting.charts import Chart, Labels, Series, bars, histogram, lines


def labelled(count: int) -> Labels:
    return Labels("Day", [f"day {at}" for at in range(count)], [f"2026-11-{at + 1:02}" for at in range(count)])


def ticks(chart: Chart) -> list[float]:
    return [float(tick.text) for tick in chart.up]


def text(value: float) -> str:
    return f"{value:g}"


@pytest.mark.parametrize("most", [0, 1, 2, 3, 4, 7, 12, 99, 1001])
def test_counts_have_whole_numbers_on_their_axis(most: int) -> None:
    chart = bars(labelled(2), [Series("a", "a", [most, 0])], text)
    found = ticks(chart)
    assert found[0] == 0
    assert all(each == int(each) for each in found)
    assert len(set(found)) == len(found)
    assert most <= found[-1]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.97, 0.98, 0.99], [0.97, 0.98, 0.99]),
        ([0.971, 0.994], [0.97, 0.98, 0.99, 1.0]),
        ([0.97, 0.97], [0.96, 0.965, 0.97]),
        ([0.02, 0.05], [0, 0.02, 0.04, 0.06]),
        ([0.4, 1.0], [0, 0.5, 1.0]),
        ([0, 0], [0, 0.02, 0.04, 0.06]),
        ([], [0, 0.02, 0.04, 0.06]),
    ],
)
def test_the_axis_of_lines_fits_what_is_drawn(values: Sequence[float], expected: Sequence[float]) -> None:
    chart = lines(labelled(len(values)), [Series("share", "a", values)], text, at_least=0.05)
    found = ticks(chart)
    assert (found[0], found[-1]) == pytest.approx((expected[0], expected[-1]))
    assert chart.bottom == pytest.approx(expected[0])
    heights = [mark.y for mark in chart.marks]
    assert all(chart.top <= height <= chart.floor for height in heights)
    if len(set(values)) > 1:
        assert max(heights) - min(heights) > 0.3 * (chart.floor - chart.top), "the difference is seen"


def test_a_band_is_told_in_words_and_kept_for_programs() -> None:
    series = Series("share", "a", [0.94, None], [0.91, None], [0.96, None])
    chart = lines(labelled(2), [series], text, between=lambda low, high: f"between {100 * low:g} and {100 * high:g}")
    assert chart.rows == [("day 0", "0.94 (between 91 and 96)"), ("day 1", "–")]
    assert chart.marks[0].value == "0.94 (between 91 and 96)"
    assert chart.values == [
        ["Day", "share", "share min", "share max"],
        ["2026-11-01", 0.94, 0.91, 0.96],
        ["2026-11-02", None, None, None],
    ]


def test_a_histogram_draws_its_limit_between_two_bars() -> None:
    names = ["0 to 1", "1 to 2", "2 to 3"]
    seconds = Labels("Duration", names, ["0-1", "1-2", "2-3"])
    in_time, late = Series("in time", "a", [5, 7, 0]), Series("late", "b", [0, 0, 2])
    chart = histogram(seconds, ["0 s", "1 s", "2 s", "3 s"], [in_time, late], text, rule=(2, "limit"))
    assert [tick.text for tick in chart.across] == ["0 s", "1 s", "2 s", "3 s"]
    assert chart.rule
    assert chart.rule.at == chart.across[2].at
    last_in_time, first_late = chart.rects[-2:]
    assert last_in_time.x + last_in_time.width == pytest.approx(chart.rule.at, abs=0.2)
    assert first_late.x == pytest.approx(chart.rule.at, abs=0.2)
    assert {rect.pattern for rect in chart.rects} == {"a", "b"}, "not the colour alone"
