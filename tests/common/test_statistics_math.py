"""The binomial tail and Wilson's interval, against published numbers and against scipy."""

import pytest

from triof.common.statistics_math import binomial_tail, wilson_interval


def test_the_tail_of_a_fair_coin() -> None:
    assert [binomial_tail(most, 2) for most in (0, 1, 2)] == [0.25, 0.75, 1.0]
    assert binomial_tail(0, 0) == 1.0


def test_the_interval_is_wilsons() -> None:
    # Newcombe, Statistics in Medicine 17 (1998), p. 857, table I, method 3.
    assert wilson_interval(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(0.0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson_interval(1.0, 5)[1] == 1.0


@pytest.mark.parametrize(("heads", "tosses"), [(0, 1), (0, 5), (3, 6), (9, 14), (61, 101), (700, 1500)])
def test_they_are_those_of_scipy(heads: int, tosses: int) -> None:
    binomtest = pytest.importorskip("scipy.stats").binomtest
    assert binomial_tail(heads, tosses) == pytest.approx(binomtest(heads, tosses, alternative="less").pvalue)
    expected = binomtest(heads, tosses).proportion_ci(method="wilson")
    assert wilson_interval(heads / tosses, tosses) == pytest.approx((expected.low, expected.high))
