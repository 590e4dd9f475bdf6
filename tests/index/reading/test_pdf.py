from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from index.reading import Reading
from tests.index.reading.results import Write, article, problem, reading, results

FIRST = [
    "The harbour board of Norwick voted on Thursday to sell the",
    "old dry dock, which has stood empty for nine years. Its head",
    "said that the sale would bring no less than 3 million euros.",
]
SECOND = [
    "The boat builder, Omar Reza, said that nobody had told him",
    "about the sale, and that he would go to court at once.",
]


def pdf(pages: Sequence[Sequence[str]], info: Mapping[str, str] | None = None, locked: bool = False) -> bytes:
    """The smallest PDF that PDFium reads: a line of text under the other on each page."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", "", "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    kids = []
    for lines in pages:
        shown = "".join(f"({_escaped(line)}) Tj T*\n" for line in lines)
        stream = f"BT /F1 11 Tf 14 TL 60 780 Td\n{shown}ET"
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
        kids.append(f"{len(objects) + 1} 0 R")
        resources = "/Resources << /Font << /F1 3 0 R >> >>"
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] {resources} /Contents {len(objects)} 0 R >>"
        )
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>"
    objects.append("<< " + " ".join(f"/{name} ({_escaped(value)})" for name, value in (info or {}).items()) + " >>")
    trailer = f"/Size {len(objects) + 1} /Root 1 0 R /Info {len(objects)} 0 R"
    if locked:
        key = "00" * 32
        trailer += f" /Encrypt << /Filter /Standard /V 1 /R 2 /O <{key}> /U <{key}> /P -4 >> /ID [<00> <00>]"
    data = b"%PDF-1.4\n"
    places = []
    for number, content in enumerate(objects, start=1):
        places.append(len(data))
        data += f"{number} 0 obj\n{content}\nendobj\n".encode("latin-1")
    table = "0000000000 65535 f \n" + "".join(f"{place:010} 00000 n \n" for place in places)
    return data + f"xref\n0 {len(places) + 1}\n{table}trailer << {trailer} >>\nstartxref\n{len(data)}\n%%EOF\n".encode()


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")


@pytest.fixture
def save(write: Write) -> Callable[..., Path]:
    """Writes a PDF of these pages, each a list of lines."""

    def save(*pages: Sequence[str], locked: bool = False, **info: str) -> Path:
        return write("dock.pdf", pdf(pages, info, locked))

    return save


def test_lines_become_paragraphs(save: Callable[..., Path]) -> None:
    found = article(save([*FIRST, "They meet again soon.", *SECOND]))
    assert found.id == "dock"
    assert found.text == f"{' '.join(FIRST)} They meet again soon.\n\n{' '.join(SECOND)}\n"


def test_a_paragraph_goes_on_over_the_end_of_a_page(save: Callable[..., Path]) -> None:
    assert article(save(FIRST[:2], [FIRST[2], *SECOND])).text == f"{' '.join([*FIRST, *SECOND])}\n"


def test_a_word_that_a_line_broke_is_made_whole(save: Callable[..., Path]) -> None:
    lines = [FIRST[0], FIRST[1][:-4] + "har-", "bour master said that the sale would bring 3 million euros."]
    assert "Its harbour master said" in article(save(lines)).text


def test_running_heads_and_page_numbers_are_no_part_of_the_text(save: Callable[..., Path]) -> None:
    bodies = [FIRST, SECOND, ["The court is to hear the case in the spring of next year."]]
    pages = [["Norwick Gazette 4 March 2025", *lines, f"Page {n} of 3"] for n, lines in enumerate(bodies, start=1)]
    text = article(save(*pages)).text
    assert "Gazette" not in text
    assert "Page" not in text
    assert " ".join(text.split()) == " ".join(line for lines in bodies for line in lines)


def test_a_single_page_has_no_running_heads(save: Callable[..., Path]) -> None:
    assert "Norwick Gazette" in article(save(["Norwick Gazette", *FIRST])).text


def test_the_properties_say_title_and_author(save: Callable[..., Path]) -> None:
    found = article(save(FIRST, Title="Dock sold", Author="Ann Lee"))
    assert (found.title, found.author) == ("Dock sold", "Ann Lee")


@pytest.mark.parametrize(
    "title", ["Microsoft Word - dock_final.docx", "dock.indd", "untitled", "Untitled document", "https://example.org/a"]
)
def test_the_name_of_a_file_is_no_title(save: Callable[..., Path], title: str) -> None:
    assert article(save(FIRST, Title=title)).title != title


def test_the_day_a_file_was_made_is_told_and_not_used(save: Callable[..., Path]) -> None:
    found = reading(save(FIRST, CreationDate="D:20250304101500+01'00'"))
    assert found.article.published == ""
    assert found.notes == ("undated: its file was made on 2025-03-04, which need not be when it came out",)


def test_a_locked_document_is_a_problem_that_says_so(save: Callable[..., Path]) -> None:
    assert "is locked with a password" in problem(save(FIRST, locked=True)).message


def test_a_document_of_pictures_is_a_problem_that_names_ocr(save: Callable[..., Path]) -> None:
    assert "OCR" in problem(save([], [])).message


@pytest.mark.parametrize("content", [b"", b"no document", b"%PDF-1.4\n%%EOF", b"%PDF-1.7\n" + bytes(2000)])
def test_what_is_no_pdf_is_a_problem(write: Write, content: bytes) -> None:
    assert "is no PDF that can be read" in problem(write("dock.pdf", content)).message


@pytest.mark.parametrize("part", [0.2, 0.5, 0.9, 0.99])
def test_a_document_that_was_cut_off_gives_its_words_or_a_reason(write: Write, part: float) -> None:
    whole = pdf([FIRST])
    (found,) = results(write("dock.pdf", whole[: int(part * len(whole))]))
    assert found.article.text if isinstance(found, Reading) else found.message
