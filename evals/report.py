"""The report of a run: one HTML file that loads nothing, and a page of Markdown for a pull request.

Boundary: reads a record and draws it; asks nothing and judges nothing. The file carries its stylesheet and its script,
and a policy that allows these two by their hashes and nothing else, so that even markup which slipped through could
load or run nothing. Without the script everything can be read, only not filtered.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.compare import Comparison, Difference, Flip
from evals.markup import byline, code, none, row, section, shorten, table, terms, text
from evals.plots import count_bar, share_bar
from evals.record import Item, Record
from evals.report_items import LAYER, OUTCOME, failed_words, fell, item_html, outcome, told, wanted
from evals.report_plots import plots_html
from evals.scoring import METRICS, Metric
from evals.statistics import Share, median, percentile, share
from evals.wording import amount, counted, day, interval, number, percent, signed

_HERE = Path(__file__).parent
_ALL_EXACT = "every quotation is the article's text"
_POLICY = "default-src 'none'; style-src {style}; script-src {script}; base-uri 'none'; form-action 'none'"


def to_html(record: Record, comparison: Comparison | None = None) -> str:
    """The report as one HTML file, to be written as UTF-8; it opens offline, in any browser.

    Args:
        comparison: of this run with another, shown before the figures.
    """
    style, script = ((_HERE / name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
    parts = [
        _comparison(comparison) if comparison else "",
        _figures(record),
        _funnel(record),
        plots_html(record),
        _failures(record),
        _items(record),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(style, script)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{text(record.name)} · Dateline evaluation</title>\n<style>{style}</style>\n</head>\n"
        f"<body>\n{_header(record)}\n<main>{''.join(parts)}</main>\n<script>{script}</script>\n</body>\n</html>\n"
    )


def to_markdown(record: Record) -> str:
    """The headline table, the funnel and what failed, as GitHub's Markdown."""
    failed = [item for item in record.items if fell(item)]
    parts = [
        f"## Evaluation {code(record.name)}",
        verdict(record),
        " · ".join(code(part) for part in _subject(record)),
        _markdown_figures(record),
        "\n".join(_markdown_funnel(record)),
        f"### What failed: {len(failed)} of {len(record.items)}",
        "\n".join(_markdown_failure(item) for item in failed) or "Nothing.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def verdict(record: Record) -> str:
    """The run in one sentence, from its figures; plain text in our own words."""
    items = record.items
    right = share([i.scores["right"] for i in items if i.answerable and "right" in i.scores])
    declined, exact = share(record.values("declined")), record.values("citation_exact")
    ends = Counter(outcome(item) for item in items)
    parts = []
    if right.n:
        some = f"{counted(right)} answerable {_noun(right.n, 'question')} answered rightly"
        parts.append(f"{some} ({percent(right.value)}, {interval(right)})")
    if declined.n:
        parts.append(f"{counted(declined)} unanswerable {_noun(declined.n, 'one')} declined")
    if exact:
        altered = sum(value < 1.0 for value in exact)
        parts.append(f"{amount(altered, 'answer')} with an altered quotation" if altered else _ALL_EXACT)
    if ends["error"]:
        parts.append(f"{amount(ends['error'], 'question')} ended in an error")
    if ends["unscored"]:
        parts.append(f"{amount(ends['unscored'], 'question')} could not be judged")
    return ("; ".join(parts) or ("Nothing could be judged" if items else "Nothing was asked")) + "."


def _noun(n: int, noun: str) -> str:
    return noun if n == 1 else f"{noun}s"


# The head of the page.


def _policy(style: str, script: str) -> str:
    return _POLICY.format(style=_hash(style), script=_hash(script))


def _hash(content: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def _header(record: Record) -> str:
    broken = len(record.gold["broken"])
    notice = f'<p class="notice">{amount(broken, "row")} of the gold file could not be used.</p>' if broken else ""
    return (
        f'<header><p class="product">Dateline evaluation</p><h1>{text(record.name)}</h1>'
        f'<p class="verdict">{verdict(record)}</p>{byline(*(text(part) for part in _subject(record)))}{notice}'
        f'<details class="about"><summary>What was asked, of what, on what</summary>{_about(record)}</details></header>'
    )


def _subject(record: Record) -> list[str]:
    gold = record.gold
    return [
        f"{gold['asked']} of {amount(gold['questions'], 'question')} of {gold['name']}",
        amount(record.corpus["articles"], "article"),
        record.models.get("llm", ""),
        day(record.started),
    ]


def _about(record: Record) -> str:
    changes = ", with changes that are not committed" if record.dirty else ""
    groups: dict[str, Mapping[str, Any]] = {
        "Gold": {name: value for name, value in record.gold.items() if name != "broken"},
        "Gold rows left out": {f"line {each['line']}": each["problem"] for each in record.gold["broken"]},
        "Corpus": record.corpus,
        "Settings": record.settings,
        "Prompts": record.prompts,
        "Models": record.models,
        "Judge": record.judge or {},
        "Code": {"sources": record.code, "commit": f"{record.commit}{changes}"},
        "Versions": record.versions,
        "Machine": record.machine,
        "Seeds": record.seeds,
        "When": {"started": day(record.started), "finished": day(record.finished)},
    }
    lists = ((title, terms((text(k), text(v)) for k, v in pairs.items())) for title, pairs in groups.items())
    return f'<div class="facts">{"".join(f"<div><h3>{title}</h3>{each}</div>" for title, each in lists if each)}</div>'


# The figures by layer.


@dataclass(frozen=True, slots=True)
class _Line:
    """A metric from 0 to 1 with its figure, and how many items could not be judged for which reason."""

    metric: Metric
    found: Share
    unscored: Counter[str]


def _lines(record: Record) -> list[_Line]:
    figures = record.figures()
    lines = []
    for name, metric in METRICS.items():
        unscored = Counter(item.unscored[name] for item in record.items if name in item.unscored)
        if name in figures or unscored:
            lines.append(_Line(metric, figures.get(name, share([])), unscored))
    return lines


def _figures(record: Record) -> str:
    lines = _lines(record)
    if not lines:
        return section("figures", "Figures", none("No question was judged."))
    layers = dict.fromkeys(line.metric.layer for line in lines)
    bodies = [
        f'<tr class="layer"><th colspan="6" scope="rowgroup">{layer.capitalize()}</th></tr>'
        + "".join(_figure_row(line) for line in lines if line.metric.layer == layer)
        for layer in layers
    ]
    heads = ["metric", "value", "", "95% interval", "n", "not judged"]
    return section("figures", "Figures", table("figures", heads, *bodies) + _costs(record))


def _figure_row(line: _Line) -> str:
    metric, found = line.metric, line.found
    lower = ' <span class="lower">lower is better</span>' if metric.better == "lower" else ""
    bar, span = (share_bar(found), interval(found)) if found.n else ("", "")
    unscored = "<br>".join(f"{n}: {text(reason)}" for reason, n in line.unscored.most_common())
    return row(f"{text(metric.label)}{lower}", percent(found.value), bar, span, found.n, unscored)


def _costs(record: Record) -> str:
    costs = {metric: record.values(name) for name, metric in METRICS.items() if not metric.share}
    rows = "".join(
        row(text(metric.label), number(median(values)), number(percentile(values, 95)), len(values))
        for metric, values in costs.items()
        if values
    )
    return table("costs", ["cost of a question", "median", "95th percentile", "n"], rows) if rows else ""


# Where questions fail.


@dataclass(frozen=True, slots=True)
class _Step:
    """How many questions are left after a layer, and how many fell there; `layer` is a key of LAYER."""

    label: str
    left: int
    lost: int
    layer: str


_ASKED = ("asked without an error", "error")
_ANSWERABLE = (
    _ASKED,
    ("a gold article retrieved", "retrieval"),
    ("what is needed in the evidence", "evidence"),
    ("answered, not declined", "refused"),
    ("right", "reading"),
    ("cited rightly", "citing"),
)
_UNANSWERABLE = (_ASKED, ("declined, or the premise set right", "answered"))
_ENDED = {"error": "error", "citing": "right"}  # the outcome of those who fell at a layer; "wrong" at the others


def _funnels(record: Record) -> list[tuple[str, int, list[_Step]]]:
    """What was asked, how many, and what became of them. Items that can't be judged right or wrong are left out."""
    judged = [item for item in record.items if outcome(item) != "unscored"]
    answerable = [item for item in judged if item.answerable]
    others = [item for item in judged if not item.answerable]
    funnels = (("answerable questions", answerable, _ANSWERABLE), ("unanswerable questions", others, _UNANSWERABLE))
    return [(label, len(items), _steps(items, steps)) for label, items, steps in funnels if items]


def _steps(items: Sequence[Item], layers: Iterable[tuple[str, str]]) -> list[_Step]:
    lost = Counter(fell(item) for item in items)
    left, steps = len(items), []
    for label, layer in layers:
        left -= lost[layer]
        if lost[layer] or layer != "error":
            steps.append(_Step(label, left, lost[layer], layer))
    return steps


def _funnel(record: Record) -> str:
    title = "Where questions fail"
    bodies = [
        row(label, n, count_bar(n, n, 0), "", kind="first") + "".join(_funnel_row(step, n) for step in steps)
        for label, n, steps in _funnels(record)
    ]
    if not bodies:
        return section("funnel", title, none("No question was judged."))
    lead = '<p class="lead">Every question that was judged, and the first layer that failed it.</p>'
    return section("funnel", title, lead + table("funnel", ["", "left", "", "fell here"], *bodies))


def _funnel_row(step: _Step, of: int) -> str:
    lost = "none"
    if step.lost:
        chosen = f'data-layer="{step.layer}" data-outcome="{_ENDED.get(step.layer, "wrong")}"'
        lost = f'<a href="#items" {chosen}>{step.lost} at {LAYER[step.layer]}</a>'
    return row(step.label, step.left, count_bar(step.left, of, step.lost), lost)


# The questions.


def _failures(record: Record) -> str:
    """What failed, in a list for paper; on the screen the questions themselves can be filtered."""
    rows = "".join(_failure_row(item) for item in record.items if fell(item))
    if not rows:
        return ""
    return (
        f'<div class="paper">{section("failures", "What failed", table("", ["id", "question", "layer"], rows))}</div>'
    )


def _failure_row(item: Item) -> str:
    said = f"wanted: {text(shorten(wanted(item)))}<br>got: {text(shorten(told(item)))}"
    return row(
        text(item.id), f"<b>{text(shorten(item.question))}</b><br>{said}", LAYER.get(fell(item), text(fell(item)))
    )


def _items(record: Record) -> str:
    if not record.items:
        return section("items", "Questions", none("There are none."))
    tags = {tag: n for n, tag in enumerate(sorted({tag for item in record.items for tag in item.tags}))}
    folds = "".join(item_html(item, place, tags) for place, item in enumerate(record.items, start=1))
    return section("items", "Questions", _filters(record.items, tags) + folds)


def _filters(items: Sequence[Item], tags: Mapping[str, int]) -> str:
    """The form that the script shows and reads."""
    outcomes, layers = Counter(map(outcome, items)), Counter(map(fell, items))
    kinds, tagged = Counter(item.kind for item in items), Counter(tag for item in items for tag in item.tags)
    return (
        '<form class="filters" role="search" aria-label="Filter the questions" hidden>'
        '<label class="find">Find<input type="search" name="find" autocomplete="off"></label>'
        f"{_select('outcome', 'Outcome', [(key, OUTCOME[key], outcomes[key]) for key in OUTCOME])}"
        f"{_select('layer', 'Failed at', [(key, LAYER[key], layers[key]) for key in LAYER])}"
        f"{_select('kind', 'Kind', [(kind, kind, n) for kind, n in kinds.most_common()])}"
        f"{_select('tags', 'Tag', [(str(tags[tag]), tag, n) for tag, n in tagged.most_common()])}"
        '<p class="state"><output aria-live="polite"></output><button type="reset">Show all</button>'
        '<button type="button" data-fold="open">Open</button>'
        '<button type="button" data-fold="close">Close</button></p></form>'
    )


def _select(name: str, label: str, options: Iterable[tuple[str, str, int]]) -> str:
    choices = "".join(f'<option value="{text(key)}">{text(shown)} ({n})</option>' for key, shown, n in options if n)
    return f'<label>{label}<select name="{name}"><option value="">any</option>{choices}</select></label>'


# Two runs.


def _comparison(comparison: Comparison) -> str:
    pairs = ((text(name), f"{text(a) or '–'} → {text(b) or '–'}") for name, (a, b) in comparison.changed.items())
    changed = terms(pairs, kind="changed") or none("Nothing.")
    heads = ["metric", "A", "B", "B − A", "95% interval", "p", "n", "better"]
    differences = table("differences", heads, "".join(_difference_row(each) for each in comparison.differences))
    note = byline("Shares differ in percentage points.", "p is adjusted for the number of metrics.")
    said = text(comparison.verdict)
    names = (f"A: {text(comparison.a)}", f"B: {text(comparison.b)}", f"{amount(comparison.n, 'question')} in both")
    return section(
        "comparison",
        "Compared",
        f'<p class="verdict">{said[:1].upper()}{said[1:]}.</p>'
        f"{byline(*names)}"
        f"<h3>What was changed</h3>{changed}{differences}{note}{_flips(comparison.flips)}",
    )


def _difference_row(each: Difference) -> str:
    metric = METRICS[each.metric]
    show, points = (percent, 100.0) if metric.share else (number, 1.0)
    difference, low, high = (signed(points * value) for value in (each.difference, each.low, each.high))
    better = f"<b>{each.better.upper()}</b>" if each.better else "–"
    p = f'<span title="{text(each.test)}">{each.p:.3f}</span>'
    return row(
        text(metric.label), show(each.a), show(each.b), difference, f"{low} to {high}", p, each.n, better,
        kind="clear" if each.better else "",
    )  # fmt: skip


def _flips(flips: Sequence[Flip]) -> str:
    if not flips:
        return none("No question is right in one run only.")
    gained = sum(outcome(flip.b) == "right" for flip in flips)
    summary = f"{amount(len(flips), 'question')} flipped: {gained} right only in B, {len(flips) - gained} only in A"
    return f'<details class="flips"><summary>{summary}</summary>{"".join(_flip(flip) for flip in flips)}</details>'


def _flip(flip: Flip) -> str:
    about = byline(text(flip.id), f"wanted: {text(wanted(flip.a))}")
    sides = f"{_side('A', flip.a)}{_side('B', flip.b)}"
    return f'<article class="flip"><h4>{text(flip.a.question)}</h4>{about}<div class="columns">{sides}</div></article>'


def _side(name: str, item: Item) -> str:
    title = byline(f"<b>{name}: {OUTCOME[outcome(item)]}</b>")
    failed = byline(failed_words(item)) if fell(item) else ""
    return f'<div class="side {outcome(item)}">{title}<p class="words">{text(told(item))}</p>{failed}</div>'


# Markdown.


def _markdown_figures(record: Record) -> str:
    lines = _lines(record)
    heads = ["| | value | 95% interval | n | not judged |", "|---|--:|--:|--:|--:|"]
    return "\n".join([*heads, *(_markdown_row(line) for line in lines)]) if lines else ""


def _markdown_row(line: _Line) -> str:
    metric, found = line.metric, line.found
    label = f"{metric.layer}: {metric.label}{' (lower is better)' if metric.better == 'lower' else ''}"
    span = interval(found) if found.n else "–"
    return f"| {label} | {percent(found.value)} | {span} | {found.n} | {line.unscored.total() or ''} |"


def _markdown_funnel(record: Record) -> list[str]:
    lines = []
    for label, n, steps in _funnels(record):
        lines.append(f"- {label}: {n}")
        lines += [f"  - {step.label}: {step.left}{f' (−{step.lost})' if step.lost else ''}" for step in steps]
    return lines


def _markdown_failure(item: Item) -> str:
    layer = LAYER.get(fell(item)) or code(fell(item))
    said = f"wanted {code(shorten(wanted(item)))}, got {code(shorten(told(item)))}"
    return f"- {code(item.id)} **{layer}** {code(shorten(item.question))}\n  {said}"
