"""Figures from answers and gold: pure functions, each over one question, and the mean with its interval."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from evals.gold import GoldQuestion, GoldSentence, Kind

_Z95 = 1.959964


@dataclass(frozen=True, slots=True)
class Passage:
    """A range of an article's text: what was cited, or given as evidence."""

    article: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Share:
    """A share of n questions with its 95% interval (Wilson's for counts, normal otherwise)."""

    value: float
    n: int
    low: float
    high: float


def normalise(text: str) -> str:
    """Lower case, without a/an/the, every non-alphanumeric a space, spaces squeezed."""
    lowered = re.sub(r"\b(a|an|the)\b", " ", text.lower())
    return " ".join(re.sub(r"[^\w]|_", " ", lowered).split())


def contains(answer: str, gold: str) -> bool:
    """Whether `gold`, normalised, is a run of whole words in the normalised answer."""
    return f" {normalise(gold)} " in f" {normalise(answer)} "


def is_right(question: GoldQuestion, answer: str, declined: bool) -> bool:
    """Whether the answer holds what it must; declining is right where there is no answer to give."""
    if declined:
        return not question.answerable
    if question.kind is Kind.UNANSWERABLE:
        return False
    if not (question.answers or question.must):
        return False
    any_answer = not question.answers or any(contains(answer, gold) for gold in question.answers)
    return any_answer and all(any(contains(answer, gold) for gold in group) for group in question.must)


def reciprocal_rank(ranked: Sequence[str], gold: Iterable[str], depth: int = 10) -> float:
    """1 / the rank of the first gold article, 0 if it is not among the first `depth`."""
    wanted = set(gold)
    return next((1.0 / rank for rank, article in enumerate(ranked[:depth], start=1) if article in wanted), 0.0)


def hit_at(ranked: Sequence[str], gold: Iterable[str], k: int) -> float:
    """1 if some gold article is among the first k."""
    return float(bool(set(ranked[:k]) & set(gold)))


def gold_recall(passages: Sequence[Passage], gold: Sequence[GoldSentence]) -> float:
    """Share of the gold sentences that some passage overlaps."""
    return sum(any(_overlap(p, g) for p in passages) for g in gold) / len(gold)


def gold_precision(passages: Sequence[Passage], gold: Sequence[GoldSentence]) -> float:
    """Share of the passages that overlap some gold sentence."""
    return sum(any(_overlap(p, g) for g in gold) for p in passages) / len(passages)


def share(values: Sequence[float]) -> Share:
    """The mean of values from 0 to 1 with its 95% interval; nan for none."""
    n = len(values)
    if n == 0:
        return Share(math.nan, 0, math.nan, math.nan)
    mean = sum(values) / n
    if all(value in (0.0, 1.0) for value in values):  # Wilson 1927
        centre = (mean + _Z95**2 / (2 * n)) / (1 + _Z95**2 / n)
        half = _Z95 / (1 + _Z95**2 / n) * math.sqrt(mean * (1 - mean) / n + _Z95**2 / (4 * n**2))
        return Share(mean, n, max(0.0, centre - half), min(1.0, centre + half))
    variance = sum((value - mean) ** 2 for value in values) / max(1, n - 1)
    half = _Z95 * math.sqrt(variance / n)
    return Share(mean, n, max(0.0, mean - half), min(1.0, mean + half))


def median(values: Sequence[float]) -> float:
    """The middle value; nan for none."""
    ordered = sorted(values)
    if not ordered:
        return math.nan
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _overlap(passage: Passage, gold: GoldSentence) -> bool:
    return passage.article == gold.article and passage.start < gold.end and gold.start < passage.end
