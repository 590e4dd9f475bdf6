"""Expected values are worked by hand; random data is judged by SciPy and by the standard library as well."""

from __future__ import annotations

import itertools
import math
import random
import statistics
from collections.abc import Callable

import numpy as np
import pytest
import scipy.stats

from evals.statistics import (
    bootstrap_interval,
    holm,
    mcnemar,
    median,
    p_worse,
    paired_bootstrap,
    percentile,
    permutation,
    share,
    zero_one,
)


def test_wilsons_interval_of_counts() -> None:
    # 8 of 10, z = 1.96: centre (0.8 + 0.19207) / 1.38415 = 0.71674, half 0.22659 (Wilson 1927).
    result = share([1.0] * 8 + [0.0] * 2)
    assert (result.value, result.n) == (0.8, 10)
    assert result.low == pytest.approx(0.4902, abs=1e-4)
    assert result.high == pytest.approx(0.9433, abs=1e-4)


def test_all_right_is_not_certain() -> None:
    result = share([1.0] * 10)
    assert result.value == 1.0
    assert result.high == pytest.approx(1.0)
    assert result.low == pytest.approx(1 / (1 + 1.959964**2 / 10), abs=1e-4)


def test_the_normal_interval_of_fractions() -> None:
    # Mean 0.5, variance 0.125 / 2 = 0.0625, half 1.96 · √(0.0625 / 3) = 0.2829.
    result = share([0.25, 0.5, 0.75])
    assert result.value == pytest.approx(0.5)
    assert (result.low, result.high) == (pytest.approx(0.2171, abs=1e-4), pytest.approx(0.7829, abs=1e-4))


def test_one_fraction_says_nothing_of_the_others() -> None:
    result = share([0.4])
    assert (result.value, result.n, result.low, result.high) == (0.4, 1, 0.0, 1.0)


def test_a_share_of_nothing_is_not_a_number() -> None:
    assert math.isnan(share([]).value)
    assert share([]).n == 0


def test_intervals_of_shares_agree_with_scipy() -> None:
    dice = random.Random(1)
    for _ in range(300):
        n = dice.randint(1, 200)
        right = dice.randint(0, n)
        counted = share([1.0] * right + [0.0] * (n - right))
        theirs = scipy.stats.binomtest(right, n).proportion_ci(method="wilson")
        assert (counted.low, counted.high) == pytest.approx((theirs.low, theirs.high), abs=1e-6)
        values = [dice.random() for _ in range(n + 1)]
        result = share(values)
        low, high = scipy.stats.norm.interval(0.95, np.mean(values), scipy.stats.sem(values))
        assert (result.low, result.high) == pytest.approx((max(0.0, low), min(1.0, high)), abs=1e-6)


def test_zeros_and_ones_can_be_counted() -> None:
    assert zero_one([0.0, 1.0, 1])
    assert not zero_one([0.0, 0.5])
    assert not zero_one([math.nan])


@pytest.mark.parametrize(("values", "middle"), [([3.0], 3.0), ([5.0, 1.0, 2.0], 2.0), ([4.0, 1.0, 2.0, 3.0], 2.5)])
def test_the_median(values: list[float], middle: float) -> None:
    assert median(values) == middle


def test_percentiles_lie_between_the_values() -> None:
    values = [40.0, 10.0, 30.0, 20.0]  # at 0, 33⅓, 66⅔ and 100 per cent, once sorted
    assert percentile(values, 0) == 10.0
    assert percentile(values, 25) == pytest.approx(17.5)
    assert percentile(values, 90) == pytest.approx(37.0)
    assert percentile([7.0], 90) == 7.0


def test_of_nothing_neither_median_nor_percentile() -> None:
    assert math.isnan(median([]))
    assert math.isnan(percentile([], 90))


def test_percentiles_agree_with_the_standard_library() -> None:
    dice = random.Random(2)
    for _ in range(100):
        values = [dice.gauss(0, 1000) for _ in range(dice.randint(2, 50))]
        theirs = statistics.quantiles(values, n=100, method="inclusive")
        assert [percentile(values, q) for q in range(1, 100)] == pytest.approx(theirs)


def test_the_bootstrap_interval_of_two_values_is_all_between_them() -> None:
    # The mean of two draws from 0 and 10 is 0 or 10 in a quarter of the cases each, far more than 2.5%.
    assert bootstrap_interval([0.0, 10.0]) == (0.0, 10.0)


def test_equal_values_leave_no_doubt() -> None:
    assert bootstrap_interval([3.0] * 5) == (3.0, 3.0)


@pytest.mark.parametrize("values", [[], [0.5]])
def test_fewer_than_two_values_have_no_bootstrap_interval(values: list[float]) -> None:
    assert all(math.isnan(end) for end in bootstrap_interval(values))
    assert all(math.isnan(end) for end in paired_bootstrap(values, values))


def test_a_seed_decides_the_bootstrap() -> None:
    values = [float(n * n) for n in range(30)]
    assert bootstrap_interval(values, seed=1) == bootstrap_interval(values, seed=1)
    assert bootstrap_interval(values, seed=1) != bootstrap_interval(values, seed=2)


def test_bootstrap_intervals_agree_with_scipy() -> None:
    dice = np.random.default_rng(3)
    for values in (dice.normal(size=5), dice.exponential(size=20), dice.random(80)):
        theirs = scipy.stats.bootstrap(
            (values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(0)
        ).confidence_interval
        ours = bootstrap_interval(values.tolist(), resamples=20_000)
        assert ours == pytest.approx((theirs.low, theirs.high), abs=0.03 * (theirs.high - theirs.low))


def test_a_bootstrap_interval_holds_the_mean_about_as_often_as_it_says() -> None:
    dice = np.random.default_rng(4)
    held = 0
    for seed in range(200):
        low, high = bootstrap_interval(dice.exponential(size=50).tolist(), seed, resamples=300)
        held += low <= 1.0 <= high
    assert 0.87 <= held / 200 <= 0.99


def test_the_paired_bootstrap_is_of_the_differences() -> None:
    a = [0.1, 0.5, 0.9, 0.3]
    assert paired_bootstrap(a, [value + 0.25 for value in a]) == pytest.approx((0.25, 0.25))
    b = [0.3, 0.4, 0.9, 0.9]
    assert paired_bootstrap(a, b, seed=5) == pytest.approx(bootstrap_interval([0.2, -0.1, 0.0, 0.6], seed=5))


def pairs(both: int, gains: int, losses: int, neither: int) -> tuple[list[float], list[float]]:
    """So many questions that a and b get right, only b, only a, and neither."""
    a = [1.0] * both + [0.0] * gains + [1.0] * losses + [0.0] * neither
    b = [1.0] * both + [1.0] * gains + [0.0] * losses + [0.0] * neither
    return a, b


@pytest.mark.parametrize(
    ("gains", "losses", "p", "p_loss"),
    [
        (1, 6, 0.125, 0.0625),  # P(6 or 7 of 7) = 8 / 128
        (6, 1, 0.125, 127 / 128),
        (0, 5, 0.0625, 1 / 32),
        (3, 3, 1.0, 42 / 64),  # twice 42 / 64 is more than 1
        (0, 1, 1.0, 0.5),
        (0, 0, 1.0, 1.0),
    ],
)
def test_mcnemar_looks_only_at_where_they_differ(gains: int, losses: int, p: float, p_loss: float) -> None:
    for both, neither in ((0, 0), (50, 7)):
        a, b = pairs(both, gains, losses, neither)
        assert mcnemar(a, b) == pytest.approx(p)
        assert p_worse(a, b) == pytest.approx(p_loss)


def test_mcnemar_is_for_counts() -> None:
    with pytest.raises(ValueError, match="0 and 1"):
        mcnemar([0.0, 0.5], [1.0, 1.0])


def test_counted_differences_agree_with_scipy() -> None:
    dice = random.Random(6)
    for _ in range(500):
        gains, losses = dice.randint(0, 60), dice.randint(0, 60)
        if gains + losses == 0:
            continue
        a, b = pairs(3, gains, losses, 3)
        assert mcnemar(a, b) == pytest.approx(scipy.stats.binomtest(gains, gains + losses).pvalue)
        theirs = scipy.stats.binomtest(losses, gains + losses, alternative="greater").pvalue
        assert p_worse(a, b) == pytest.approx(theirs)


def test_mcnemar_of_thousands_of_differences() -> None:
    a, b = pairs(0, 3000, 3200, 0)
    assert mcnemar(a, b) == pytest.approx(scipy.stats.binomtest(3000, 6200).pvalue)


@pytest.mark.parametrize(
    ("differences", "p", "p_loss"),
    [
        ([0.1, 0.2, 0.3], 2 / 8, 8 / 8),
        ([-0.1, -0.2, -0.3], 2 / 8, 1 / 8),
        ([0.5, 0.25, -0.25], 6 / 8, 7 / 8),  # sums ±1, ±½ four times, 0 twice
        ([0.1, 0.2, -0.3], 1.0, 5 / 8),  # 0 on paper: ±0.6, ±0.4, ±0.2, 0 twice
        ([-0.1, -0.2, 0.3], 1.0, 5 / 8),
        ([-0.4, -0.4, -0.4, -0.2], 2 / 16, 1 / 16),  # summed in two orders, these are not equal but for rounding
        ([0.5], 1.0, 1.0),
        ([-0.5], 1.0, 0.5),
        ([0.0], 1.0, 1.0),
        ([], 1.0, 1.0),
    ],
)
def test_all_signs_of_few_differences_are_tried(differences: list[float], p: float, p_loss: float) -> None:
    a = [0.0] * len(differences) + [0.4, 0.6]
    b = [*differences, 0.4, 0.6]
    assert permutation(a, b) == pytest.approx(p)
    assert p_worse(a, b) == pytest.approx(p_loss)


def test_exact_permutations_agree_with_scipy() -> None:
    dice = np.random.default_rng(7)
    for _ in range(200):
        n = int(dice.integers(2, 9))
        # Coarse, so that sums coincide, in powers of two: SciPy takes sums for different that rounding has parted.
        a, b = np.add(dice.integers(0, 5, (2, n)) / 4, [[0], [1 / 1024]])
        assert permutation(a.tolist(), b.tolist()) == pytest.approx(scipy_permutation(a, b, "two-sided"))
        assert p_worse(a.tolist(), b.tolist()) == pytest.approx(scipy_permutation(a, b, "less"))


def test_random_permutations_come_near_all_of_them() -> None:
    dice = np.random.default_rng(8)
    for _ in range(8):
        a, b = np.add(dice.random((2, 13)), [[0.1], [0.0]])  # one more than are tried exactly
        assert permutation(a.tolist(), b.tolist()) == pytest.approx(scipy_permutation(a, b, "two-sided"), abs=0.02)
        assert p_worse(a.tolist(), b.tolist()) == pytest.approx(scipy_permutation(a, b, "less"), abs=0.02)


def scipy_permutation(a: np.ndarray, b: np.ndarray, alternative: str) -> float:
    def difference(x: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
        return np.mean(y - x, axis=axis)

    result = scipy.stats.permutation_test(
        (a, b), difference, permutation_type="samples", n_resamples=np.inf, alternative=alternative, vectorized=True
    )
    return float(result.pvalue)


def test_random_permutations_never_claim_the_impossible() -> None:
    # Twenty gains: 2 of 2²⁰ signs are as extreme, none is drawn, and the observed signs are counted.
    a, b = [0.0] * 20, [0.25] * 20
    assert permutation(a, b) == pytest.approx(1 / 10_001)
    assert p_worse(b, a) == pytest.approx(1 / 10_001)
    assert p_worse(a, b) == 1.0


@pytest.mark.parametrize("n", [10, 40])
def test_neither_of_two_runs_is_privileged(n: int) -> None:
    dice = np.random.default_rng(9)
    a, b = dice.random((2, n)).tolist()
    assert permutation(a, b) == permutation(b, a)


@pytest.mark.parametrize("values", [(0.0, 1.0), (0.0, 0.3, 0.5, 1.0)])
def test_equal_runs_are_seldom_called_worse(values: tuple[float, ...]) -> None:
    dice = random.Random(10)
    alarms = sum(p_worse(dice.choices(values, k=12), dice.choices(values, k=12)) <= 0.05 for _ in range(600))
    assert 0 < alarms / 600 <= 0.07


@pytest.mark.parametrize("test", [permutation, p_worse, mcnemar, paired_bootstrap])
def test_runs_are_paired(test: Callable[..., object]) -> None:
    with pytest.raises(ValueError, match="argument 2"):
        test([1.0, 0.0], [1.0])


def test_shuffled_items_give_the_same_figures_to_the_last_bit() -> None:
    dice = random.Random(11)
    items = [(dice.random(), dice.random()) for _ in range(101)]
    shuffled = dice.sample(items, len(items))
    (a, b), (c, d) = zip(*items, strict=True), zip(*shuffled, strict=True)
    assert share(a) == share(c)
    assert median(a) == median(c)
    assert bootstrap_interval(a) == bootstrap_interval(c)
    assert paired_bootstrap(a, b) == paired_bootstrap(c, d)
    assert permutation(a, b) == permutation(c, d)
    assert p_worse(a, b) == p_worse(c, d)


def test_holm_multiplies_the_smallest_most() -> None:
    # .005 · 4, .01 · 3, .03 · 2; .04 · 1 would overtake the one before it.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([0.6, 0.7]) == (1.0, 1.0)
    assert holm([0.03]) == (0.03,)
    assert holm([]) == ()


def test_holm_agrees_with_testing_every_family() -> None:
    """By the closure principle a hypothesis falls only if every family that it is in falls, here by Bonferroni."""
    dice = random.Random(12)
    for _ in range(200):
        ps = [round(dice.random() ** 3, 2) for _ in range(dice.randint(1, 6))]
        families = [f for size in range(1, len(ps) + 1) for f in itertools.combinations(range(len(ps)), size)]
        expected = [
            max(min(1.0, len(family) * min(ps[i] for i in family)) for family in families if place in family)
            for place in range(len(ps))
        ]
        assert holm(ps) == pytest.approx(expected)
