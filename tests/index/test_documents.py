"""Real documents that other programs made: what is read from them, beside what a careful person reads.

`documents/` holds ten invented articles as PDF, Word, HTML, mail, Markdown, text and CSV, made by LibreOffice,
Chromium, pandoc and Python; `expected.jsonl` says what each file holds. `python -m tests.index.test_documents` prints
the table.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from index.article import Article
from index.reading import Reader, Reading

FOLDER = Path(__file__).parent / "documents"
FIELDS = ("title", "published", "author", "text", "clean")
# Right at least, of ten files each (txt: twelve; csv: 29 rows). Most of what is missed: bylines without "By", column
# names in German, boilerplate in mails and printed pages.
AT_LEAST = {
    "pdf": (9, 8, 6, 9, 6),
    "docx": (10, 10, 9, 10, 10),
    "html": (10, 9, 9, 10, 10),
    "eml": (9, 8, 6, 10, 5),
    "md": (9, 10, 9, 10, 9),
    "txt": (10, 11, 5, 11, 10),
    "csv": (26, 26, 26, 26, 26),
}


@lru_cache(maxsize=1)
def measured() -> dict[str, dict[str, list[bool]]]:
    """Format → field → whether each file's is right."""
    found: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for expected, article in _read():
        right = found[expected["file"].partition("/")[0]]
        for field, is_right in zip(FIELDS, _compared(expected, article), strict=True):
            right[field].append(is_right)
    return found


def _read() -> Iterator[tuple[dict[str, Any], Article | None]]:
    read: dict[str, list[Article]] = {}
    with Reader() as reader:
        for line in (FOLDER / "expected.jsonl").read_text(encoding="utf-8").splitlines():
            expected = json.loads(line)
            if expected["file"] not in read:
                results = reader.read(FOLDER / expected["file"])
                read[expected["file"]] = [each.article for each in results if isinstance(each, Reading)]
            fitting = [a for a in read[expected["file"]] if "id" not in expected or a.id == str(expected["id"])]
            yield expected, fitting[0] if fitting else None


def _compared(expected: dict[str, Any], article: Article | None) -> tuple[bool, ...]:
    if article is None:
        return (False,) * len(FIELDS)
    whole = " ".join(article.text.split())
    return (
        article.title == expected["title"] or not expected["title"],
        article.published == expected["published"],
        article.author == expected["author"],
        all(" ".join(sentence.split()) in whole for sentence in expected["contains"]),
        not any(strange in article.text for strange in expected["not_contains"]),
    )


@pytest.mark.parametrize("kind", AT_LEAST)
def test_documents_of_other_programs_are_read_as_a_careful_person_reads_them(kind: str) -> None:
    right = {field: sum(values) for field, values in measured()[kind].items()}
    for field, least in zip(FIELDS, AT_LEAST[kind], strict=True):
        assert right[field] >= least, f"{field}: {right[field]} of {len(measured()[kind][field])}"


if __name__ == "__main__":
    print(f"{'':6}" + "".join(f"{field:>12}" for field in FIELDS))
    for kind, fields in measured().items():
        cells = (f"{sum(fields[field])} of {len(fields[field])}" for field in FIELDS)
        print(f"{kind:6}" + "".join(f"{cell:>12}" for cell in cells))
