"""The gate for CI: does a run do worse than its baseline, where does that begin, and on which questions?

It fails on what is exact (a citation that is not the article's text, an error, a question that is missing) and on what
is statistically supported, and on nothing else: a single question that went wrong is no regression. Time is not gated,
because machines differ, and neither is a judge's opinion.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evals.compare import ALPHA, adjusted, changed, paired, scores_of
from evals.record import Item, Record
from evals.scoring import METRICS
from evals.statistics import p_worse

# One or two a layer, so that correcting for their number leaves small samples something to show.
GATED = (
    "standalone_f1", "mrr@10", "evidence_recall", "declined", "false_refusal", "right", "citation_recall", "supported",
)  # fmt: skip
# In which order a fault spreads: the first layer that lost is where it began. Whoever declines everything also gets
# nothing right, so declining stands before the answer.
_FLOW = ("run", "error", "conversation", "retrieval", "evidence", "declining", "answer", "citations")


@dataclass(frozen=True, slots=True)
class Regression:
    """Something that got worse: which metric of which layer, from what to what, and on which items.

    `p` is one-sided and adjusted for the number of metrics (`compare.adjusted`); None for what is exact.
    """

    metric: str
    layer: str
    baseline: float
    candidate: float
    p: float | None
    items: tuple[str, ...]


@dataclass(frozen=True)
class Gate:
    """The decision over n questions, with the regressions in the order in which faults spread.

    `unseen` are gated metrics of which even a total loss could not be shown, because too few of the baseline's
    questions were answered well enough to lose anything.
    """

    baseline: str
    candidate: str
    n: int
    regressions: tuple[Regression, ...]
    unseen: tuple[str, ...]
    changed: dict[str, tuple[str, str]]

    @property
    def passed(self) -> bool:
        return not self.regressions

    @property
    def layer(self) -> str | None:
        """Where the regression begins; None if there is none."""
        return self.regressions[0].layer if self.regressions else None


def gate(baseline: Record, candidate: Record) -> Gate:
    """Whether the candidate may pass, compared question by question with the baseline."""
    pairs = paired(baseline, candidate)
    lost, unseen = _lost(pairs)
    found = [*_missing(baseline, pairs), *_errors(candidate), *_inexact(candidate), *lost]
    found.sort(key=lambda regression: _FLOW.index(regression.layer))
    return Gate(baseline.name, candidate.name, len(pairs), tuple(found), unseen, changed(baseline, candidate))


def to_text(decision: Gate) -> str:
    """The decision for a terminal."""
    lines = [f"baseline  {decision.baseline}", f"candidate {decision.candidate}", ""]
    if decision.passed:
        lines.append(f"Passed: no supported regression in {', '.join(GATED)} at n = {decision.n}.")
    else:
        lines.append(f"Failed at n = {decision.n}; it begins at: {decision.layer}.")
        lines += [line for regression in decision.regressions for line in _regression_lines(regression)]
        lines += [f"  changed {name}: {x or '–'} → {y or '–'}" for name, (x, y) in decision.changed.items()]
    if decision.unseen:
        lines.append(f"Too few questions to see a loss of: {', '.join(decision.unseen)}. A larger baseline would.")
    return "\n".join(lines)


def to_json(decision: Gate) -> dict[str, Any]:
    """The decision as one object."""
    return {
        "passed": decision.passed,
        "layer": decision.layer,
        "baseline": decision.baseline,
        "candidate": decision.candidate,
        "n": decision.n,
        "regressions": [
            {"metric": r.metric, "layer": r.layer, "baseline": round(r.baseline, 4), "candidate": round(r.candidate, 4),
             "p": None if r.p is None else round(r.p, 6), "items": list(r.items)}
            for r in decision.regressions
        ],
        "unseen": list(decision.unseen),
        "changed": {name: list(values) for name, values in decision.changed.items()},
    }  # fmt: skip


def _missing(baseline: Record, pairs: Sequence[tuple[Item, Item]]) -> list[Regression]:
    kept = {item.id for item, _ in pairs}
    gone = tuple(sorted(item.id for item in baseline.items if item.id not in kept))
    return [Regression("items", "run", len(baseline.items), len(pairs), None, gone)] if gone else []


def _errors(candidate: Record) -> list[Regression]:
    failed = tuple(item.id for item in candidate.items if item.answer is None)
    return [Regression("errors", "error", 0, len(failed), None, failed)] if failed else []


def _inexact(candidate: Record) -> list[Regression]:
    wrong = tuple(item.id for item in candidate.items if item.scores.get("citation_exact", 1.0) < 1.0)
    values = candidate.values("citation_exact")
    return [Regression("citation_exact", "citations", 1, sum(values) / len(values), None, wrong)] if wrong else []


def _lost(pairs: Sequence[tuple[Item, Item]]) -> tuple[list[Regression], tuple[str, ...]]:
    """The metrics that are worse at p < .05, and those of which not even a total loss would be."""
    values = {name: scores_of(pairs, name) for name in GATED}
    ps = adjusted({name: _p_worse(name, *values[name]) for name in GATED}, values, tails=1)
    unseen = tuple(name for name, (x, _) in values.items() if _p_worse(name, x, _total_loss(name, len(x))) >= ALPHA)
    return [_regression(name, pairs, p) for name, p in ps.items() if p < ALPHA], unseen


def _regression(metric: str, pairs: Sequence[tuple[Item, Item]], p: float) -> Regression:
    both = [(old, new) for old, new in pairs if metric in old.scores and metric in new.scores]
    x, y = scores_of(both, metric)
    sign = 1 if METRICS[metric].better == "higher" else -1
    items = tuple(old.id for old, new in both if sign * (new.scores[metric] - old.scores[metric]) < 0)
    return Regression(metric, METRICS[metric].layer, sum(x) / len(x), sum(y) / len(y), p, items)


def _p_worse(metric: str, x: Sequence[float], y: Sequence[float]) -> float:
    return p_worse(x, y) if METRICS[metric].better == "higher" else p_worse(y, x)


def _total_loss(metric: str, n: int) -> list[float]:
    return [0.0 if METRICS[metric].better == "higher" else 1.0] * n


def _regression_lines(regression: Regression) -> list[str]:
    how = "exact" if regression.p is None else f"p = {regression.p:.2g}"
    figures = f"{regression.baseline:.3g} → {regression.candidate:.3g}"
    return [f"  {regression.metric} ({regression.layer}): {figures}, {how}", f"    {', '.join(regression.items)}"]
