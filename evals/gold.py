"""Gold questions: what a row holds, and reading them with every error named by its line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from index.article import Article
from index.errors import GoldError
from rag.answer import Turn

_KEYS = {"id", "kind", "question", "history", "asked", "answerable", "answers", "must", "gold", "tags"}


class Kind(StrEnum):
    """What a question tries."""

    FACT = "fact"
    ATTRIBUTION = "attribution"
    CONTRAST = "contrast"
    FOLLOW_UP = "follow-up"
    UNANSWERABLE = "unanswerable"
    FALSE_PREMISE = "false-premise"


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


def read_gold(path: Path, articles: Mapping[str, Article]) -> list[GoldQuestion]:
    """The questions of a JSONL, checked against the corpus that they are about.

    Args:
        articles: the corpus by article id; every gold quotation must stand in it.

    Raises:
        GoldError: names every bad row with its line and what is wrong with it.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")  # splitlines() also cuts at U+2028
    except (OSError, UnicodeDecodeError) as error:
        raise GoldError(f"{path} can't be read: {error}.") from error
    questions: list[GoldQuestion] = []
    problems: list[str] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            question = _question(json.loads(line), articles)
            if any(question.id == other.id for other in questions):
                raise ValueError(f"repeats the id {question.id!r}")
            questions.append(question)
        except (ValueError, RecursionError) as error:
            problems.append(f"  line {number}: {error}")
    if problems:
        raise GoldError(f"{path} has {len(problems)} bad rows; mend them and run again:\n" + "\n".join(problems))
    if not questions:
        raise GoldError(f"{path} holds no questions.")
    return questions


def _question(row: Any, articles: Mapping[str, Article]) -> GoldQuestion:
    if not isinstance(row, dict) or not {"id", "kind", "question", "answerable"} <= set(row):
        raise ValueError("a row needs at least id, kind, question and answerable")
    if unknown := set(row) - _KEYS:
        raise ValueError(f"unknown keys {sorted(unknown)}; known are {sorted(_KEYS)}")
    question = GoldQuestion(
        id=str(row["id"]),
        kind=Kind(row["kind"]),
        question=_text(row["question"], "question"),
        history=tuple(_turn(turn) for turn in _list(row, "history")),
        asked=_text(row.get("asked") or "", "asked"),
        answerable=row["answerable"] is True,
        answers=tuple(_text(each, "answers") for each in _list(row, "answers")),
        must=tuple(_group(each) for each in _list(row, "must")),
        gold=tuple(_sentence(each, articles) for each in _list(row, "gold")),
        tags=tuple(_text(each, "tags") for each in _list(row, "tags")),
    )
    if question.answerable and not (question.answers or question.must):
        raise ValueError("an answerable question needs `answers` or `must`")
    return question


def _sentence(value: Any, articles: Mapping[str, Article]) -> GoldSentence:
    if not isinstance(value, dict) or not value.get("quote") or not isinstance(value["quote"], str):
        raise ValueError("a row of `gold` needs an `article` and a `quote`")
    article = articles.get(str(value.get("article")))
    if article is None:
        raise ValueError(f"there is no article {value.get('article')!r} in the corpus")
    start = article.text.find(value["quote"])
    if start < 0:
        raise ValueError(f"{value['article']} does not hold the gold quotation {value['quote'][:60]!r}")
    return GoldSentence(article.id, start, start + len(value["quote"]), value["quote"])


def _turn(value: Any) -> Turn:
    if not isinstance(value, dict) or value.get("role") not in ("user", "assistant"):
        raise ValueError("`history` needs a `role` (user, assistant) and a `content` in every turn")
    return Turn(value["role"], _text(value.get("content"), "history"))


def _group(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError("`must` is a list of groups, each a list of alternatives")
    return tuple(_text(each, "must") for each in value)


def _list(row: Mapping[str, Any], name: str) -> list[Any]:
    value = row.get(name) or []
    if not isinstance(value, list):
        raise ValueError(f"`{name}` is not a list")
    return value


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"`{name}` holds {value!r}, which is not text")
    return value
