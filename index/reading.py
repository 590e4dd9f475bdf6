"""A file, a folder or a JSONL → articles. Knows file formats; knows nothing about the store.

A bad file or row never stops the rest: it becomes a `ReadProblem` that names the file, the row and the remedy.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from index.article import Article

SUFFIXES = (".txt", ".md", ".markdown", ".jsonl")
MAX_FILE_BYTES = 64 * 2**20  # one article; a JSONL is read row by row and has no such limit
MAX_FIELD = 2_000  # characters of a title, source, … ; a longer one is not a title
_ISO_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")
_HEADLINE_LENGTH = 160
_FIRST_WORDS = 80
_MOST_LISTED = 50


@dataclass(frozen=True, slots=True)
class ReadProblem:
    """Something that could not be read: where, and what to do about it."""

    origin: str
    message: str


def find_files(paths: list[Path]) -> list[Path | ReadProblem]:
    """Every readable file under the paths, in a stable order; hidden files and READMEs of a folder are passed over."""
    found: list[Path | ReadProblem] = []
    for path in paths:
        if path.is_dir():
            files = sorted(p for p in _walk(path) if _is_article(p))
            found += files or [ReadProblem(str(path), f"holds no articles; looked for {', '.join(SUFFIXES)}.")]
        elif not path.exists():
            found.append(ReadProblem(str(path), "does not exist; check the path."))
        elif not path.is_file():
            found.append(ReadProblem(str(path), "is neither a file nor a folder."))
        elif path.suffix.lower() not in SUFFIXES:
            found.append(ReadProblem(str(path), f"is of a kind that can't be read yet; give {', '.join(SUFFIXES)}."))
        else:
            found.append(path)
    return list(dict.fromkeys(found))


def read_file(path: Path, consumed: Callable[[int], None] = lambda count: None) -> Iterator[Article | ReadProblem]:
    """The articles of one file, one at a time.

    Args:
        consumed: gets the bytes of the file that each article took, before the article comes.
    """
    try:
        if path.suffix.lower() == ".jsonl":
            yield from _read_jsonl(path, consumed)
        else:
            consumed(path.stat().st_size)
            yield _read_document(path)
    except OSError as error:
        yield ReadProblem(str(path), f"can't be read: {error.strerror or error}. Check its permissions.")
    except ValueError as error:
        yield ReadProblem(str(path), str(error))


def _walk(folder: Path) -> Iterator[Path]:
    for directory, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(directory) / name for name in files if not name.startswith("."))


def _is_article(path: Path) -> bool:
    # is_file is false for a pipe, which would never end, and for a link that leads nowhere.
    return path.suffix.lower() in SUFFIXES and path.stem.lower() != "readme" and path.is_file()


def _read_document(path: Path) -> Article:
    text = _decode(path)
    fields, body = _front_matter(text) if path.suffix.lower() != ".txt" else ({}, text)
    if not body.strip():
        raise ValueError("is empty; an article needs text.")
    title, published = _headline(body)
    known = {name: _field(fields, name) for name in ("source", "author", "url", "note")}
    article = Article(
        id=_slug(_field(fields, "id") or path.stem),
        title=_field(fields, "title") or title or _first_words(body),
        text=body,
        published=_date(_field(fields, "published") or published),
        origin=str(path.absolute()),
        **known,
    )
    _must_be_storable(article)
    return article


def _decode(path: Path) -> str:
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        raise ValueError(f"has {size / 2**20:.0f} MiB; one article may have {MAX_FILE_BYTES // 2**20}. Split it.")
    data = path.read_bytes()
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(f"is not {encoding} text (byte {error.start}); save it as UTF-8.") from error
    if "\0" in text:
        raise ValueError("holds NUL characters, so it is not text; convert it to text first.")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _front_matter(text: str) -> tuple[dict[str, Any], str]:
    if not text.startswith("---\n"):
        return {}, text
    head, closed, body = f"\n{text[4:]}\n".partition("\n---\n")
    if not closed:
        raise ValueError("has front matter that is never closed; end it with a line of three hyphens.")
    try:
        # BaseLoader keeps every scalar a string: no surprise dates, no octal numbers, no objects.
        fields = yaml.load(head, Loader=yaml.BaseLoader)  # noqa: S506
    except RecursionError as error:
        raise ValueError("has front matter that is nested too deeply.") from error
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"has front matter that is not YAML ({reason}); quote values that hold a colon.") from error
    if not isinstance(fields, dict | None):
        raise ValueError("has front matter that is not a list of `name: value` lines.")
    return fields or {}, text[4 + len(head) - 1 + len(closed) :].lstrip("\n") if body else ""


def _headline(body: str) -> tuple[str, str]:
    """The title and the date that plain text begins with, where it does: a short first line, a line with a date."""
    lines = [line.strip() for line in body.lstrip().split("\n", 3)[:3]]
    first = lines[0].removeprefix("# ").strip()
    is_title = len(lines) > 1 and 0 < len(first) <= _HEADLINE_LENGTH and first[-1] not in ".;,"
    date = next((line for line in lines[1:] if re.fullmatch(r"\d{4}-\d{2}-\d{2}", line)), "")
    return (first if is_title else "", date)


def _first_words(text: str) -> str:
    """What an article without a headline is called: its first words."""
    line = text.strip().split("\n", 1)[0]
    return line if len(line) <= _FIRST_WORDS else line[:_FIRST_WORDS].rpartition(" ")[0].rstrip(" ,;:–—-") + " …"


def _read_jsonl(path: Path, consumed: Callable[[int], None]) -> Iterator[Article | ReadProblem]:
    rows = 0
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            consumed(len(line))
            if not line.strip():
                continue
            rows += 1
            origin = f"{path.absolute()}:{number}"
            try:
                yield _read_row(line, origin)
            except ValueError as error:
                yield ReadProblem(origin, str(error))
    if not rows:
        yield ReadProblem(str(path), "is empty; give one JSON object a line.")


def _read_row(line: bytes, origin: str) -> Article:
    try:
        row = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ValueError(f"is not UTF-8 (byte {error.start} of the line).") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON: {error.msg} at column {error.colno}.") from error
    except RecursionError as error:
        raise ValueError("is nested too deeply.") from error
    if not isinstance(row, dict):
        raise ValueError("is not a JSON object; a row needs at least `id` and `text`.")
    text = row.get("text")
    if not isinstance(text, str) or not text.strip():
        raise ValueError("has no `text`; an article needs text.")
    if row.get("id") in (None, ""):
        raise ValueError("has no `id`; a row needs a name that stays the same.")
    article = Article(
        id=str(row["id"]),
        text=text,
        title=_field(row, "title") or _first_words(text),
        published=_date(_field(row, "published")),
        origin=origin,
        **{name: _field(row, name) for name in ("source", "author", "url", "note")},
    )
    _must_be_storable(article)
    return article


def _must_be_storable(article: Article) -> None:
    for name in ("id", "title", "text", "source", "author", "url", "note"):
        value = getattr(article, name)
        if "\0" in value:
            raise ValueError(f"has a NUL character in `{name}`; remove it.")
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"has half of a surrogate pair in `{name}` (character {error.start}).") from error


def _field(row: dict[str, Any], name: str) -> str:
    value = row.get(name)
    if value is None:
        return ""
    if isinstance(value, list) and len(value) <= _MOST_LISTED and all(isinstance(part, str) for part in value):
        value = ", ".join(value)
    # Nothing nested is ever turned into text: a few lines of YAML anchors can stand for gigabytes.
    if not isinstance(value, str | int | float):
        raise ValueError(f"has a `{name}` that is a {type(value).__name__}; give plain text.")
    text = " ".join(str(value).split())
    if len(text) > MAX_FIELD:
        raise ValueError(f"has a `{name}` of {len(text)} characters; at most {MAX_FIELD} are kept.")
    return text


def _date(value: str) -> str:
    """An ISO date of whatever precision is given; a time of day is cut off."""
    if not value:
        return ""
    match = _ISO_DATE.match(value)
    if not match or (len(value) > match.end() and value[match.end()] not in "T "):
        raise ValueError(f"has a `published` of {value[:40]!r}; write it as 2025-07-27, 2025-07 or 2025.")
    return match.group()


def _slug(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name).strip("-") or "article"
