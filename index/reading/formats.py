"""Which module reads which kind of file. Each is imported when the first file of its kind is read."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import PurePath

from index.reading.document import Document, Format, Given, ReadProblem, Result

_READERS = {
    ".txt": ("text", "read_plain"),
    ".md": ("text", "read_markdown"),
    ".markdown": ("text", "read_markdown"),
    ".html": ("html", "read_html"),
    ".htm": ("html", "read_html"),
    ".xhtml": ("html", "read_html"),
    ".pdf": ("pdf", "read_pdf"),
    ".docx": ("docx", "read_docx"),
    ".eml": ("mail", "read_mail"),
    ".jsonl": ("tabular", "read_jsonl"),
    ".ndjson": ("tabular", "read_jsonl"),
    ".csv": ("tabular", "read_csv"),
    ".tsv": ("tabular", "read_csv"),
}
SUFFIXES = (*_READERS, ".zip")


def format_of(name: str) -> Format | None:
    """What reads a file of this name, None for nothing."""
    suffix = PurePath(name).suffix.lower()
    if suffix == ".zip":
        return _read_zip
    if suffix not in _READERS:
        return None
    module, function = _READERS[suffix]
    read: Format = getattr(import_module(f"index.reading.{module}"), function)
    return read


def read_document(document: Document, given: Given) -> Iterator[Result]:
    """The articles of a document, one at a time; what can't be read is named."""
    read = format_of(document.name)
    assert read is not None, document.name
    found = False
    try:
        for result in read(document, given):
            found = True
            yield result
        if not found:
            yield ReadProblem(document.origin, "is empty; it holds no article.")
    except ValueError as error:
        yield ReadProblem(document.origin, str(error))


def _read_zip(document: Document, given: Given) -> Iterator[Result]:
    from index.reading.archive import read_zip
    from index.reading.files import why_passed_over

    def inside(name: str) -> Format | None:
        # A zip file in a zip file is not opened: bombs are nested.
        return None if name.lower().endswith(".zip") else format_of(name)

    return read_zip(document, given, inside, why_passed_over)
