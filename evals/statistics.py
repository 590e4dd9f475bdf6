"""How sure a figure is, and whether two runs differ: intervals, paired tests, correction for many tests.

Knows lists of numbers and nothing of questions or runs. Nothing here depends on the order of the items, and random
numbers come from a seed, so the same values give the same figures. Fewer values than a figure needs give nan, and a
test without a difference to go by gives p = 1.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_Z95 = 1.959964
_ROUNDS = 10_000
_EXACT_UP_TO = 12  # differences: 2¹² ways to set their signs take a millisecond
_ROUNDING = 1e-9  # of the largest sum there can be: sums that are equal on paper count as equal


@dataclass(frozen=True, slots=True)
class Share:
    """A share of n questions with its 95% interval (Wilson's for counts, normal otherwise)."""

    value: float
    n: int
    low: float
    high: float


def share(values: Sequence[float]) -> Share:
    """The mean of values from 0 to 1 with its 95% interval; nan for none.

    Wilson's interval (1927) where every value is 0 or 1; otherwise the normal one, cut to 0…1, which for a single
    value is all of it.
    """
    n = len(values)
    if n == 0:
        return Share(math.nan, 0, math.nan, math.nan)
    mean = math.fsum(values) / n
    if zero_one(values):
        centre = (mean + _Z95**2 / (2 * n)) / (1 + _Z95**2 / n)
        half = _Z95 / (1 + _Z95**2 / n) * math.sqrt(mean * (1 - mean) / n + _Z95**2 / (4 * n**2))
        return Share(mean, n, max(0.0, centre - half), min(1.0, centre + half))
    variance = math.fsum((value - mean) ** 2 for value in values) / (n - 1) if n > 1 else math.inf
    half = _Z95 * math.sqrt(variance / n)
    return Share(mean, n, max(0.0, mean - half), min(1.0, mean + half))


def zero_one(values: Iterable[float]) -> bool:
    """Whether every value is 0 or 1, so that they can be counted."""
    return all(value in (0.0, 1.0) for value in values)


def median(values: Sequence[float]) -> float:
    """The middle value; nan for none."""
    return percentile(values, 50)


def percentile(values: Sequence[float], q: float) -> float:
    """The value below which q per cent (0…100) of the values lie, interpolated linearly; nan for none."""
    return float(np.percentile(values, q)) if len(values) else math.nan


def bootstrap_interval(values: Sequence[float], seed: int = 0, resamples: int = 2000) -> tuple[float, float]:
    """The 95% percentile bootstrap interval (low, high) of the mean (Efron & Tibshirani 1993, chapter 13).

    nan for fewer than two values: one says nothing about how far others lie from it.
    """
    n = len(values)
    if n < 2:
        return math.nan, math.nan
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    random = np.random.default_rng(seed)
    means = [ordered[random.integers(0, n, n)].mean() for _ in range(resamples)]
    return percentile(means, 2.5), percentile(means, 97.5)


def paired_bootstrap(a: Sequence[float], b: Sequence[float], seed: int = 0) -> tuple[float, float]:
    """The 95% bootstrap interval (low, high) of the mean of b − a, where a[i] and b[i] are of the same question.

    Raises:
        ValueError: a and b differ in length.
    """
    return bootstrap_interval(_differences(a, b), seed)


def mcnemar(a: Sequence[float], b: Sequence[float]) -> float:
    """The two-sided p of paired values of 0 and 1: McNemar's test (1947) by the exact binomial distribution.

    Of the questions where a and b differ, how probable is it that one wins at least as often as seen if both are
    equally good?

    Raises:
        ValueError: a and b differ in length, or hold other values than 0 and 1.
    """
    gains, losses = _gains_and_losses(a, b)
    return min(1.0, 2 * _at_least(max(gains, losses), gains + losses))


def permutation(a: Sequence[float], b: Sequence[float], seed: int = 0, rounds: int = _ROUNDS) -> float:
    """The two-sided p of paired values: Fisher's randomisation test (1935) of the mean difference, by flipping signs.

    If a and b were equally good, each difference could as well have had the other sign. Up to 12 differences that
    are not zero, all signs are tried; from there on `rounds` random ones, the observed signs counting as one more
    (Phipson & Smyth 2010). Smucker, Allan & Carterette (2007) compare it with other tests of retrieval.

    Raises:
        ValueError: a and b differ in length.
    """
    observed, sums = _sign_flips(_differences(a, b), seed, rounds)
    return float(np.mean(np.abs(sums) >= abs(observed) - _ROUNDING))


def p_worse(a: Sequence[float], b: Sequence[float], seed: int = 0) -> float:
    """The one-sided p that b is worse than a: how probable so large a loss is if both are equally good.

    Worse means lower; where lower is better, ask for `p_worse(b, a)`. McNemar's exact test where all values are 0 or
    1, sign flips as in `permutation` otherwise.

    Raises:
        ValueError: a and b differ in length.
    """
    if zero_one(itertools.chain(a, b)):
        gains, losses = _gains_and_losses(a, b)
        return _at_least(losses, gains + losses)
    observed, sums = _sign_flips(_differences(a, b), seed, _ROUNDS)
    return float(np.mean(sums <= observed + _ROUNDING))


def holm(ps: Sequence[float]) -> tuple[float, ...]:
    """The ps, in their order, adjusted for being many (Holm 1979).

    Calling those below 0.05 different is then wrong about any of them in at most 5% of all families of tests.
    """
    adjusted = [0.0] * len(ps)
    highest = 0.0
    for rank, place in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        highest = max(highest, min(1.0, (len(ps) - rank) * ps[place]))
        adjusted[place] = highest
    return tuple(adjusted)


def _differences(a: Sequence[float], b: Sequence[float]) -> list[float]:
    return [after - before for before, after in zip(a, b, strict=True)]


def _gains_and_losses(a: Sequence[float], b: Sequence[float]) -> tuple[int, int]:
    if not zero_one(itertools.chain(a, b)):
        raise ValueError("McNemar's test is for values of 0 and 1")
    differences = _differences(a, b)
    return differences.count(1.0), differences.count(-1.0)


def _at_least(wins: int, n: int) -> float:
    """The probability of at least so many wins in n tosses of a coin; whole numbers up to the last division."""
    ways = total = math.comb(n, wins)
    for k in range(wins, n):
        ways = ways * (n - k) // (k + 1)  # from C(n, k) to C(n, k + 1)
        total += ways
    return total / (1 << n)


def _sign_flips(differences: Sequence[float], seed: int, rounds: int) -> tuple[float, NDArray[np.float64]]:
    """The sum of the differences, and the sums that other signs would have given, the observed one among them.

    Both as parts of the largest sum there can be, that of all sizes.
    """
    sizes = sorted(abs(difference) for difference in differences if difference)
    largest = math.fsum(sizes) or 1.0
    observed = math.fsum(differences) / largest
    if len(sizes) <= _EXACT_UP_TO:
        sums = np.zeros(1)
        for size in sizes:
            sums = np.concatenate((sums - size, sums + size))
        return observed, sums / largest
    random = np.random.default_rng(seed)
    sums = np.zeros(rounds)
    for size in sizes:
        sums += size * random.choice((-1.0, 1.0), rounds)
    return observed, np.append(sums / largest, observed)
