"""Odd files that were read wrongly once."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest

from index.reading import Reader, Reading, ReadProblem
from index.reading.layout import joined
from tests.index.reading.results import results as reread


def results(path: Path, content: str | bytes) -> list[Any]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return reread(path)


def reading(path: Path, content: str | bytes) -> Reading:
    (only,) = results(path, content)
    assert isinstance(only, Reading), only
    return only


def test_a_date_column_is_not_read_by_the_order_of_another(tmp_path: Path) -> None:
    found = results(
        tmp_path / "a.csv", "id,text,published,modified\n1,One.,04/15/2024,15/04/2024\n2,Two.,03/04/2024,03/04/2024\n"
    )
    assert [each.article.published for each in found] == ["2024-04-15", "2024-03-04"]


def test_a_column_nobody_reads_does_not_make_a_dated_row_undated(tmp_path: Path) -> None:
    assert reading(tmp_path / "a.csv", "id,text,published,seen\n1,One.,2024-01-01,03/04/2024\n").notes == ()


def test_a_title_that_looks_like_a_date_stays_as_it_is(tmp_path: Path) -> None:
    assert reading(tmp_path / "a.csv", "id,text,title\n1,One.,04/15/2024\n").article.title == "04/15/2024"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (
            "a.html",
            "<!doctype html><html><body><p>Der Bürgermeister schloss die Brücke über den Fluss.</p></body></html>",
        ),
        ("a.txt", "Die Gleichung a=b gilt für jede Brücke über den Fluss, sagt Jörg."),
        ("a.csv", "id|text|title\n1|Über die Brücke führt eine schöne Straße.|Größe\n"),
        ("b.txt", "Plain words and nothing else. " * 8000 + "The café closed."),
    ],
)
def test_windows_1252_is_detected(tmp_path: Path, name: str, content: str) -> None:
    assert reading(tmp_path / name, content.encode("cp1252")).notes == ("read as windows-1252",)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damage_to_one_file_of_a_zip_leaves_the_others(tmp_path: Path, method: int) -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", method) as archive:
        archive.writestr("a.txt", "Text " * 300)
        archive.writestr("b.txt", "Good.")
    damaged = bytearray(data.getvalue())
    damaged[50:70] = b"\xff" * 20
    (tmp_path / "a.zip").write_bytes(damaged)
    with Reader() as reader:
        assert [isinstance(each, Reading) for each in reader.read(tmp_path / "a.zip")] == [False, True]


def test_a_document_that_breaks_its_parser_in_a_zip_leaves_the_others(tmp_path: Path) -> None:
    import docx

    whole, broken, data = io.BytesIO(), io.BytesIO(), io.BytesIO()
    docx.Document().save(whole)
    with zipfile.ZipFile(whole) as parts, zipfile.ZipFile(broken, "w") as changed:
        for part in parts.namelist():
            changed.writestr(part, b"<w:document" if part == "word/document.xml" else parts.read(part))
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("a.docx", broken.getvalue())
        archive.writestr("b.txt", "Good.")
    (tmp_path / "a.zip").write_bytes(data.getvalue())
    with Reader() as reader:
        assert [isinstance(each, Reading) for each in reader.read(tmp_path / "a.zip")] == [False, True]


def test_a_page_of_one_paragraph_without_a_body(tmp_path: Path) -> None:
    assert reading(tmp_path / "a.html", "<p>The bridge closed on Monday in Aldmere.</p>").article.text
    assert reading(tmp_path / "a.eml", "Subject: H\nContent-Type: text/html\n\n<p>The bridge closed on Monday.</p>\n")


def test_lines_of_a_poem_that_end_with_commas_stay() -> None:
    poem = (
        "The dock was built of oak and stone,\nAnd every tide it stood alone,\n"
        "The gulls above it wheeled and cried,\nUntil the harbour master died\n"
    )
    assert joined(poem) == poem


def test_a_table_of_column_names_alone_says_so(tmp_path: Path) -> None:
    assert results(tmp_path / "a.csv", "id,text\n")


def test_toml_that_is_never_closed_is_a_problem(tmp_path: Path) -> None:
    (found,) = results(tmp_path / "a.md", "+++\ntitle = 'T'\n\nText.")
    assert isinstance(found, ReadProblem)


@pytest.mark.parametrize("name", ["Date published", "dc.date"])
def test_front_matter_may_begin_with_a_name_with_a_space_or_a_dot(tmp_path: Path, name: str) -> None:
    assert (
        reading(tmp_path / "a.md", f"---\n{name}: 2025-03-04\ntitle: T\n---\nBody.").article.published == "2025-03-04"
    )


def test_true_and_false_are_no_title_and_no_author(tmp_path: Path) -> None:
    found = reading(tmp_path / "a.jsonl", '{"id": "1", "text": "One.", "author": false}')
    assert found.article.author == ""


def test_a_page_that_declares_utf16_in_ascii_is_utf8(tmp_path: Path) -> None:
    for space in ("", " "):
        text = f"<html><head><meta charset='utf-16'></head><body><p>The mill burned.</p></body></html>{space}"
        assert reading(tmp_path / "a.html", text).article.text == "The mill burned.\n"


def test_a_file_that_cannot_be_opened_is_named_by_its_origin(tmp_path: Path) -> None:
    with Reader() as reader:
        (found,) = reader.read(tmp_path / "gone.md", origin="https://example.org/a")
    assert found.origin == "https://example.org/a"


def test_a_date_of_spaces_is_no_value(tmp_path: Path) -> None:
    assert reading(tmp_path / "a.jsonl", '{"id": "1", "text": "One.", "date": "  "}').article.published == ""


def test_a_zip_with_a_name_that_is_not_utf8_says_so_in_words(tmp_path: Path) -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("é.txt", "Text.")
        archive.writestr("b.txt", "Good.")
    found = results(tmp_path / "a.zip", data.getvalue().replace("é".encode(), b"\xff\xfe"))
    assert "codec" not in str(found)
