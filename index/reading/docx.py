"""A Word document → its text; its title, author and date where the document says them.

Text that is styled as title, author or date is what writers and pandoc mean as such. The properties tell when the file
was made, which is not when the article came out: that date is told, not used.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from index.reading.document import Document, Given, Result
from index.reading.fields import make_reading
from index.reading.layout import tidy

MAX_BYTES = 128 * 2**20
MAX_UNPACKED = 512 * 2**20
_FIELD_OF_STYLE = {"title": "title", "author": "author", "date": "published"}
_NO_TITLES = ("", "word document", "microsoft word")


def read_docx(document: Document, given: Given) -> Iterator[Result]:
    """One article."""
    import docx
    from docx.opc.exceptions import PackageNotFoundError

    file = io.BytesIO(document.read(MAX_BYTES))
    _must_unpack(file)
    try:
        package = docx.Document(file)
    except (PackageNotFoundError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(f"is no Word document that can be read ({error}).") from error
    properties = package.core_properties
    title = (properties.title or "").strip()
    fields: dict[str, Any] = {
        "title": "" if title.lower() in _NO_TITLES else title,
        "author": "" if (properties.author or "").lower() in ("python-docx", "unknown") else properties.author,
    }
    paragraphs = [(_style(each), _plain(each)) for each in package.iter_inner_content()]
    for style, text in paragraphs:
        if (field := _FIELD_OF_STYLE.get(style)) and text.strip():
            fields[field] = " ".join(text.split())
    body = [text.strip() for style, text in paragraphs if text.strip() and style not in ("author", "date")]
    made = f"{properties.created:%Y-%m-%d}" if properties.created else ""
    text = tidy("\n\n".join(body) + "\n")
    yield make_reading(document, given, fields, text, name=Path(document.name).stem, lenient=True, made=made)


def _must_unpack(file: BinaryIO) -> None:
    try:
        with zipfile.ZipFile(file) as parts:
            size = sum(part.file_size for part in parts.infolist())
    except (zipfile.BadZipFile, NotImplementedError, OSError) as error:
        raise ValueError(f"is no Word document that can be read ({error}).") from error
    if size > MAX_UNPACKED:
        raise ValueError(f"unpacks to {size / 2**20:.0f} MiB; at most {MAX_UNPACKED // 2**20} are read.")


def _style(block: Any) -> str:
    style = getattr(block, "style", None)
    return (getattr(style, "name", "") or "").lower()


def _plain(block: Any) -> str:
    """A paragraph's text; a table's rows, a line each."""
    if hasattr(block, "rows"):
        return "\n".join(" | ".join(dict.fromkeys(" ".join(c.text.split()) for c in row.cells)) for row in block.rows)
    return " ".join(str(block.text).split())
