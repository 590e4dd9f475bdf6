"""Gold questions in other formats → ours: SQuAD, LlamaIndex's LabelledRagDataset, RAGAS, CSV, benchmark folders.

Each format is a reader that makes rows of our own format (docs/gold.md); `evals.gold` checks them, so every format is
held to the same rules. A row that can't be used never stops the rest.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

from evals.gold import KEYS, BrokenRow, GoldQuestion, Kind, gather, read_rows, write_rows
from index.article import Article, Span
from index.errors import GoldError
from index.reading import read_file
from index.sentences import split_sentences

MAX_DOCUMENT_BYTES = 256 * 2**20  # a JSON document is parsed whole; JSONL and CSV are read row by row
_HEAD_BYTES = 2**16  # what is looked at to tell the format
_TITLE_CHARACTERS = 80

Rows = Iterator[tuple[int, Any]]


class Format(StrEnum):
    """What can be imported; `auto` tells it by the content."""

    AUTO = "auto"
    SQUAD = "squad"
    LABELLED_RAG = "labelled-rag"
    RAGAS = "ragas"
    CSV = "csv"
    BENCHMARK = "benchmark"


_NAMES = ", ".join(Format)
_SIGNS = (
    (Format.LABELLED_RAG, re.compile(r'\s*\{\s*"examples"\s*:')),
    (Format.SQUAD, re.compile(r'\s*\{\s*"(data|version)"\s*:')),
    (Format.RAGAS, re.compile(r'\s*\[?\s*\{.*"(user_input|ground_truth|reference_contexts|contexts)"\s*:', re.DOTALL)),
    (Format.CSV, re.compile(r'([^\n]*,)?\s*"?question"?\s*(,|\r|\n|$)')),
)


@dataclass(frozen=True, slots=True)
class Imported:
    """What a file held: questions, the articles that they brought along, and the rows that can't be used.

    A problem's `line` is the line of a JSONL, the row of a table (its header is row 1), and in a JSON document which
    question it is, counted from 1.
    """

    questions: tuple[GoldQuestion, ...]
    articles: tuple[Article, ...]
    problems: tuple[BrokenRow, ...]


def import_gold(path: Path, format: str = Format.AUTO, articles: Mapping[str, Article] | None = None) -> Imported:
    """Read gold questions in another format.

    Args:
        format: a value of `Format`.
        articles: the corpus by id, for a CSV that quotes it; the other formats bring their texts along. A benchmark's
            articles stay where they are.

    Raises:
        GoldError: the file can't be read or told, or none of its rows can be used.
    """
    named, head = _known(format), "" if path.is_dir() else _head(path)
    chosen = _told(path, head) if named is Format.AUTO else named
    if chosen is Format.CSV:
        found = gather(path, _csv(path), articles)
        return Imported(found.questions, (), found.broken)
    brought: dict[str, Article] = {}  # filled by the reader, an article before the first row that needs it
    found = gather(path, _READERS[chosen](path, brought), brought)
    return Imported(found.questions, () if chosen is Format.BENCHMARK else tuple(brought.values()), found.broken)


def write_articles(path: Path, articles: Iterable[Article]) -> None:
    """Write articles as a JSONL that `dateline index add` and `--corpus` read, whole or not at all.

    Raises:
        GoldError: the file can't be written.
    """
    write_rows(path, ({"id": article.id, "title": article.title, "text": article.text} for article in articles))


def _known(name: str) -> Format:
    try:
        return Format(name)
    except ValueError as error:
        raise GoldError(f"There is no format {name!r}; known are {_NAMES}.") from error


def _told(path: Path, head: str) -> Format:
    """The format by the content."""
    if path.is_dir():
        return Format.BENCHMARK
    for told, sign in _SIGNS:
        if sign.match(head):
            return told
    raise GoldError(f"{path} looks like none of the known formats; name the one that is meant: {_NAMES}.")


def _head(path: Path) -> str:
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES).decode("utf-8-sig", errors="replace")
    except OSError as error:
        raise GoldError(f"{path} can't be read: {error.strerror or error}.") from error
    if not head.strip():
        raise GoldError(f"{path} is empty; there is nothing to import.")
    return head


def _document(path: Path) -> Any:
    """A JSON document, whole."""
    try:
        if (size := path.stat().st_size) > MAX_DOCUMENT_BYTES:
            raise GoldError(
                f"{path} has {size / 2**20:.0f} MiB; at most {MAX_DOCUMENT_BYTES // 2**20} are read. Split it."
            )
        return json.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise GoldError(f"{path} can't be read: {error.strerror or error}.") from error
    except RecursionError as error:
        raise GoldError(f"{path} is nested too deeply to be a set of questions.") from error
    except ValueError as error:
        raise GoldError(f"{path} is not JSON in UTF-8: {error}.") from error


def _converted(rows: Iterable[tuple[int, Any]], convert: Callable[[int, Any], dict[str, Any]]) -> Rows:
    """Rows converted one by one; one that can't be is a ValueError in its place."""
    for line, row in rows:
        made = row
        if not isinstance(row, ValueError):
            try:
                made = convert(line, row)
            except ValueError as error:
                made = error
        yield line, made


def _squad(path: Path, corpus: dict[str, Article]) -> Rows:
    """SQuAD 1.1 and 2.0 (Rajpurkar et al. 2016, 2018): titles → paragraphs with a context → questions with spans."""
    questions: Iterator[tuple[Any, Any, Any]] = (
        (_get(entry, "title"), _get(paragraph, "context"), question)
        for entry in _items(_document(path), "data")
        for paragraph in _items(entry, "paragraphs")
        for question in _items(paragraph, "qas")
    )
    return _converted(enumerate(questions, start=1), lambda _, row: _squad_row(row, corpus))


def _squad_row(row: tuple[Any, Any, Any], corpus: dict[str, Article]) -> dict[str, Any]:
    title, context, question = row
    if not isinstance(question, dict):
        raise ValueError("a question of SQuAD stands in `data`, `paragraphs`, `qas`, each a list of objects")
    article = _article(context, corpus, title.replace("_", " ") if isinstance(title, str) else "")
    impossible = question.get("is_impossible") is True
    spans = [] if impossible else [_span(answer, article) for answer in _listed(question.get("answers"), "answers")]
    gold = dict.fromkeys(sentence for span in spans for sentence in _sentences_of(article.text, span))
    return {
        "id": question.get("id"),
        "kind": _kind(not impossible),
        "question": question.get("question"),
        "answerable": not impossible,
        "answers": list(dict.fromkeys(article.text[span.start : span.end] for span in spans)),
        "gold": [_quoted(article, sentence) for sentence in gold],
    }


def _span(answer: Any, article: Article) -> Span:
    """Where an answer of SQuAD stands in its context."""
    text, start = _get(answer, "text"), _get(answer, "answer_start")
    if not isinstance(text, str) or not text or not isinstance(start, int) or start < 0:
        raise ValueError("an answer of SQuAD needs a `text` and its `answer_start`")
    if not article.text.startswith(text, start):
        raise ValueError(f"the context does not hold {text[:60]!r} at `answer_start` {start}")
    return Span(start, start + len(text))


@lru_cache(maxsize=4)  # questions about one context follow each other
def _sentences(text: str) -> tuple[Span, ...]:
    return tuple(split_sentences(text))


def _sentences_of(text: str, span: Span) -> list[Span]:
    return [sentence for sentence in _sentences(text) if sentence.start < span.end and span.start < sentence.end]


def _labelled_rag(path: Path, corpus: dict[str, Article]) -> Rows:
    """What `LabelledRagDataset.save_json` of llama-index-core writes (up to 0.14.8 in that package)."""

    def convert(number: int, row: Any) -> dict[str, Any]:
        if not isinstance(row, dict):
            raise ValueError("an example needs a `query` and a `reference_answer`")
        contexts = _listed(row.get("reference_contexts"), "reference_contexts")
        return _rag_row(f"{path.stem}-{number}", row.get("query"), row.get("reference_answer"), contexts, corpus)

    return _converted(enumerate(_items(_document(path), "examples"), start=1), convert)


def _ragas(path: Path, corpus: dict[str, Article]) -> Rows:
    """What RAGAS's `EvaluationDataset.to_jsonl` writes, or a JSON list of rows; in the names since 0.2 or before."""

    def convert(number: int, row: Any) -> dict[str, Any]:
        if not isinstance(row, dict):
            raise ValueError("a row needs a `user_input` and a `reference`")
        question, reference = _first(row, "user_input", "question"), _first(row, "reference", "ground_truth")
        if isinstance(question, list):
            raise ValueError("is a conversation, which has no one question; import single turns only")
        contexts = _listed(_first(row, "reference_contexts", "contexts"), "reference_contexts")
        return _rag_row(f"{path.stem}-{number}", question, reference, contexts, corpus)

    if _head(path).lstrip().startswith("["):
        return _converted(enumerate(_document(path), start=1), convert)
    return _converted(read_rows(path), convert)


def _rag_row(
    name: str, question: Any, reference: Any, contexts: list[Any], corpus: dict[str, Article]
) -> dict[str, Any]:
    return {
        "id": name,
        "kind": Kind.FACT.value,
        "question": question,
        "answerable": True,
        "reference": reference,
        "gold_articles": list(dict.fromkeys(_article(context, corpus).id for context in contexts)),
    }


def _csv(path: Path) -> Rows:
    """A table whose columns are named like our keys; docs/gold.md says how lists are written in a cell."""
    try:
        # What is not UTF-8 becomes half of a surrogate pair, which makes its own row a broken one and no other.
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            records = _records(csv.reader(file, strict=True))
            _, header = next(records, (1, []))
            if isinstance(header, ValueError) or "question" not in header or not set(header) <= KEYS:
                raise GoldError(f"{path} has the columns {header}; it needs `question`, and may have {sorted(KEYS)}.")
            names: list[str] = header
            yield from _converted(records, lambda number, cells: _csv_row(f"{path.stem}-{number}", names, cells))
    except OSError as error:
        raise GoldError(f"{path} can't be read: {error.strerror or error}.") from error


def _records(reader: Iterator[list[str]]) -> Rows:
    number = 0
    while True:
        number += 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield number, ValueError(f"is not CSV: {error}")
            continue
        if any(cell.strip() for cell in cells):
            yield number, cells


def _csv_row(name: str, header: list[str], cells: list[str]) -> dict[str, Any]:
    if len(cells) > len(header):
        raise ValueError(f"has {len(cells)} cells and the header {len(header)}; put quotes around a cell with commas")
    told = {key: cell.strip() for key, cell in zip(header, cells, strict=False) if cell.strip()}
    row: dict[str, Any] = {key: _CELLS.get(key, str)(cell) for key, cell in told.items()}
    answerable = row.setdefault("answerable", True)
    return {"id": name, "kind": _kind(answerable), **row}


def _parts(cell: str) -> list[str]:
    return [part.strip() for part in cell.split("|") if part.strip()]


def _truth(cell: str) -> bool:
    if cell.lower() not in ("true", "false"):
        raise ValueError(f"a cell holds {cell!r:.60}, which is neither true nor false")
    return cell.lower() == "true"


def _pairs(first: str, second: str) -> Callable[[str], list[dict[str, str]]]:
    """Reads `a: b | c: d` as objects of two fields."""

    def pairs(cell: str) -> list[dict[str, str]]:
        split = [part.partition(":") for part in _parts(cell)]
        return [{first: left.strip(), second: right.strip()} for left, _, right in split]

    return pairs


_CELLS: dict[str, Callable[[str], Any]] = {
    "answerable": _truth,
    "reviewed": _truth,
    "answers": _parts,
    "tags": _parts,
    "gold_articles": _parts,
    "must": lambda cell: [_parts(group) for group in cell.split(";")],
    "history": _pairs("role", "content"),
    "gold": _pairs("article", "quote"),
}


def _benchmark(folder: Path, corpus: dict[str, Article]) -> Rows:
    """A folder with articles.jsonl and questions.jsonl, such as those that `DATELINE_BENCHMARKS` holds."""
    articles = folder / "articles.jsonl"
    if not articles.is_file():
        raise GoldError(f"{folder} has no articles.jsonl; questions that bring their own passages can't be imported.")
    corpus.update({article.id: article for article in read_file(articles) if isinstance(article, Article)})
    return _converted(read_rows(folder / "questions.jsonl"), lambda _, row: _benchmark_row(row, corpus))


def _benchmark_row(row: Any, corpus: Mapping[str, Article]) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise ValueError("a row needs `id`, `question`, `answers` and `answerable`")
    answers = _listed(row.get("answers"), "answers")
    articles = _listed(row.get("gold_articles"), "gold_articles")
    long_form = "gold_sentences" in row  # such answers are whole texts, which no answer holds word for word
    return {
        "id": row.get("id"),
        "kind": _kind(row.get("answerable")),
        "question": row.get("question"),
        "asked": row.get("asked"),
        "answerable": row.get("answerable"),
        "answers": [] if long_form else answers,
        "reference": answers[0] if long_form and answers else "",
        "gold": [_placed(quote, articles, corpus) for quote in _listed(row.get("gold_sentences"), "gold_sentences")],
        "gold_articles": articles,
    }


def _placed(quote: Any, articles: list[Any], corpus: Mapping[str, Article]) -> dict[str, Any]:
    """A gold sentence, found in one of the question's articles."""
    for article in (corpus[name] for name in articles if isinstance(name, str) and name in corpus):
        if isinstance(quote, str) and quote and (start := article.text.find(quote)) >= 0:
            return _quoted(article, Span(start, start + len(quote)))
    raise ValueError(f"none of its articles holds the gold sentence {quote!r:.60}")


def _article(text: Any, corpus: dict[str, Article], title: str = "") -> Article:
    """The context as an article of the corpus; the same text is the same article."""
    if not isinstance(text, str) or not text.strip():
        raise ValueError("has a context that is not text")
    if "\0" in text or any("\ud800" <= c <= "\udfff" for c in text):
        raise ValueError("has a context with NUL characters or halves of surrogate pairs, which is no text")
    name = hashlib.sha256(text.encode()).hexdigest()[:12]
    headline = textwrap.shorten(title or text, _TITLE_CHARACTERS, placeholder=" …")
    return corpus.setdefault(name, Article(name, headline, text))


def _quoted(article: Article, span: Span) -> dict[str, Any]:
    return {"article": article.id, "start": span.start, "quote": article.text[span.start : span.end]}


def _kind(answerable: Any) -> str:
    return (Kind.FACT if answerable else Kind.UNANSWERABLE).value


def _items(value: Any, name: str) -> list[Any]:
    """The list `name` of an object; where there is none, a None that becomes one broken row."""
    items = _get(value, name)
    return items if isinstance(items, list) else [None]


def _get(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _first(row: Mapping[str, Any], *names: str) -> Any:
    """The first of the fields that is there and not null."""
    return next((row[name] for name in names if row.get(name) is not None), None)


def _listed(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list | None):
        raise ValueError(f"`{name}` is not a list")
    return value or []


_READERS: dict[Format, Callable[[Path, dict[str, Article]], Rows]] = {
    Format.SQUAD: _squad,
    Format.LABELLED_RAG: _labelled_rag,
    Format.RAGAS: _ragas,
    Format.BENCHMARK: _benchmark,
}
