from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import docx
import pytest
from docx.document import Document
from docx.enum.style import WD_STYLE_TYPE

from index.reading import Given
from tests.index.reading.results import Write, article, problem, reading

FIRST = "The harbour board of Norwick voted to sell the dry dock."
SECOND = "Nobody had told the boat builder."


@pytest.fixture
def save(write: Write) -> Callable[..., Path]:
    """Writes a Word document of these paragraphs, each with its style."""

    def save(*paragraphs: str | tuple[str, str], title: str = "", author: str = "", more: str = "") -> Path:
        document: Document = docx.Document()
        document.core_properties.title, document.core_properties.author = title, author
        for paragraph in paragraphs:
            style, text = paragraph if isinstance(paragraph, tuple) else ("Normal", paragraph)
            if style not in document.styles:
                document.styles.add_style(style, WD_STYLE_TYPE.PARAGRAPH)
            document.add_paragraph(text, style=style)
        if more:
            cells = [row.split(",") for row in more.split(";")]
            table = document.add_table(len(cells), len(cells[0]))
            for row, texts in zip(table.rows, cells, strict=True):
                for cell, text in zip(row.cells, texts, strict=True):
                    cell.text = text
        data = io.BytesIO()
        document.save(data)
        return write("dock.docx", data.getvalue())

    return save


def test_paragraphs_become_the_text_with_an_empty_line_between(save: Callable[..., Path]) -> None:
    found = article(save(FIRST, "", f" {SECOND}\n"))
    assert (found.id, found.text) == ("dock", f"{FIRST}\n\n{SECOND}\n")


def test_the_properties_say_title_and_author(save: Callable[..., Path]) -> None:
    found = article(save(FIRST, title="Dock sold", author="Ann Lee"))
    assert (found.title, found.author) == ("Dock sold", "Ann Lee")


@pytest.mark.parametrize("author", ["python-docx", "Unknown"])
def test_properties_that_a_program_filled_in_say_nothing(save: Callable[..., Path], author: str) -> None:
    found = article(save(FIRST, title="Word Document", author=author))
    assert (found.title, found.author) == (FIRST, "")


def test_styles_say_title_author_and_date_and_come_before_the_properties(save: Callable[..., Path]) -> None:
    paragraphs = [("Title", "Dock sold"), ("Author", "Kim Poe"), ("Date", "4 March 2025"), FIRST]
    found = reading(save(*paragraphs, title="Draft 3", author="Ann Lee"))
    assert (found.article.title, found.article.author) == ("Dock sold", "Kim Poe")
    assert (found.article.published, found.notes) == ("2025-03-04", ())
    assert found.article.text == f"Dock sold\n\n{FIRST}\n"


def test_the_day_a_file_was_made_is_told_and_not_used(save: Callable[..., Path]) -> None:
    found = reading(save(FIRST))
    assert found.article.published == ""
    assert found.notes == ("undated: its file was made on 2013-12-23, which need not be when it came out",)


def test_the_day_a_file_was_made_is_not_told_where_another_date_is_given(save: Callable[..., Path]) -> None:
    found = reading(save(FIRST), Given({"published": "2025-03-04"}))
    assert (found.article.published, found.notes) == ("2025-03-04", ())


def test_a_styled_date_that_is_none_leaves_the_document_undated_and_is_told(save: Callable[..., Path]) -> None:
    found = reading(save(("Date", "next week"), FIRST))
    assert found.article.published == ""
    assert any("'next week'" in note for note in found.notes)


def test_a_table_is_read_where_it_stands_a_row_a_line(save: Callable[..., Path]) -> None:
    assert article(save(FIRST, more="place,boats;Norwick,12")).text == f"{FIRST}\n\nplace | boats\nNorwick | 12\n"


def archive(*members: tuple[str, str]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as parts:
        for name, content in members:
            parts.writestr(name, content)
    return data.getvalue()


@pytest.mark.parametrize("content", [b"", b"no document", archive(("a.txt", "x")), archive(("a.txt", "x"))[:40]])
def test_what_is_no_word_document_is_a_problem(write: Write, content: bytes) -> None:
    assert "is no Word document that can be read" in problem(write("dock.docx", content)).message


def test_a_document_that_unpacks_to_too_much_is_not_opened(write: Write) -> None:
    content = bytearray(archive(("word/document.xml", "<w:document/>")))
    struct.pack_into("<I", content, content.index(b"PK\x01\x02") + 24, 2**30)  # what the directory says of its size
    assert "unpacks to 1024 MiB; at most 512" in problem(write("dock.docx", bytes(content))).message


def test_a_document_without_words_is_empty(save: Callable[..., Path]) -> None:
    assert "is empty" in problem(save("", " ")).message
