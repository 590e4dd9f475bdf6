"""The pictures of a report: which numbers of a record go into which plot, and in words what there is too little of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from evals.markup import none, row, section, table, text
from evals.metrics import calibration, recall_at, risk_coverage
from evals.plots import calibration_plot, depth_plot, risk_coverage_plot, share_bar, swatch, time_band
from evals.record import Item, Record
from evals.statistics import median, percentile, share
from evals.wording import amount, duration, interval, percent

_FEWEST = 10  # answers; below that a curve shows chance and nothing else
_DEPTH = 10


def plots_html(record: Record) -> str:
    """Everything that is drawn."""
    confidences, right = _confidences(record.items)
    curves = _confidence_curves(confidences, right) if len(confidences) >= _FEWEST else _too_few(len(confidences))
    kinds = _by_group("By kind", record.items, lambda item: [item.kind])
    tags = _by_group("By tag", record.items, lambda item: item.tags)
    drawn = f'<div class="plots">{curves}{_recall(record.items)}</div>{_times(record.items)}'
    return section("plots", "In pictures", f'{drawn}<div class="pair">{kinds}{tags}</div>')


def _confidences(items: Iterable[Item]) -> tuple[list[float], list[float]]:
    """Confidence and right of every answer that was given: a declined question has no answer to be confident of."""
    pairs = [
        (float(item.answer["confidence"]), item.scores["right"])
        for item in items
        if item.answer is not None and not item.answer["declined"] and "right" in item.scores
    ]
    return [confidence for confidence, _ in pairs], [right for _, right in pairs]


def _confidence_curves(confidences: Sequence[float], right: Sequence[float]) -> str:
    curve, found = risk_coverage(confidences, right), calibration(confidences, right)
    n = amount(len(confidences), "answer")
    return _figure(
        "Risk and coverage",
        risk_coverage_plot(curve),
        "How many answers are wrong if only the most confident are kept: the more the line rises to the right, the "
        f"more the confidence is worth. Area under it {curve.area:.2f}, lower is better; {n}.",
    ) + _figure(
        "Calibration",
        calibration_plot(found),
        "How many answers are right by their confidence, with 95% intervals. On the dashed line, confidence can be "
        f"taken at its word. Expected calibration error {found.error:.2f}; {n}.",
    )


def _too_few(n: int) -> str:
    why = none(
        f"{amount(n, 'answer')} with a confidence that can be judged: below {_FEWEST}, a curve shows only chance."
    )
    return _figure("Risk and coverage", why) + _figure("Calibration", why)


def _recall(items: Iterable[Item]) -> str:
    title = "Recall by depth"
    asked = [([hit["article"] for hit in i.hits], i.gold_articles) for i in items if i.answer and i.gold_articles]
    if not asked:
        return _figure(title, none("No question that was asked names the articles that it should find."))
    points = [(k, share([recall_at(ranked, gold, k) for ranked, gold in asked])) for k in range(1, _DEPTH + 1)]
    return _figure(
        title,
        depth_plot(points),
        "How many of the gold articles are among the first articles found, of as many as fit there, with 95% "
        f"intervals; {amount(len(asked), 'question')}.",
    )


def _times(items: Iterable[Item]) -> str:
    title = "Time by step"
    timings = [item.answer["timings"] for item in items if item.answer is not None]
    if not timings:
        return _figure(title, none("Nothing was answered."))
    written = [each for each in timings if each["first_word_ms"] is not None]
    steps = {
        "retrieve": [each["retrieve_ms"] for each in timings],
        "choose the evidence": [each["evidence_ms"] - each["retrieve_ms"] for each in timings],
        "until the first word": [each["first_word_ms"] - each["evidence_ms"] for each in written],
        "write the rest": [each["total_ms"] - each["first_word_ms"] for each in written],
    }
    whole = [each["total_ms"] for each in timings]
    rows = "".join(_time_row(f"{swatch(n)}{label}", steps[label]) for n, label in enumerate(steps))
    rows += _time_row("the whole answer", whole, kind="sum")
    return _figure(
        title,
        time_band([(label, median(took)) for label, took in steps.items() if took], percentile(whole, 95))
        + table("times", ["step", "median", "95th percentile", "n"], rows),
        "The median of each step, one after the other; the thin line ends at the 95th percentile of the whole. Medians "
        "of steps need not add up to the median of the whole.",
    )


def _time_row(label: str, took: Sequence[float], kind: str = "") -> str:
    return row(label, duration(median(took)), duration(percentile(took, 95)), len(took), kind=kind)


def _by_group(title: str, items: Iterable[Item], groups: Callable[[Item], Iterable[str]]) -> str:
    """How many are right of each group that an item is in, the largest first."""
    right: dict[str, list[float]] = {}
    for item in items:
        for group in groups(item) if "right" in item.scores else ():
            right.setdefault(group, []).append(item.scores["right"])
    if not right:
        return _figure(title, none("No question that was judged has one."))
    found = {name: share(right[name]) for name in sorted(right, key=lambda name: (-len(right[name]), name))}
    rows = "".join(row(text(k), percent(v.value), share_bar(v), interval(v), v.n) for k, v in found.items())
    return _figure(title, table("groups", ["", "right", "", "95% interval", "n"], rows))


def _figure(title: str, drawn: str, caption: str = "") -> str:
    words = f"<figcaption>{caption}</figcaption>" if caption else ""
    return f"<figure><h3>{title}</h3>{drawn}{words}</figure>"
