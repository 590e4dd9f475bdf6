"""Gold questions: what a row holds, reading rows with every fault named by its line, and writing them.

docs/gold.md describes the format. Knows nothing of other formats (evals/importing.py) and of how answers are scored.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from index.article import Article
from index.errors import GoldError
from rag.types import Turn

_REQUIRED = ("id", "kind", "question", "answerable")
_LISTS = ("history", "answers", "must", "gold", "gold_articles", "tags")
_TEXTS = ("asked", "reference", "standalone")
KEYS = frozenset((*_REQUIRED, *_LISTS, *_TEXTS, "reviewed"))
_MOST_TOLD = 20  # broken rows that an error lists


class Kind(StrEnum):
    """What a question tries."""

    FACT = "fact"
    ATTRIBUTION = "attribution"
    CONTRAST = "contrast"
    FOLLOW_UP = "follow-up"
    UNANSWERABLE = "unanswerable"
    FALSE_PREMISE = "false-premise"
    UNDERSPECIFIED = "underspecified"
    PARTIAL = "partial"


# Unanswerable kinds that have a right reply beside declining: denying the premise, naming what could be meant.
_REPLIES = frozenset({Kind.FALSE_PREMISE, Kind.UNDERSPECIFIED})


@dataclass(frozen=True, slots=True)
class GoldSentence:
    """A sentence that the answer rests on: `article.text[start:end] == quote`."""

    article: str
    start: int
    end: int
    quote: str


@dataclass(frozen=True, slots=True)
class GoldQuestion:
    """A question with what a right answer holds.

    An answer is right if it holds one of `answers` (where there are any) and one alternative of every group of
    `must`. A question of a false premise is answered rightly by declining too.

    `gold_articles` are ids; left out, they are those of `gold`. `reference` is a whole answer to compare wording
    with. `standalone` is the question of a follow-up with everything filled in that it refers to.
    """

    id: str
    kind: Kind
    question: str
    history: tuple[Turn, ...]
    asked: str
    answerable: bool
    answers: tuple[str, ...]
    must: tuple[tuple[str, ...], ...]
    gold: tuple[GoldSentence, ...]
    tags: tuple[str, ...]
    gold_articles: tuple[str, ...] = ()
    reference: str = ""
    standalone: str = ""

    def __post_init__(self) -> None:
        if not self.gold_articles:
            object.__setattr__(self, "gold_articles", _articles_of(self.gold))


@dataclass(frozen=True, slots=True)
class BrokenRow:
    """A row that can't be used: its line, counted from 1, and what is wrong with it."""

    line: int
    problem: str


@dataclass(frozen=True, slots=True)
class GoldSet:
    """The questions of a file in its order, and the rows that can't be used."""

    questions: tuple[GoldQuestion, ...]
    broken: tuple[BrokenRow, ...]


def read_gold(path: Path, articles: Mapping[str, Article]) -> GoldSet:
    """The questions of a JSONL, checked against the corpus that they are about.

    Args:
        articles: the corpus by article id; every gold quotation must stand in it.

    Raises:
        GoldError: the file can't be read, or none of its rows can be used.
    """
    return gather(path, read_rows(path), articles)


def gather(path: Path, rows: Iterable[tuple[int, Any]], articles: Mapping[str, Article] | None) -> GoldSet:
    """Rows with their lines → questions and broken rows; a row that is a `ValueError` could not even be read.

    Raises:
        GoldError: none of the rows can be used; `path` is where they come from.
    """
    questions: list[GoldQuestion] = []
    broken: list[BrokenRow] = []
    lines: dict[str, int] = {}
    for line, row in rows:
        try:
            if isinstance(row, ValueError):
                raise row
            question = from_row(row, articles)
            if question.id in lines:
                raise ValueError(f"repeats the id {question.id!r} of line {lines[question.id]}")
            lines[question.id] = line
            questions.append(question)
        except ValueError as error:
            broken.append(BrokenRow(line, str(error)))
    if not questions:
        raise GoldError(_nothing_usable(path, broken))
    return GoldSet(tuple(questions), tuple(broken))


def read_rows(path: Path) -> Iterator[tuple[int, Any]]:
    """Every line that is not empty, with its number, as JSON; as a ValueError that says why, where it is none."""
    try:
        with path.open("rb") as lines:  # by bytes: U+2028 ends no row, and a line that is not UTF-8 spoils no other
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield number, _parsed(line)
    except OSError as error:
        raise GoldError(f"{path} can't be read: {error.strerror or error}.") from error


def write_gold(path: Path, questions: Iterable[GoldQuestion]) -> None:
    """Write questions as JSONL, whole or not at all.

    Raises:
        GoldError: the file can't be written.
    """
    write_rows(path, map(to_row, questions))


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write JSON objects as JSONL, whole or not at all.

    Raises:
        GoldError: the file can't be written.
    """
    partial = path.with_name(f"{path.name}.partial")
    try:
        with partial.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(row_line(row) for row in rows)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise GoldError(f"{path} can't be written: {error.strerror or error}.") from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()


def row_line(row: Mapping[str, Any]) -> str:
    """A row as its line of JSONL, line end included."""
    return json.dumps(row, ensure_ascii=False) + "\n"


def to_row(question: GoldQuestion) -> dict[str, Any]:
    """The question as a JSON object without its empty fields; `from_row` makes the same question of it."""
    told_articles = question.gold_articles
    if told_articles == _articles_of(question.gold) and _has_answer(question):
        told_articles = ()
    row = {
        "id": question.id,
        "kind": question.kind.value,
        "question": question.question,
        "standalone": question.standalone,
        "history": [{"role": turn.role, "content": turn.content} for turn in question.history],
        "asked": question.asked,
        "answerable": question.answerable,
        "answers": list(question.answers),
        "must": [list(group) for group in question.must],
        "reference": question.reference,
        "gold": [{"article": g.article, "start": g.start, "end": g.end, "quote": g.quote} for g in question.gold],
        "gold_articles": list(told_articles),
        "tags": list(question.tags),
    }
    return {name: value for name, value in row.items() if value not in ("", [])}


def from_row(row: Any, articles: Mapping[str, Article] | None) -> GoldQuestion:
    """The question that a JSON object describes.

    Args:
        articles: the corpus by id; None where there is none at hand: then ids are taken as they are and quotations
            can't be placed.

    Raises:
        ValueError: what is wrong with the row, in words for whoever wrote it.
    """
    if not isinstance(row, dict) or not set(_REQUIRED) <= set(row):
        raise ValueError(f"a row needs at least {', '.join(_REQUIRED)}")
    _only(row, KEYS, "a row")
    if not _flag(row.get("reviewed", True), "reviewed"):
        raise ValueError("is not reviewed yet; mend the row where needed, then set `reviewed` to true")
    lists = {name: _list(row.get(name), name) for name in _LISTS}
    question = GoldQuestion(
        id=_text(row["id"], "id"),
        kind=_kind(row["kind"]),
        question=_text(row["question"], "question"),
        history=tuple(_turn(turn) for turn in lists["history"]),
        asked=_date(row.get("asked")),
        answerable=_flag(row["answerable"], "answerable"),
        answers=tuple(_text(each, "answers") for each in lists["answers"]),
        must=tuple(_group(each) for each in lists["must"]),
        gold=tuple(_sentence(each, articles) for each in lists["gold"]),
        tags=tuple(_text(each, "tags") for each in lists["tags"]),
        gold_articles=tuple(_article_id(each, articles) for each in lists["gold_articles"]),
        reference=_optional(row.get("reference"), "reference"),
        standalone=_optional(row.get("standalone"), "standalone"),
    )
    _must_agree(question, bool(lists["gold_articles"]))
    return question


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        return ValueError(f"is not UTF-8 (byte {error.start + 1} of the line)")
    except json.JSONDecodeError as error:
        return ValueError(f"is not JSON: {error.msg} at column {error.colno}")
    except RecursionError:
        return ValueError("is nested too deeply")
    except ValueError as error:  # a number of thousands of digits
        return error


def _nothing_usable(path: Path, broken: list[BrokenRow]) -> str:
    if not broken:
        return f"{path} is empty; give one question a line, as docs/gold.md describes."
    told = [f"  line {row.line}: {row.problem}" for row in broken[:_MOST_TOLD]]
    more = [f"  and {len(broken) - _MOST_TOLD} more"] if len(broken) > _MOST_TOLD else []
    return "\n".join([f"None of the {len(broken)} rows of {path} can be used:", *told, *more])


def _must_agree(question: GoldQuestion, names_articles: bool) -> None:
    """What is answerable says what is right; what is not, and has no other right reply, says nothing of the kind."""
    if question.answerable and question.kind in (Kind.UNANSWERABLE, Kind.FALSE_PREMISE):
        raise ValueError(f"is of the kind {question.kind.value} and `answerable`; one of the two is wrong")
    if question.answerable and not _has_answer(question) and not names_articles:
        raise ValueError(
            "an answerable question needs `answers`, `must` or `reference`, or at least `gold_articles` to be found"
        )
    if not question.answerable and question.kind not in _REPLIES and (question.answers or question.must):
        raise ValueError(f"is not answerable and has answers; of such, only {_listed(_REPLIES)} may have a right reply")
    if strange := [a for a in _articles_of(question.gold) if a not in question.gold_articles]:
        raise ValueError(f"`gold_articles` leaves out {strange[0]!r}, which `gold` quotes")


def _has_answer(question: GoldQuestion) -> bool:
    return bool(question.answers or question.must or question.reference)


def _articles_of(gold: Iterable[GoldSentence]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(sentence.article for sentence in gold))


def _sentence(value: Any, articles: Mapping[str, Article] | None) -> GoldSentence:
    if not isinstance(value, dict) or not {"article", "quote"} <= set(value):
        raise ValueError("`gold` needs an `article` and a `quote` in every entry")
    _only(value, {"article", "quote", "start", "end"}, "`gold`")
    if articles is None:
        raise ValueError("quotes an article; name the corpus, so that the quotation can be placed")
    article = articles[_article_id(value["article"], articles)]
    quote = _text(value["quote"], "quote")
    start = _start(value.get("start"), quote, article)
    if value.get("end", start + len(quote)) != start + len(quote):
        raise ValueError(f"`end` is {value['end']!r}, but the quotation at {start} ends at {start + len(quote)}")
    return GoldSentence(article.id, start, start + len(quote), quote)


def _start(told: Any, quote: str, article: Article) -> int:
    """Where the quotation stands: at `told`, or else where it stands once."""
    found = article.text.find(quote)
    if found < 0:
        raise ValueError(f"{article.id} does not hold the gold quotation {quote[:60]!r}")
    if told is None:
        if article.text.find(quote, found + 1) >= 0:
            raise ValueError(f"{article.id} holds {quote[:60]!r} more than once; say which by `start`")
        return found
    if not isinstance(told, int) or isinstance(told, bool) or told < 0 or not article.text.startswith(quote, told):
        raise ValueError(f"{article.id} holds {quote[:60]!r} at {found}, not at `start` {told!r}")
    return told


def _article_id(value: Any, articles: Mapping[str, Article] | None) -> str:
    name = _text(value, "article")
    if articles is not None and name not in articles:
        raise ValueError(f"there is no article {name!r} in the corpus")
    return name


def _turn(value: Any) -> Turn:
    if not isinstance(value, dict) or value.get("role") not in ("user", "assistant"):
        raise ValueError("`history` needs a `role` (user, assistant) and a `content` in every turn")
    _only(value, {"role", "content"}, "a turn of `history`")
    return Turn(value["role"], _text(value.get("content"), "content"))


def _group(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError("`must` is a list of groups, each a list of alternatives")
    return tuple(_text(each, "must") for each in value)


def _kind(value: Any) -> Kind:
    if not isinstance(value, str) or value not in set(Kind):
        raise ValueError(f"`kind` is {value!r}; known are {_listed(Kind)}")
    return Kind(value)


def _date(value: Any) -> str:
    text = _optional(value, "asked")
    try:
        return datetime.date.fromisoformat(text).isoformat() if text else ""
    except ValueError as error:
        raise ValueError(f"`asked` is {text!r}; write a date as 2025-07-27") from error


def _flag(value: Any, name: str) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"`{name}` is {value!r}, neither true nor false")
    return value


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list | None):
        raise ValueError(f"`{name}` is not a list")
    return value or []


def _optional(value: Any, name: str) -> str:
    return "" if value in (None, "") else _text(value, name)


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"`{name}` holds {value!r:.60}, which is not text")
    if not value.strip():
        raise ValueError(f"`{name}` holds an empty text")
    if any("\ud800" <= c <= "\udfff" for c in value):
        raise ValueError(f"`{name}` holds what is no text: half of a surrogate pair, or bytes that are not UTF-8")
    return value


def _only(value: Mapping[str, Any], known: Iterable[str], what: str) -> None:
    if unknown := set(value) - set(known):
        raise ValueError(f"unknown keys {sorted(unknown)} in {what}; known are {sorted(known)}")


def _listed(kinds: Iterable[Kind]) -> str:
    return ", ".join(sorted(kind.value for kind in kinds))
