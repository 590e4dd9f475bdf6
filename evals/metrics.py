"""Metrics: pure functions from one question's texts, ids and ranges to a figure, layer by layer.

They know nothing of runs, models and files. A figure is from 0 to 1 unless its docstring says otherwise. What can't be
judged is a ValueError that says why, never a made-up score. The last section is about the answers of a whole run.
"""

from __future__ import annotations

import math
import re
import string
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence, Set
from dataclasses import dataclass
from itertools import accumulate, islice, pairwise

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike
from rouge_score.rouge_scorer import RougeScorer  # type: ignore[import-untyped]

from evals.gold import GoldQuestion, GoldSentence, Kind

_ROUGE = RougeScorer(["rougeL"], use_stemmer=True)
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


@dataclass(frozen=True, slots=True)
class Passage:
    """A range of an article's text: what was cited, or given as evidence."""

    article: str
    start: int
    end: int


# Retrieval: `ranked` holds article ids, best first, of which a repeated one counts where it first stands; `gold` holds
# the ids that should be among them. Each function raises ValueError if `gold` is empty.


def hit_at(ranked: Iterable[str], gold: Iterable[str], k: int) -> float:
    """1 if some gold article is among the first k."""
    return float(any(_first(ranked, _wanted(gold), k)))


def all_at(ranked: Iterable[str], gold: Iterable[str], k: int) -> float:
    """1 if every gold article is among the first k; 0 therefore if there are more than k."""
    wanted = _wanted(gold)
    return float(sum(_first(ranked, wanted, k)) == len(wanted))


def recall_at(ranked: Iterable[str], gold: Iterable[str], k: int) -> float:
    """Share of the gold articles among the first k, of as many as fit there: found / min(|gold|, k)."""
    wanted = _wanted(gold)
    return sum(_first(ranked, wanted, k)) / min(len(wanted), k)


def reciprocal_rank(ranked: Iterable[str], gold: Iterable[str], depth: int = 10) -> float:
    """1 / the rank of the first gold article, 0 if it is not among the first `depth`."""
    found = enumerate(_first(ranked, _wanted(gold), depth), start=1)
    return next((1.0 / rank for rank, is_gold in found if is_gold), 0.0)


def ndcg_at(ranked: Iterable[str], gold: Iterable[str], k: int) -> float:
    """Normalised discounted cumulative gain: Σ 1 / log₂(rank + 1) over the gold articles among the first k, by the
    same sum of the best ranking (Järvelin & Kekäläinen 2002, with gains of 0 and 1)."""
    wanted = _wanted(gold)
    return _discounted(_first(ranked, wanted, k)) / _discounted([True] * min(len(wanted), k))


def _first(ranked: Iterable[str], wanted: Set[str], k: int) -> list[bool]:
    """For each of the first k different ids, whether it is wanted."""
    return [article in wanted for article in islice(dict.fromkeys(ranked), k)]


def _wanted(gold: Iterable[str]) -> set[str]:
    wanted = set(gold)
    if not wanted:
        raise ValueError("the question has no gold articles")
    return wanted


def _discounted(gains: Iterable[bool]) -> float:
    return math.fsum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, start=1))


# Evidence, and citations against gold sentences.


def answer_in_evidence(texts: Collection[str], answers: Sequence[str], must: Sequence[Sequence[str]]) -> float:
    """1 if some text holds a gold answer (where there are any) and every must-have group is held by some text.

    Raises:
        ValueError: neither gold answers nor must-have groups.
    """
    if not (answers or must):
        raise ValueError("the question has neither gold answers nor must-have groups")
    return float(_hold(texts, answers, must))


def gold_recall(passages: Sequence[Passage], gold: Sequence[GoldSentence]) -> float:
    """Share of the gold sentences that some passage overlaps.

    Raises:
        ValueError: no gold sentences.
    """
    return _mean([any(_overlap(p, g) for p in passages) for g in gold], "the question has no gold sentences")


def gold_precision(passages: Sequence[Passage], gold: Sequence[GoldSentence]) -> float:
    """Share of the passages that overlap some gold sentence.

    Raises:
        ValueError: no gold sentences, or no passages.
    """
    if not gold:
        raise ValueError("the question has no gold sentences")
    return _mean([any(_overlap(p, g) for g in gold) for p in passages], "there are no passages")


def citation_exact(quote: str, text: str, start: int, end: int) -> float:
    """1 if the quotation is the article's `text[start:end]`, character by character."""
    # A negative offset would count from the end, and one past the end would be cut: both point nowhere.
    return float(0 <= start < end <= len(text) and text[start:end] == quote)


def _overlap(passage: Passage, gold: GoldSentence) -> bool:
    return passage.article == gold.article and passage.start < gold.end and gold.start < passage.end


def _mean(values: Sequence[bool], problem: str) -> float:
    if not values:
        raise ValueError(problem)
    return sum(values) / len(values)


# Answers.


def normalise(text: str) -> str:
    """Lower case, without a/an/the, every non-alphanumeric a space, spaces squeezed."""
    lowered = re.sub(r"\b(a|an|the)\b", " ", text.lower())
    return " ".join(re.sub(r"[^\w]|_", " ", lowered).split())


def contains(answer: str, gold: str) -> bool:
    """Whether `gold`, normalised, is a run of whole words in the normalised answer; no answer holds a gold answer
    that has no words then ("A", "…")."""
    wanted = normalise(gold)
    return bool(wanted) and f" {wanted} " in f" {normalise(answer)} "


def is_right(question: GoldQuestion, answer: str, declined: bool) -> bool:
    """Whether the answer holds what it must; declining is right where there is no answer to give."""
    if declined:
        return not question.answerable
    if question.kind is Kind.UNANSWERABLE:
        return False
    if not (question.answers or question.must):
        return False
    return _hold([answer], question.answers, question.must)


def must_have(answer: str, must: Sequence[Sequence[str]]) -> float:
    """Share of the must-have groups of which the answer holds an alternative.

    Raises:
        ValueError: no groups.
    """
    return _mean([_hold([answer], (), [group]) for group in must], "the question has no must-have groups")


def exact_match(answer: str, golds: Sequence[str]) -> float:
    """1 if the answer is one of the gold answers by SQuAD v1.1's rules (Rajpurkar et al. 2016, evaluate-v1.1.py).

    Raises:
        ValueError: no gold answers.
    """
    return _best(lambda gold: float(_squad_tokens(answer) == _squad_tokens(gold)), golds)


def f1(answer: str, golds: Sequence[str]) -> float:
    """Harmonic mean of precision and recall of the answer's words, against the gold answer that fits best, by SQuAD
    v1.1's rules.

    As there, an answer without words scores 0, even against a gold answer without words.

    Raises:
        ValueError: no gold answers.
    """
    return _best(lambda gold: _token_f1(Counter(_squad_tokens(answer)), Counter(_squad_tokens(gold))), golds)


def rouge_l(answer: str, reference: str) -> float:
    """F of the longest common subsequence of stemmed words (Lin 2004), by Google's `rouge-score`.

    Raises:
        ValueError: a reference without Latin letters or digits, the only ones of which it makes words.
    """
    if not re.search("[a-z0-9]", reference.lower()):
        raise ValueError("the reference answer has no words that ROUGE counts")
    return float(_ROUGE.score(reference, answer)["rougeL"].fmeasure)


def token_recall(answer: str, reference: str) -> float:
    """Share of the reference's words, normalised and counted as often as they stand there, that the answer holds.

    Raises:
        ValueError: a reference without words.
    """
    wanted = Counter(normalise(reference).split())
    if not wanted:
        raise ValueError("the reference answer has no words")
    return (wanted & Counter(normalise(answer).split())).total() / wanted.total()


def similarity(a: ArrayLike, b: ArrayLike) -> float:
    """Cosine (−1…1) of two vectors of shape (dimension,), which need not be unit vectors.

    Raises:
        ValueError: different shapes, or a vector of zeros, which has no direction.
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    norms = float(np.linalg.norm(first) * np.linalg.norm(second))
    if norms == 0.0:
        raise ValueError("a vector of zeros has no direction")
    return float(np.clip(first @ second / norms, -1.0, 1.0))


def _hold(texts: Collection[str], answers: Sequence[str], must: Sequence[Sequence[str]]) -> bool:
    groups = [answers, *must] if answers else must
    return all(any(contains(text, gold) for text in texts for gold in group) for group in groups)


def _best(score: Callable[[str], float], golds: Sequence[str]) -> float:
    if not golds:
        raise ValueError("the question has no gold answers")
    return max(score(gold) for gold in golds)


def _squad_tokens(text: str) -> list[str]:
    """Not `normalise`: SQuAD deletes punctuation, and only ASCII's, before it drops articles ("U.S." is "us")."""
    return re.sub(r"\b(a|an|the)\b", " ", text.lower().translate(_NO_PUNCTUATION)).split()


def _token_f1(answer: Counter[str], gold: Counter[str]) -> float:
    same = (answer & gold).total()
    return 2 * same / (answer.total() + gold.total()) if same else 0.0


# Two kinds of scores


def area_under_roc(scores: npt.NDArray[np.float64], positive: npt.NDArray[np.bool_]) -> float:
    """Probability that a positive one has the higher score; ties count half. Half where all are of one kind."""
    if positive.all() or not positive.any():
        return 0.5
    above = scores[positive][:, None] - scores[~positive][None, :]
    return float(np.mean((above > 0) + 0.5 * (above == 0)))


# A run: `confidences` (0…1) and `right` (0…1, mostly 0 or 1) of all its answers, in the same order.


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """What declining below a confidence costs and saves, one step for each different confidence, the surest first.

    If only the answers of a step and those before it were given, that would be a share `coverage` of all, and a
    share `risk` of them would be wrong. `area` is the mean risk over all coverages: lower is better.
    """

    coverage: tuple[float, ...]
    risk: tuple[float, ...]
    area: float


def risk_coverage(confidences: Sequence[float], right: Sequence[float]) -> RiskCoverage:
    """The risk–coverage curve (El-Yaniv & Wiener 2010; Geifman & El-Yaniv 2017), and the area under it.

    area = Σⱼ (coverageⱼ − coverageⱼ₋₁) · riskⱼ, which is AURC, (1/n) Σᵢ riskᵢ (Geifman, Uziel & El-Yaniv 2019), where
    no two confidences are equal. Equal ones are one step, because no threshold can part them. nan without answers.

    Raises:
        ValueError: the two differ in length.
    """
    answers = sorted(zip(confidences, right, strict=True), reverse=True)
    n = len(answers)
    if n == 0:
        return RiskCoverage((), (), math.nan)
    wrong = list(accumulate(1.0 - value for _, value in answers))
    steps = [i for i in range(1, n + 1) if i == n or answers[i][0] < answers[i - 1][0]]  # how many are given
    risk = tuple(wrong[i - 1] / i for i in steps)
    widths = [(i - before) / n for before, i in pairwise([0, *steps])]
    area = math.fsum(width * height for width, height in zip(widths, risk, strict=True))
    return RiskCoverage(tuple(i / n for i in steps), risk, area)


@dataclass(frozen=True, slots=True)
class Bin:
    """The n answers of a confidence from `low` up to `high`: their mean confidence, and the share that is right."""

    low: float
    high: float
    n: int
    confidence: float
    right: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """The bins that hold answers, lowest first, and the calibration error over all: lower is better."""

    bins: tuple[Bin, ...]
    error: float


def calibration(confidences: Sequence[float], right: Sequence[float], bins: int = 10) -> Calibration:
    """Expected calibration error over bins of equal width (Naeini, Cooper & Hauskrecht 2015).

    error = Σ (n of the bin / n) · |share right − mean confidence|; a bin holds its lower edge, the last one 1.0 too.
    nan without answers.

    Raises:
        ValueError: the two differ in length.
    """
    edges = [i / bins for i in range(bins + 1)]
    held: list[list[tuple[float, float]]] = [[] for _ in range(bins)]
    for answer in zip(confidences, right, strict=True):
        held[bisect_right(edges[1:-1], answer[0])].append(answer)
    filled = tuple(_bin(edges[i], edges[i + 1], answers) for i, answers in enumerate(held) if answers)
    if not filled:
        return Calibration((), math.nan)
    error = math.fsum(each.n * abs(each.right - each.confidence) for each in filled) / len(confidences)
    return Calibration(filled, error)


def _bin(low: float, high: float, answers: Sequence[tuple[float, float]]) -> Bin:
    n = len(answers)
    confidence, right = (math.fsum(column) / n for column in zip(*answers, strict=True))
    return Bin(low, high, n, confidence, right)
