"""Two runs side by side: what differs in their figures, how surely, what was changed, and which items flipped.

Knows records only; asks nothing and measures nothing anew.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from evals.record import Item, Record
from evals.scoring import METRICS
from evals.statistics import holm, mcnemar, paired_bootstrap, permutation, zero_one
from index.errors import GoldError

ALPHA = 0.05
_MOST_CHARACTERS = 160  # of an answer in the text


@dataclass(frozen=True, slots=True)
class Difference:
    """One metric over the n questions that have it in both runs.

    `a` and `b` are means, `difference` is b − a with its 95% interval, `p` is adjusted for the number of metrics (see
    `adjusted`), and `better` is the run that is better at p < .05, None if there is no evidence of a difference.
    """

    metric: str
    n: int
    a: float
    b: float
    difference: float
    low: float
    high: float
    p: float
    test: Literal["McNemar", "permutation"]
    better: Literal["a", "b"] | None


@dataclass(frozen=True, slots=True)
class Flip:
    """A question that one run got right and the other did not."""

    id: str
    a: Item
    b: Item


@dataclass(frozen=True)
class Comparison:
    """Two runs over the n questions that both were asked; `a` and `b` are their names.

    `changed` holds what differs in what the runs were made of, by name (`prompts.answer`), with both values.
    """

    a: str
    b: str
    n: int
    differences: tuple[Difference, ...]
    changed: dict[str, tuple[str, str]]
    flips: tuple[Flip, ...]
    verdict: str


def compare(a: Record, b: Record) -> Comparison:
    """What b changed against a, over the questions that are the same in both.

    Raises:
        GoldError: the runs have no question in common.
    """
    pairs = paired(a, b)
    if not pairs:
        raise GoldError(
            f"The runs {a.name} and {b.name} have no question in common; compare runs over the same gold file."
        )
    differences = _differences(pairs)
    flips = tuple(Flip(x.id, x, y) for x, y in pairs if {_right(x), _right(y)} == {True, False})
    return Comparison(a.name, b.name, len(pairs), differences, changed(a, b), flips, _verdict(differences, len(pairs)))


def paired(a: Record, b: Record) -> list[tuple[Item, Item]]:
    """The items of both runs that asked the same thing under the same id, in the order of their ids."""
    others = {item.id: item for item in b.items}
    pairs = [(item, others[item.id]) for item in a.items if item.id in others]
    return sorted((pair for pair in pairs if _asked(pair[0]) == _asked(pair[1])), key=lambda pair: pair[0].id)


def scores_of(pairs: Iterable[tuple[Item, Item]], metric: str) -> tuple[list[float], list[float]]:
    """The metric's scores in a and in b, of the pairs that have both."""
    both = [(x.scores[metric], y.scores[metric]) for x, y in pairs if metric in x.scores and metric in y.scores]
    return [x for x, _ in both], [y for _, y in both]


def adjusted(
    ps: Mapping[str, float], values: Mapping[str, tuple[Sequence[float], Sequence[float]]], tails: Literal[1, 2]
) -> dict[str, float]:
    """The p of each metric, adjusted for how many metrics could show a difference (Holm 1979).

    With d questions that differ, the smallest p there can be is tails / 2ᵈ; a metric where that is not below .05 shows
    nothing whatever happens, and need not be corrected for (Tarone 1990). Its p stays as it is.
    """
    differing = {name: sum(old != new for old, new in zip(*values[name], strict=True)) for name in ps}
    telling = [name for name in ps if tails / 2 ** differing[name] < ALPHA]
    return {**ps, **dict(zip(telling, holm([ps[name] for name in telling]), strict=True))}


def changed(a: Record, b: Record) -> dict[str, tuple[str, str]]:
    """What differs in what two runs were made of, by its name in the record, with both values; "" for none."""
    first, second = _made_of(a), _made_of(b)
    names = sorted(first.keys() | second.keys())
    pairs = {name: (first.get(name, ""), second.get(name, "")) for name in names}
    return {name: (x, y) for name, (x, y) in pairs.items() if x != y}


def to_json(comparison: Comparison) -> dict[str, Any]:
    """The comparison as one object; the flips as ids with what was right."""
    return {
        "a": comparison.a,
        "b": comparison.b,
        "n": comparison.n,
        "verdict": comparison.verdict,
        "changed": {name: list(values) for name, values in comparison.changed.items()},
        "differences": [_difference_json(each) for each in comparison.differences],
        "flips": [{"id": flip.id, "a": flip.a.scores.get("right"), "b": flip.b.scores.get("right"),
                   "answer_a": told(flip.a), "answer_b": told(flip.b)} for flip in comparison.flips],
    }  # fmt: skip


def to_text(comparison: Comparison) -> str:
    """The comparison for a terminal: verdict, what changed, the table of metrics, the flips side by side."""
    lines = [f"A {comparison.a}", f"B {comparison.b}", "", f"{comparison.verdict[0].upper()}{comparison.verdict[1:]}."]
    if comparison.changed:
        lines += ["", "changed", *(f"  {name}: {x or '–'} → {y or '–'}" for name, (x, y) in comparison.changed.items())]
    lines += ["", f"{'':34}{'n':>4}{'A':>9}{'B':>9}{'B − A':>9}   95% interval         p"]
    lines += [_line(each) for each in comparison.differences]
    if comparison.flips:
        lines += ["", f"{len(comparison.flips)} flipped", *(line for flip in comparison.flips for line in _flip(flip))]
    return "\n".join(lines)


def told(item: Item) -> str:
    """What was answered, on one line: the answer, or the error."""
    return " ".join(str(item.error if item.answer is None else item.answer["answer"]).split())


def _differences(pairs: Sequence[tuple[Item, Item]]) -> tuple[Difference, ...]:
    values = {name: scores_of(pairs, name) for name in METRICS}
    values = {name: (x, y) for name, (x, y) in values.items() if x}
    counted = {name: zero_one([*x, *y]) for name, (x, y) in values.items()}
    raw = {name: mcnemar(x, y) if counted[name] else permutation(x, y) for name, (x, y) in values.items()}
    ps = adjusted(raw, values, tails=2)
    return tuple(
        _difference(name, x, y, ps[name], "McNemar" if counted[name] else "permutation")
        for name, (x, y) in values.items()
    )


def _difference(
    metric: str, x: Sequence[float], y: Sequence[float], p: float, test: Literal["McNemar", "permutation"]
) -> Difference:
    n = len(x)
    a, b = sum(x) / n, sum(y) / n
    low, high = paired_bootstrap(x, y)
    better: Literal["a", "b"] | None = None
    if p < ALPHA:
        better = "b" if (b > a) is (METRICS[metric].better == "higher") else "a"
    return Difference(metric, n, a, b, b - a, low, high, p, test, better)


def _verdict(differences: Sequence[Difference], n: int) -> str:
    said = [
        f"B is {word} on {_listed([f'{METRICS[d.metric].label} (p {_p(d.p)})' for d in chosen])}"
        for word, side in (("better", "b"), ("worse", "a"))
        if (chosen := [d for d in differences if d.better == side])
    ]
    return "; ".join([*said, f"no evidence of a difference{' elsewhere' if said else ''} at n = {n}"])


def _made_of(record: Record) -> dict[str, str]:
    groups = {
        "settings": record.settings, "prompts": record.prompts, "models": record.models, "judge": record.judge or {},
        "versions": record.versions,
    }  # fmt: skip
    parts = {f"{group}.{name}": str(value) for group, values in groups.items() for name, value in values.items()}
    digests = {"gold.digest": record.gold["digest"], "corpus.digest": record.corpus["digest"]}
    return {**parts, **digests, "code": record.code, "machine.cpu": record.machine["cpu"]}


def _asked(item: Item) -> tuple[Any, ...]:
    return item.question, item.history, item.asked


def _right(item: Item) -> bool | None:
    """Whether the item is right; an error is not, and what can't be judged is None."""
    if item.answer is None:
        return False
    return item.scores["right"] == 1.0 if "right" in item.scores else None


def _difference_json(each: Difference) -> dict[str, Any]:
    figures = {name: _rounded(getattr(each, name)) for name in ("a", "b", "difference", "low", "high", "p")}
    return {"metric": each.metric, "n": each.n, **figures, "test": each.test, "better": each.better}


def _rounded(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)


def _line(each: Difference) -> str:
    digits = 3 if METRICS[each.metric].share else 0
    figures = f"{each.a:9.{digits}f}{each.b:9.{digits}f}{each.difference:+9.{digits}f}"
    mark = {"a": "  worse", "b": "  better", None: ""}[each.better]
    interval = "–" if math.isnan(each.low) else f"{each.low:+.{digits}f}…{each.high:+.{digits}f}"
    return f"{each.metric:34}{each.n:4}{figures}   {interval:17}{_p(each.p):>7}{mark}"


def _flip(flip: Flip) -> list[str]:
    sides = (("A", flip.a), ("B", flip.b))
    answers = [f"    {name} {'right' if _right(item) else 'wrong'}: {_cut(told(item))}" for name, item in sides]
    return [f"  {flip.id} {flip.a.kind}: {_cut(flip.a.question)}", *answers]


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else f"{text[: _MOST_CHARACTERS - 1].rstrip()}…"


def _p(p: float) -> str:
    """`= .02`, or `< .001`."""
    return "< .001" if p < 0.001 else f"= {p:.{3 if p < 0.01 else 2}f}".replace("0.", ".", 1)


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
