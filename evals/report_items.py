"""One question of a run as HTML: what was asked, what is right, what was answered from what, and what went wrong.

Boundary: takes an item of a record and gives markup. All its texts are hostile and go through `markup.text`; the page's
script knows an item by data attributes only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from evals.markup import byline, none, row, table, terms, text
from evals.metrics import Passage
from evals.record import Item
from evals.scoring import METRICS
from evals.wording import amount, day, duration, number, percent

_HITS_SHOWN = 10  # of a ranking that may be 50 long; gold ones are shown wherever they stand

# What fell at which layer. Declining can fail both ways, so it stands here twice: `fell` tells them apart.
LAYER = {
    "error": "error",
    "retrieval": "retrieval",
    "evidence": "evidence",
    "refused": "declining: refused",
    "reading": "reading",
    "citing": "citing",
    "answered": "declining: answered",
}
_FAILED = {
    "error": "Error: the question was not answered.",
    "retrieval": "Retrieval: no gold article is among the hits.",
    "evidence": "Evidence: a gold article was found, but neither a gold answer nor a gold sentence is in the evidence.",
    "refused": "Declining: the question is answerable, but it was declined.",
    "reading": "Reading: what is needed is in the evidence, but what was written, from the best of it, is not right.",
    "citing": "Citing: a quotation is not the article's text, or no gold sentence is cited.",
    "answered": "Declining: the articles don't hold the answer, but the question was answered.",
}
OUTCOME = {"right": "right", "wrong": "not right", "unscored": "not judged", "error": "error"}
_SIGN = {"right": "✓", "wrong": "✗", "unscored": "?", "error": "!"}
_SUPPORT = {
    "supported": ("✓", "carried by what it cites"),
    "partial": ("½", "carried in part"),
    "unsupported": ("✗", "not carried by any evidence"),
}


def fell(item: Item) -> str:
    """Where the item failed, as a key of LAYER; "" where nothing failed."""
    if item.failure == "declining":
        return "refused" if item.answerable else "answered"
    return item.failure or ""


def outcome(item: Item) -> str:
    """How the item ended, as a key of OUTCOME."""
    if item.answer is None:
        return "error"
    if "right" not in item.scores:
        return "unscored"
    return "right" if item.scores["right"] == 1.0 else "wrong"


def wanted(item: Item) -> str:
    """What a right answer holds, in a line; not yet escaped."""
    groups = [" / ".join(group) for group in (item.answers, *item.must) if group]
    return " + ".join(groups) or ("an answer" if item.answerable else "to be declined")


def told(item: Item) -> str:
    """What was answered, in a line; not yet escaped."""
    if item.answer is None:
        return item.error or "nothing"
    return f"{'declined: ' if item.answer['declined'] else ''}{item.answer['answer']}"


def failed_words(item: Item) -> str:
    """What failed, in a sentence, escaped."""
    return _FAILED.get(fell(item), text(fell(item)))


def item_html(item: Item, place: int, tags: Mapping[str, int]) -> str:
    """The item as a fold.

    Args:
        place: its place in the run, from 1; `#item-<place>` leads to it.
        tags: a number for each tag, by which the script knows it.
    """
    state, failed = outcome(item), fell(item)
    numbers = " ".join(str(tags[tag]) for tag in item.tags)
    layer = f'<span class="layer">{LAYER.get(failed, text(failed))}</span>' if failed else ""
    left = f"{_asked(item)}{_gold(item)}{_answer(item, place)}"
    return (
        f'<details class="item {state}" id="item-{place}" data-outcome="{state}" data-layer="{text(failed)}" '
        f'data-kind="{text(item.kind)}" data-tags="{numbers}">'
        f'<summary><span class="sign" role="img" aria-label="{OUTCOME[state]}">{_SIGN[state]}</span>'
        f'<span class="asked">{text(item.question)}</span>'
        f'<span class="marks">{layer}<span>{text(item.kind)}</span></span></summary>'
        f'<div class="inside">{_failure(item)}<div class="columns"><div>{left}</div>'
        f"<div>{_evidence(item)}{_hits(item)}{_scores(item)}</div></div></div></details>"
    )


def _failure(item: Item) -> str:
    error = f"<pre>{text(item.error)}</pre>" if item.error else ""
    return f'<div class="failure"><p>{failed_words(item)}</p>{error}</div>' if fell(item) else ""


def _asked(item: Item) -> str:
    searched = item.answer["standalone"] if item.answer else ""
    about = [
        ("Asked on", day(item.asked)),
        ("Searched for", searched if searched != item.question else ""),
        ("Gold rewrite", item.standalone),
        ("Tags", ", ".join(item.tags)),
    ]
    return _part(f'Question <span class="id">{text(item.id)}</span>', f"{_history(item)}{_escaped(about)}")


def _history(item: Item) -> str:
    turns = _escaped((turn["role"], turn["content"]) for turn in item.history)
    summary = f"<summary>after {amount(len(item.history), 'earlier message')}</summary>"
    return f"<details>{summary}{turns}</details>" if item.history else ""


def _gold(item: Item) -> str:
    groups = [group for group in (item.answers, *item.must) if group]
    lines = "".join(f"<li>{' <i>or</i> '.join(text(each) for each in group)}</li>" for group in groups)
    if not item.answerable:
        lines += "<li><i>The articles don't hold the answer: it is to be declined.</i></li>"
    reference = f'<p class="words">{text(item.reference)}</p>' if item.reference else ""
    sentences = "".join(_gold_sentence(item, each) for each in item.gold)
    quotes = f'<ul class="quotes">{sentences}</ul>' if sentences else ""
    return _part("What a right answer holds", f'<ul class="wanted">{lines}</ul>{reference}{quotes}')


def _gold_sentence(item: Item, gold: Mapping[str, Any]) -> str:
    place = [_passage(gold)]
    reached = (
        ("retrieved", _places(item.hits)),
        ("in the evidence", _places(_evidence_of(item))),
        ("cited", _places(_citations_of(item))),
    )
    steps = [
        f"{label} ✓" if any(_overlap(each, place) for each in places) else f"<b>not {label}</b>"
        for label, places in reached
    ]
    return f'<li><q><u class="gold">{text(gold["quote"])}</u></q>{byline(text(gold["article"]), *steps)}</li>'


def _answer(item: Item, place: int) -> str:
    if item.answer is None:
        return _part("Answer", none("There is none."))
    answer = item.answer
    words = " ".join(_sentence(each, place) for each in answer["sentences"]) or text(answer["answer"])
    citations = {each["number"]: each for each in _citations_of(item)}
    quotes = "".join(_citation(citations[number], item, place) for number in sorted(citations))
    listed = f'<ol class="quotes">{quotes}</ol>' if quotes else ""
    first_word = answer["timings"]["first_word_ms"]
    facts = byline(
        f"confidence {percent(answer['confidence'])}",
        f"first word {duration(first_word)}" if first_word is not None else "",
        f"whole answer {duration(answer['timings']['total_ms'])}",
        f"{amount(answer['invented_markers'], 'made-up reference')} removed" if answer["invented_markers"] else "",
        "kept from an earlier run" if item.cached else "",
    )
    title = "Answer: declined" if answer["declined"] else "Answer"
    return _part(title, f'<p class="words">{words}</p>{listed}{facts}')


def _sentence(sentence: Mapping[str, Any], place: int) -> str:
    support = sentence["support"]
    sign, label = _SUPPORT.get(support, ("?", text(support)))
    numbers = "".join(_number(each["number"], place) for each in sentence["citations"])
    mark = f'<span class="support {text(support)}" role="img" aria-label="{label}" title="{label}">{sign}</span>'
    return f"<span>{text(sentence['text'])}{f'<sup>{numbers}</sup>' if numbers else ''}{mark}</span>"


def _number(number: int, place: int) -> str:
    return f'<a href="#item-{place}-quote-{number:d}" aria-label="quotation {number:d}">{number:d}</a>'


def _citation(citation: Mapping[str, Any], item: Item, place: int) -> str:
    names = ("title", "source", "author")
    parts = [*(citation[name] for name in names), day(citation["published"]), citation["url"]]
    quote = _marked(citation["quote"], _passage(citation), [], _places(item.gold))
    number = f"{citation['number']:d}"
    return (
        f'<li id="item-{place}-quote-{number}" tabindex="-1" value="{number}"><q>{quote}</q>'
        f"{byline(*(text(part) for part in parts), _range(citation))}</li>"
    )


def _evidence(item: Item) -> str:
    evidence, cited, gold = _evidence_of(item), _places(_citations_of(item)), _places(item.gold)
    if not evidence:
        return ""
    rows = "".join(
        f"<li>{_marked(each['text'], _passage(each), cited, gold)}{byline(text(each['article']), _range(each))}</li>"
        for each in evidence
    )
    key = '<p class="key"><mark>cited</mark> <u class="gold">gold</u></p>'
    return _part(f"Evidence: {amount(len(evidence), 'sentence')}", f'{key}<ol class="given">{rows}</ol>')


def _hits(item: Item) -> str:
    if not item.hits:
        return ""
    gold, rows, left = _places(item.gold), "", 0
    for rank, hit in enumerate(item.hits, start=1):
        mark = _gold_mark(item, hit, gold)
        if rank > _HITS_SHOWN and not mark:
            left += 1
            continue
        name = f'{text(hit["title"] or hit["article"])} <span class="range">{_range(hit)}</span>'
        rows += row(
            str(rank), name, mark, f"{hit['score']:.3f}", f"{hit['cosine']:.2f}", kind="is-gold" if mark else ""
        )
    more = byline(f"and {left} more, none of them gold") if left else ""
    return _part("Hits, the best first", table("hits", ["", "article", "gold", "score", "cosine"], rows) + more)


def _gold_mark(item: Item, hit: Mapping[str, Any], gold: Sequence[Passage]) -> str:
    if _overlap(_passage(hit), gold):
        return "sentence"
    return "article" if hit["article"] in item.gold_articles else ""


def _scores(item: Item) -> str:
    scores = [(_label(name), _score(name, value)) for name, value in item.scores.items()]
    scores += [(_label(name), f"not judged: {text(why)}") for name, why in item.unscored.items()]
    return f"<section><details><summary>Scores</summary>{terms(scores)}</details></section>" if scores else ""


def _label(name: str) -> str:
    return text(METRICS[name].label if name in METRICS else name)


def _score(name: str, value: float) -> str:
    return f"{value:.2f}" if name in METRICS and METRICS[name].share else number(value)


def _marked(passage: str, place: Passage, cited: Iterable[Passage], gold: Iterable[Passage]) -> str:
    """The text that stands at `place`, escaped, with what is cited highlighted and what is gold underlined."""
    start, end = place.start, place.start + len(passage)
    in_cited, in_gold = (
        [(max(p.start, start), min(p.end, end)) for p in places if _overlap(place, [p])] for places in (cited, gold)
    )
    cuts = sorted({start, end, *(edge for pair in (*in_cited, *in_gold) for edge in pair)})
    return "".join(
        _piece(text(passage[a - start : b - start]), _within(a, b, in_cited), _within(a, b, in_gold))
        for a, b in pairwise(cuts)
    )


def _piece(escaped: str, is_cited: bool, is_gold: bool) -> str:
    inner = f'<u class="gold">{escaped}</u>' if is_gold else escaped
    return f"<mark>{inner}</mark>" if is_cited else inner


def _within(start: int, end: int, ranges: Iterable[tuple[int, int]]) -> bool:
    return any(low <= start and end <= high for low, high in ranges)


def _overlap(passage: Passage, others: Iterable[Passage]) -> bool:
    return any(
        passage.article == other.article and passage.start < other.end and other.start < passage.end for other in others
    )


def _evidence_of(item: Item) -> list[dict[str, Any]]:
    return list(item.answer["evidence"]) if item.answer else []


def _citations_of(item: Item) -> list[dict[str, Any]]:
    return [each for sentence in item.answer["sentences"] for each in sentence["citations"]] if item.answer else []


def _places(found: Iterable[Mapping[str, Any]]) -> list[Passage]:
    return [_passage(each) for each in found]


def _passage(found: Mapping[str, Any]) -> Passage:
    return Passage(found["article"], found["start"], found["end"])


def _range(found: Mapping[str, Any]) -> str:
    return f"{found['start']:d}–{found['end']:d}"


def _escaped(pairs: Iterable[tuple[str, str]]) -> str:
    return terms((text(name), text(value)) for name, value in pairs)


def _part(title: str, body: str) -> str:
    return f"<section><h4>{title}</h4>{body}</section>"
