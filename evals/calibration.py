"""Fits the small models that decide in `rag`, from rows of features that are kept in the repository.

    python -m evals.calibration support
    python -m evals.calibration declining

read evals/calibration/support.csv or declining.csv, fit, and print the constants of rag/support.py or rag/decline.py.
Where DATELINE_BENCHMARKS names the benchmark sets, the rows are made anew first, from tuning halves alone. The
rows hold no text and no id. evals/calibration/read.csv are 80 of the news-2024 rows with a reader's verdict in place of
the label (docs/benchmarks.md); evals/calibration/sentences.csv are 109 sentences of answers with readers' verdicts and
the share of what they take over from the question that stood in quotations and titles when they were read;
evals/calibration/asked.csv are 99 others with the share of what is asked that stood there, and whether two things are
asked. Tests hold thresholds of rag/decline.py and rag/support.py against them.
"""

from __future__ import annotations

import csv
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from evals.benchmark_sets import VARIABLE, Claim, Half, benchmarks_folder, corpus_tasks, pick, wice_claims
from evals.metrics import area_under_roc
from evals.run import indexed
from index.errors import DatelineError, GoldError
from index.relevance import bundled
from index.search import Index
from index.settings import Settings, load_settings
from index.splitting import sentence_texts
from rag import decline, evidence
from rag.features import FEATURES, features, read_claim, share_held
from rag.models.tokens import count_o200k

SUPPORT_ROWS = Path(__file__).parent / "calibration" / "support.csv"
DECLINING_ROWS = SUPPORT_ROWS.with_name("declining.csv")
READ_ROWS = SUPPORT_ROWS.with_name("read.csv")
SENTENCE_ROWS = SUPPORT_ROWS.with_name("sentences.csv")
ASKED_ROWS = SUPPORT_ROWS.with_name("asked.csv")
DECLINING_SETS = ("clapnq", "news-2024")

LABELS = ("supported", "partially_supported", "not_supported")
_HELD = "held"  # share of the claim's terms in the best three sentences: tells partial from unsupported
_COLUMNS = ("set", "label", *FEATURES, _HELD)
_DECLINING = ("set", "answerable", "best", "sentences")
_DIGITS = 4

_RIDGE = 2.0  # of the squared weights of standardised features
_STEPS = 20  # of Newton's method; it settles in six
_FOLDS, _REPEATS = 5, 20
_THRESHOLDS = np.round(np.arange(0.2, 0.8, 0.01), 2)
_WANTED_F1, _WANTED_ACCURACY = 0.62, 0.78  # the threshold is chosen for whichever of them is further off

Floats = npt.NDArray[np.float64]
_Kept = TypeVar("_Kept")


@dataclass(frozen=True, slots=True)
class Row:
    """A claim as its features, `held` among them, and its label."""

    name: str
    label: str
    values: Mapping[str, float]


@dataclass(frozen=True)
class Fit:
    """A logistic regression on features as they are, its two thresholds, and its figures in cross-validation.

    A claim is supported from `supported` on, by its probability; otherwise it is partial from `partial` on, by the
    share of its terms that is held.
    """

    intercept: float
    weights: Mapping[str, float]
    supported: float
    partial: float
    f1: float
    accuracy: float
    auc: float


def page_sentences(claim: Claim) -> list[str]:
    """The sentences of the page that a claim cites."""
    return sentence_texts(claim.page.text)


def support_rows(folder: Path) -> list[Row]:
    """The claims of WiCE's tuning half as rows, in the order of their values, so that nothing tells which is which.

    Raises:
        GoldError: the set can't be read.
    """
    rows = []
    for claim in pick(wice_claims(folder / "wice").claims, Half.TUNE):
        read, evidence = read_claim(claim.text), page_sentences(claim)
        values = {**features(read, evidence), _HELD: share_held(read.terms, evidence)}
        label = LABELS[0] if claim.supported else LABELS[1] if claim.partly else LABELS[2]
        rows.append(Row("wice", label, {name: round(value, _DIGITS) for name, value in values.items()}))
    return sorted(rows, key=lambda row: (row.label, *row.values.values()))


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    _write(path, _COLUMNS, ((row.name, row.label, *(row.values[name] for name in _COLUMNS[2:])) for row in rows))


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([columns, *rows])


def read_rows(path: Path) -> list[Row]:
    """Raises `GoldError` for a file that is not there or has other columns or values than it should."""
    rows = _read(path, _COLUMNS, lambda r: Row(r["set"], r["label"], {name: float(r[name]) for name in _COLUMNS[2:]}))
    if unknown := {row.label for row in rows} - set(LABELS):
        raise GoldError(f"{path} has the labels {', '.join(sorted(unknown))}; known are {', '.join(LABELS)}.")
    return rows


def _read(path: Path, columns: Sequence[str], converted: Callable[[dict[str, str]], _Kept]) -> list[_Kept]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            if tuple(reader.fieldnames or ()) != tuple(columns):
                raise GoldError(f"{path} has the columns {reader.fieldnames}; it should have {', '.join(columns)}.")
            return [converted(each) for each in reader]
    except (OSError, UnicodeDecodeError, ValueError, TypeError, csv.Error) as error:
        raise GoldError(f"{path} can't be read: {error}. Take it from the repository again.") from error


def fit_support(rows: Sequence[Row]) -> Fit:
    """Fit the weights on all rows; choose the thresholds by what cross-validation says of rows that were left out."""
    values = np.array([[row.values[name] for name in FEATURES] for row in rows])
    is_supported = np.array([row.label == LABELS[0] for row in rows])
    left_out = _left_out(values, is_supported)
    marks = [np.mean([_f1_and_accuracy(p >= t, is_supported) for p in left_out], axis=0) for t in _THRESHOLDS]
    best = int(np.argmax([min(f1 / _WANTED_F1, accuracy / _WANTED_ACCURACY) for f1, accuracy in marks]))
    intercept, weights = _raw(values, is_supported)
    return Fit(
        intercept=round(intercept, _DIGITS),
        weights={name: round(float(weight), _DIGITS) for name, weight in zip(FEATURES, weights, strict=True)},
        supported=float(_THRESHOLDS[best]),
        partial=_partial_threshold(rows),
        f1=float(marks[best][0]),
        accuracy=float(marks[best][1]),
        auc=float(np.mean([area_under_roc(p, is_supported) for p in left_out])),
    )


def _partial_threshold(rows: Sequence[Row]) -> float:
    """Where partial and unsupported claims are told apart best, the two counted alike."""
    held = {label: np.array([row.values[_HELD] for row in rows if row.label == label]) for label in LABELS[1:]}
    right = [np.mean(held[LABELS[1]] >= t) + np.mean(held[LABELS[2]] < t) for t in _THRESHOLDS]
    return float(_THRESHOLDS[int(np.argmax(right))])


def _left_out(values: Floats, positive: npt.NDArray[np.bool_]) -> list[Floats]:
    """The probability of each row by a model that has not seen it, once a repeat."""
    random = np.random.default_rng(0)
    repeats = []
    for _ in range(_REPEATS):
        fold = np.zeros(len(values), int)
        for label in (False, True):
            fold[random.permutation(np.flatnonzero(positive == label))] = np.arange(np.sum(positive == label)) % _FOLDS
        probabilities = np.zeros(len(values))
        for n in range(_FOLDS):
            intercept, weights = _raw(values[fold != n], positive[fold != n])
            probabilities[fold == n] = _logistic(intercept + values[fold == n] @ weights)
        repeats.append(probabilities)
    return repeats


def _raw(values: Floats, positive: npt.NDArray[np.bool_], counted: Floats | float = 1.0) -> tuple[float, Floats]:
    """Intercept and weights of a ridge-penalised logistic regression, by Newton's method on standardised features.

    Args:
        counted: as how many rows each row counts.
    """
    mean, scale = values.mean(axis=0), values.std(axis=0) + 1e-9
    design = np.column_stack([np.ones(len(values)), (values - mean) / scale])
    penalty = np.diag([0.0, *[_RIDGE] * values.shape[1]])
    found = np.zeros(design.shape[1])
    for _ in range(_STEPS):
        p = _logistic(design @ found)
        slope = design.T @ (counted * (p - positive)) + penalty @ found
        found -= np.linalg.solve((design * (counted * p * (1 - p))[:, None]).T @ design + penalty, slope)
    weights = found[1:] / scale
    return float(found[0] - weights @ mean), weights


def _logistic(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-x)))


def _f1_and_accuracy(called: npt.NDArray[np.bool_], positive: npt.NDArray[np.bool_]) -> tuple[float, float]:
    both = float(np.sum(called & positive))
    return 2 * both / max(1.0, float(np.sum(called) + np.sum(positive))), float(np.mean(called == positive))


def _tell(rows: Sequence[Row], fit: Fit) -> str:
    weights = ", ".join(f'"{name}": {weight}' for name, weight in fit.weights.items())
    return "\n".join(
        (
            f"INTERCEPT = {fit.intercept}",
            f"WEIGHTS = {{{weights}}}",
            f"SUPPORTED = {fit.supported}",
            f"PARTIAL = {fit.partial}",
            f"# {len(rows)} rows; {_FOLDS}-fold cross-validation, {_REPEATS} times: F1 {fit.f1:.3f}, "
            f"accuracy {fit.accuracy:.3f}, area under the ROC curve {fit.auc:.3f}",
        )
    )


# Declining


def declining_rows(folder: Path, settings: Settings) -> list[tuple[str, int, float, float]]:
    """Set, whether it is answerable, and the two relevances of `rag.decline.relevances`, of each question to tune on.

    Raises:
        GoldError, ReadError: a set can't be read.
    """
    rows, score = [], bundled().scores
    for name in DECLINING_SETS:
        tasks = corpus_tasks(folder / name).tasks
        home = indexed(folder / name / "articles.jsonl", settings)
        with Index.open(replace(settings, home=home)) as index:
            for task in tasks if name.startswith("news") else pick(tasks, Half.TUNE):
                question, asked = task.question.question, task.question.asked
                hits = index.search(question, evidence.HITS, asked=asked)
                vector = index.embedder.query(question)
                found = evidence.select(question, vector, hits, index, count_o200k, settings.evidence_tokens)
                relevance = score(question, [sentence.text for sentence in found])
                best, sentences = decline.relevances(question, found, relevance, score)
                rows.append((name, int(task.question.answerable), round(best, 2), round(sentences, 2)))
    return sorted(rows)


def fit_declining(path: Path) -> tuple[float, float, float]:
    """Offset and weights of the two relevances; each set and each kind of question counts the same.

    Raises:
        GoldError: the file is not there, or has other columns or values than it should.
    """
    rows = _read(path, _DECLINING, lambda r: (r["set"], r["answerable"], float(r["best"]), float(r["sentences"])))
    if {answerable for _, answerable, _, _ in rows} != {"0", "1"}:
        raise GoldError(f"{path} should have rows that are answerable (1) and rows that are not (0), and no others.")
    counts = Counter((name, answerable) for name, answerable, _, _ in rows)
    counted = np.array([len(rows) / len(counts) / counts[name, answerable] for name, answerable, _, _ in rows])
    values = np.array([relevances for _, _, *relevances in rows])
    offset, (best, sentences) = _raw(values, np.array([answerable == "1" for _, answerable, _, _ in rows]), counted)
    return round(offset, _DIGITS), round(float(best), _DIGITS), round(float(sentences), _DIGITS)


def main(arguments: Sequence[str], environ: Mapping[str, str] = os.environ) -> int:
    try:
        if list(arguments) == ["support"]:
            if environ.get(VARIABLE):
                write_rows(SUPPORT_ROWS, support_rows(benchmarks_folder(environ, ["wice"])))
            rows = read_rows(SUPPORT_ROWS)
            print(_tell(rows, fit_support(rows)))
        elif list(arguments) == ["declining"]:
            if environ.get(VARIABLE):
                found = declining_rows(benchmarks_folder(environ, DECLINING_SETS), load_settings())
                _write(DECLINING_ROWS, _DECLINING, found)
            print("OFFSET, BEST, SENTENCES = {}, {}, {}".format(*fit_declining(DECLINING_ROWS)))
        else:
            print("What should be fitted? Known are: support, declining", file=sys.stderr)
            return 2
    except DatelineError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
