"""A PDF → its text, without running heads; its title and author where it says them.

The date in a PDF is that of printing or saving, which is not when the article came out: it is told, not used.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from index.reading.document import Document, Given, Result
from index.reading.fields import is_address, make_reading
from index.reading.layout import joined, tidy

MAX_BYTES = 256 * 2**20
MAX_PAGES = 5_000
_EDGE_LINES = 3  # of a page, at the top and at the bottom, that may be running heads
_REPEATED = 0.5  # of the pages that a running head stands on
_TITLE_LINES = 5
_FULL = 0.75  # of the usual width of a line: a shorter one ends its paragraph
_SAVED_NAME = re.compile(
    r"(?:Microsoft Word - )?.*\.(?:docx?|odt|pdf|indd|html?|pages|qxd|tmp|rtf)$|untitled.*", re.IGNORECASE
)
_ENDED = re.compile(r"[.!?…:。！？।۔؟]['\"”’»)\]]*$")
_BROKEN_WORD = re.compile("(?:\x02|\ufffe)\\s*")  # how PDFium writes a hyphen that a line's end brought


def read_pdf(document: Document, given: Given) -> Iterator[Result]:
    """One article."""
    import pypdfium2

    data = document.read(MAX_BYTES)
    try:
        with pypdfium2.PdfDocument(data) as pdf:
            if len(pdf) > MAX_PAGES:
                raise ValueError(f"has {len(pdf)} pages; at most {MAX_PAGES} are read. Split it.")
            pages = [_lines(page) for page in pdf]
            info = pdf.get_metadata_dict()
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise ValueError("is locked with a password; save it without one.") from error
        raise ValueError(f"is no PDF that can be read ({str(error).rstrip('.')}).") from error
    if not any(line.strip() for page in pages for line in page):
        raise ValueError("holds no text, only pictures of it; run text recognition (OCR) on it first.")
    title = " ".join((info.get("Title") or "").split())
    fields = {
        "title": "" if _SAVED_NAME.fullmatch(title) or is_address(title) else title,
        "author": " ".join((info.get("Author") or "").split()),
    }
    made = re.match(r"D:(\d{4})(\d{2})(\d{2})", info.get("CreationDate") or "")
    yield make_reading(
        document, given, fields, _as_read(pages, title), name=Path(document.name).stem, lenient=True,
        made="-".join(made.groups()) if made else "",
    )  # fmt: skip


def _lines(page: Any) -> list[str]:
    text = page.get_textpage().get_text_bounded()
    return [" ".join(line.split()) for line in tidy(_BROKEN_WORD.sub("", text)).split("\n")]


def _with_title(pages: Sequence[Sequence[str]], title: str) -> list[Sequence[str]]:
    """The pages, a headline that was set on several lines on one: where the lines together are the document's title."""
    first = [line for line in pages[0] if line]
    for count in range(2, _TITLE_LINES + 1):
        if title and " ".join(first[:count]) == title:
            return [[title, "", *first[count:]], *pages[1:]]
    return list(pages)


def _as_read(pages: Sequence[Sequence[str]], title: str) -> str:
    """The pages' lines as paragraphs: running heads gone, lines joined, words made whole."""
    lines = [line for page in _with_title(_without_running_heads(pages), title) for line in (*page, "")]
    widths = [len(line) for line in lines if len(line) > 20]
    usual = median(widths) if widths else 0
    paragraphs: list[list[str]] = [[]]
    for line in lines:
        if line:
            paragraphs[-1].append(line)
        # A page that ends in the middle of a sentence does not end the paragraph.
        ends = bool(paragraphs[-1]) and bool(_ENDED.search(paragraphs[-1][-1]))
        if ends and len(line) < _FULL * usual:
            paragraphs.append([])
    return "\n\n".join(joined("\n".join(paragraph)) for paragraph in paragraphs if paragraph) + "\n"


def _without_running_heads(pages: Sequence[Sequence[str]]) -> list[list[str]]:
    """The pages without the lines that stand at the edge of most of them, whatever number they hold."""
    counts: Counter[str] = Counter()
    for lines in ([line for line in page if line] for page in pages):
        counts.update({_shape(line) for line in (*lines[:_EDGE_LINES], *lines[-_EDGE_LINES:])})
    heads = {shape for shape, count in counts.items() if count > 1 and count >= _REPEATED * len(pages)}
    result = []
    for page in pages:
        full = [n for n, line in enumerate(page) if line]
        edge = {*full[:_EDGE_LINES], *full[-_EDGE_LINES:]}
        result.append([line for n, line in enumerate(page) if n not in edge or _shape(line) not in heads])
    return result


def _shape(line: str) -> str:
    """A line without the numbers that change from page to page."""
    return re.sub(r"\d+", "#", line)
