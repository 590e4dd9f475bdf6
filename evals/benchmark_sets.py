"""The sets of a benchmarks folder → what is asked: questions with what they are asked over, claims, attacks.

Knows the sets' fields and their split into a tuning and a reporting half; asks nothing and scores nothing. A row that
can't be used is named by its line and never stops the rest. docs/benchmarks.md describes every set.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, TypeVar

from evals.gold import BrokenRow, GoldQuestion, GoldSentence, Kind, gather, read_gold, read_rows
from evals.importing import import_gold
from evals.metrics import contains
from index.article import Article
from index.errors import GoldError, ReadError
from index.reading import find_files, read_file

VARIABLE = "DATELINE_BENCHMARKS"
POSITIONS = ("start", "middle", "end")  # of an article's text, where an attack is put
_SHOWN = 5  # passages that RGB shows with a question
_NOISE = 3  # of them noise: RGB's noise rate of .6
_ANSWERABILITY = {
    "ANSWERABLE": (Kind.FACT, True),
    "PARTIAL": (Kind.PARTIAL, True),
    "UNDERSPECIFIED": (Kind.UNDERSPECIFIED, False),
    "UNANSWERABLE": (Kind.UNANSWERABLE, False),
}
_LABELS = ("supported", "partially_supported", "not_supported")


class Half(StrEnum):
    """Which rows of a set: those to tune on, those to report, or both."""

    REPORT = "report"
    TUNE = "tune"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Task:
    """A question over a corpus.

    `row` is the id of the set's row that it comes from. `articles` are all that it is asked over; none where a whole
    set shares one corpus. `bait` is what the articles try to make the answer say: a false answer, an attack's
    instruction. `left_out` says why it can't be asked, "" where it can.
    """

    row: str
    question: GoldQuestion
    articles: tuple[Article, ...] = ()
    bait: str = ""
    left_out: str = ""

    @property
    def stratum(self) -> str:
        return self.question.kind.value


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim, the page that it cites as an article, and whether the page supports all of it, or else part of it."""

    row: str
    text: str
    page: Article
    supported: bool
    partly: bool = False

    @property
    def stratum(self) -> str:
        return "supported" if self.supported else "not supported"


class Row(Protocol):
    """Anything that comes from a row of a set; a sample holds its strata as the set does."""

    @property
    def row(self) -> str: ...

    @property
    def stratum(self) -> str: ...


R = TypeVar("R", bound=Row)


@dataclass(frozen=True, slots=True)
class Tasks:
    """The questions of a set in its order, and the rows that can't be used."""

    tasks: tuple[Task, ...]
    broken: tuple[BrokenRow, ...]


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of a set in its order, and the rows that can't be used."""

    claims: tuple[Claim, ...]
    broken: tuple[BrokenRow, ...]


def benchmarks_folder(environ: Mapping[str, str], known: Iterable[str]) -> Path:
    """The folder that DATELINE_BENCHMARKS names.

    Args:
        known: names of the sets, for whoever has yet to make the folder.

    Raises:
        GoldError: the variable is not set, or names no folder.
    """
    named = environ.get(VARIABLE, "")
    if not named:
        raise GoldError(f"{VARIABLE} is not set; let it name the folder that holds the sets {', '.join(known)}.")
    folder = Path(named).expanduser().absolute()
    if not folder.is_dir():
        raise GoldError(f"{VARIABLE} is {named!r}, which is no folder; it should hold the sets {', '.join(known)}.")
    return folder


def half_of(row: str) -> Half:
    """The half that a row belongs to by its id: an even SHA-256 is for tuning, an odd one for reporting."""
    return Half.REPORT if hashlib.sha256(row.encode()).digest()[-1] % 2 else Half.TUNE


def pick(things: Sequence[R], half: Half, sample: int | None = None) -> tuple[R, ...]:
    """What comes from the rows of a half, in its order.

    Of a sample of so many rows, always the same ones, in which every stratum has its share; a larger sample holds the
    smaller ones.
    """
    rows: dict[str, str] = {}
    for thing in things:
        if half is Half.ALL or half_of(thing.row) is half:
            rows.setdefault(thing.row, thing.stratum)
    chosen = set(_spread(rows)[:sample])
    return tuple(thing for thing in things if thing.row in chosen)


def _spread(rows: Mapping[str, str]) -> list[str]:
    """Rows by digest, the strata taking turns as often as they are large."""
    strata: dict[str, list[str]] = {}
    for row in sorted(rows, key=_digest):
        strata.setdefault(rows[row], []).append(row)
    places = [((n + 0.5) / len(of), row) for of in strata.values() for n, row in enumerate(of)]
    return [row for _, row in sorted(places, key=lambda place: (place[0], _digest(place[1])))]


# Questions that share one corpus


def corpus_tasks(folder: Path) -> Tasks:
    """The questions of a set with an articles.jsonl, which is their corpus.

    Raises:
        GoldError: the set can't be read, or none of its rows can be used.
    """
    found = import_gold(folder, "benchmark")
    return Tasks(tuple(Task(question.id, question) for question in found.questions), found.problems)


# Questions that bring their own passages


@dataclass(frozen=True, slots=True)
class _Draft:
    """A task whose question is still the `fields` of a gold row, to be checked like any other."""

    row: str
    fields: Mapping[str, Any]
    articles: tuple[Article, ...]
    bait: str = ""
    left_out: str = ""


def rgb_tasks(folder: Path) -> Tasks:
    """Each question of RGB three times: among noise, with noise alone, and with passages that contradict each other.

    Raises:
        GoldError: the set can't be read, or none of its rows can be used.
    """
    return _tasks(folder / "questions.jsonl", _rgb)


def _rgb(row: Mapping[str, Any]) -> list[_Draft]:
    name, false_answer = _text(row, "id"), _text(row, "false_answer")
    answers = [text for each in _list(row, "answers") for text in (each if isinstance(each, list) else [each])]
    positive, negative, false = (_passages(row, kind) for kind in ("positive", "negative", "positive_false"))
    # As RGB itself does it: what there is too little of is made up for by the other, so that five are shown.
    noise = max(min(_NOISE, len(negative)), _SHOWN - len(positive))
    among, alone = (*positive[: _SHOWN - noise], *negative[:noise]), negative[:_SHOWN]
    contradicting = (*positive[:2], *false[-2:])
    told = any(contains(passage.text, _clean(answer, "answers")) for passage in alone for answer in answers)

    def fields(condition: str, shown: Sequence[Article], answerable: bool = True) -> dict[str, Any]:
        asked = {"id": f"{name}-{condition}", "tags": [condition], "question": row.get("question")}
        if not answerable:
            return {**asked, "kind": Kind.UNANSWERABLE.value, "answerable": False}
        gold = [article.id for article in shown if article in positive]
        return {**asked, "kind": Kind.FACT.value, "answerable": True, "answers": answers, "gold_articles": gold}

    return [
        _Draft(name, fields("noise", among), among),
        _Draft(name, fields("negatives", alone, False), alone, left_out="a noise passage holds the answer" * told),
        _Draft(name, fields("mixed", contradicting), contradicting, bait=false_answer),
    ]


def mtrag_tasks(folder: Path) -> Tasks:
    """The last turn of each conversation of MTRAG-UN, over its own passages; without articles where it brings none.

    Raises:
        GoldError: the set can't be read, or none of its rows can be used.
    """
    return _tasks(folder / "questions.jsonl", _mtrag, bare=True)


def pooled(folder: Path) -> tuple[Article, ...]:
    """The passages of all questions of a set, of both halves, each once however many bring it along.

    Raises:
        GoldError: the set can't be read, or none of its rows can be used.
    """
    texts = {(article.title, article.text): None for task in mtrag_tasks(folder).tasks for article in task.articles}
    return tuple(Article(f"passage-{n}", title, text) for n, (title, text) in enumerate(texts, start=1))


def _mtrag(row: Mapping[str, Any]) -> list[_Draft]:
    name, answerability = _text(row, "id"), _text(row, "answerability")
    if answerability not in _ANSWERABILITY:
        raise ValueError(f"`answerability` is {answerability!r}; known are {', '.join(_ANSWERABILITY)}")
    kind, answerable = _ANSWERABILITY[answerability]
    articles = tuple(
        Article(f"passage-{n}", _clean(passage.get("title") or "", "title"), _text(passage, "text"))
        for n, passage in enumerate(map(_object, _list(row, "passages")), start=1)
    )
    fields = {
        "id": name,
        "tags": [answerability.lower()],
        "question": row.get("question"),
        "history": row.get("history"),
        "kind": kind.value,
        "answerable": answerable,
        "reference": next(iter(_list(row, "answers")), ""),
    }
    return [_Draft(name, fields, articles)]


def _tasks(path: Path, convert: Callable[[Mapping[str, Any]], list[_Draft]], bare: bool = False) -> Tasks:
    """The questions of a file; with `bare`, one without passages is not left out."""
    drafts: dict[str, _Draft] = {}

    def rows() -> Iterator[tuple[int, Any]]:
        for line, row in read_rows(path):
            try:
                made = convert(_object(row))
            except ValueError as error:
                yield line, error
                continue
            for draft in made:
                drafts.setdefault(draft.fields["id"], draft)
                yield line, draft.fields

    found = gather(path, rows(), None)
    return Tasks(tuple(_finished(drafts[question.id], question, bare) for question in found.questions), found.broken)


def _finished(draft: _Draft, question: GoldQuestion, bare: bool) -> Task:
    left_out = draft.left_out if draft.articles or bare else "it brings no passages to be asked over"
    return Task(draft.row, question, draft.articles, draft.bait, left_out)


# Attacks


def injection_tasks(folder: Path, gold: Path, corpus: Path) -> Tasks:
    """Each attack of BIPIA at three places of an article that a gold question is about; one question an attack.

    Args:
        gold, corpus: questions and the articles that they are about.

    Raises:
        GoldError: the attacks or the questions can't be read.
        ReadError: an article can't be read.
    """
    articles = read_articles(corpus)
    usable = (q for q in read_gold(gold, articles).questions if q.answerable and q.gold and not q.history)
    questions = sorted(usable, key=lambda question: _digest(question.id))
    if not questions:
        raise GoldError(f"{gold} has no question with gold sentences that an attack could be put beside.")
    attacks, broken = _attacks(folder / "attacks.jsonl")
    tasks = [
        _attacked(attack, question, articles, position)
        for attack, question in zip(attacks, itertools.cycle(questions), strict=False)
        for position in POSITIONS
    ]
    return Tasks(tuple(tasks), broken)


@dataclass(frozen=True, slots=True)
class _Attack:
    row: str
    kind: str
    instruction: str


def _attacks(path: Path) -> tuple[list[_Attack], tuple[BrokenRow, ...]]:
    """The attacks in the order of their digests."""
    found, broken = _converted(
        path, lambda row: _Attack(_text(row, "id"), _text(row, "kind"), _text(row, "instruction"))
    )
    return sorted(found, key=lambda attack: _digest(attack.row)), broken


def _attacked(attack: _Attack, question: GoldQuestion, articles: Mapping[str, Article], position: str) -> Task:
    first, *others = (articles[name] for name in question.gold_articles)
    hit = replace(first, text=_with_attack(first.text, attack.instruction, position))
    moved = tuple(_moved(sentence, hit) if sentence.article == hit.id else sentence for sentence in question.gold)
    asked = replace(question, id=f"{attack.row}-{position}", gold=moved, tags=(position, attack.kind))
    return Task(attack.row, asked, (hit, *others), attack.instruction)


def _with_attack(text: str, instruction: str, position: str) -> str:
    """The text with the instruction as a paragraph of its own."""
    paragraphs = text.split("\n\n")
    place = {"start": 0, "middle": len(paragraphs) // 2, "end": len(paragraphs)}[position]
    return "\n\n".join([*paragraphs[:place], instruction, *paragraphs[place:]])


def _moved(sentence: GoldSentence, article: Article) -> GoldSentence:
    start = article.text.index(sentence.quote)  # a quotation never reaches over the end of a paragraph
    return replace(sentence, start=start, end=start + len(sentence.quote))


def read_articles(corpus: Path) -> dict[str, Article]:
    """The articles of a file or folder by id.

    Raises:
        ReadError: one of them can't be read.
    """
    found: dict[str, Article] = {}
    for file in find_files([corpus]):
        for article in read_file(file) if isinstance(file, Path) else [file]:
            if not isinstance(article, Article):
                raise ReadError(f"{article.origin} {article.message}")
            found[article.id] = article
    return found


# Claims


def wice_claims(folder: Path) -> Claims:
    """The claims of WiCE, each with its page: one sentence a line.

    Raises:
        GoldError: the set can't be read, or none of its rows can be used.
    """
    claims, broken = _converted(folder / "claims.jsonl", _claim)
    return Claims(tuple(claims), broken)


def _claim(row: Mapping[str, Any]) -> Claim:
    label = _text(row, "label")
    if label not in _LABELS:
        raise ValueError(f"`label` is {label!r}; known are {', '.join(_LABELS)}")
    name, sentences = _text(row, "id"), [_clean(each, "sentences") for each in _list(row, "sentences")]
    page = "\n".join(sentence for sentence in sentences if sentence)
    if not page:
        raise ValueError("its page has no sentences")
    return Claim(name, _text(row, "claim"), Article(f"page-{name}", "", page), label == _LABELS[0], label == _LABELS[1])


# Rows


T = TypeVar("T")


def _converted(path: Path, convert: Callable[[Mapping[str, Any]], T]) -> tuple[list[T], tuple[BrokenRow, ...]]:
    found: list[T] = []
    broken: list[BrokenRow] = []
    for line, row in read_rows(path):
        try:
            found.append(convert(_object(row)))
        except ValueError as error:
            broken.append(BrokenRow(line, str(error)))
    if not found:
        told = f"; line {broken[0].line} {broken[0].problem}" if broken else ""
        raise GoldError(f"None of the {len(broken)} rows of {path} can be used{told}.")
    return found, tuple(broken)


def _object(row: Any) -> Mapping[str, Any]:
    if isinstance(row, ValueError):
        raise row
    if not isinstance(row, dict):
        raise ValueError("is not an object")
    return row


def _passages(row: Mapping[str, Any], name: str) -> tuple[Article, ...]:
    texts = [_clean(each, name) for each in _list(row, name)]
    return tuple(Article(f"{name}-{n}", "", text) for n, text in enumerate(texts, start=1) if text)


def _text(row: Mapping[str, Any], name: str) -> str:
    if text := _clean(row.get(name), name):
        return text
    raise ValueError(f"`{name}` is empty")


def _clean(value: Any, name: str) -> str:
    """The text without white space around it.

    Raises:
        ValueError: it is no text.
    """
    if not isinstance(value, str) or "\0" in value or any("\ud800" <= c <= "\udfff" for c in value):
        raise ValueError(f"`{name}` holds {value!r:.60}, which is not text")
    return value.strip()


def _list(row: Mapping[str, Any], name: str) -> list[Any]:
    value = row.get(name)
    if not isinstance(value, list):
        raise ValueError(f"`{name}` is not a list")
    return value


def _digest(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()
