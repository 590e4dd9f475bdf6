from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import pytest

from index.reading import Given, PassedOver, Reading, ReadProblem
from index.reading import archive as reading_archive
from tests.index.reading.results import Write, problem, results

GOOD = ("z-good.txt", "The mill burned down.")


def packed(*members: tuple[str, str | bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return data.getvalue()


def with_entry(data: bytes, offset: int, form: str, value: int) -> bytes:
    """The zip file with this in the entry of its first file in its directory."""
    changed = bytearray(data)
    struct.pack_into(form, changed, data.index(b"PK\x01\x02") + offset, value)
    return bytes(changed)


def with_size(data: bytes, size: int) -> bytes:
    return with_entry(data, 24, "<I", size)


def read(path: Path) -> dict[str, str]:
    """Name inside → the text, or why there is none."""
    found = {}
    for each in results(path):
        origin = each.article.origin if isinstance(each, Reading) else each.origin
        assert origin.startswith(f"{path}!/")
        found[origin.removeprefix(f"{path}!/")] = each.article.text if isinstance(each, Reading) else each.message
    return found


def test_every_file_in_it_is_read_by_its_kind(write: Write) -> None:
    path = write(
        "news.zip",
        packed(
            ("b/rows.jsonl", '{"id": "1", "text": "One."}\n{"id": "2", "text": "Two."}\n'),
            ("a.md", "---\ntitle: T\n---\nBody."),
            ("c.HTML", "<html><body><p>Page.</p></body></html>"),
            ("empty/", ""),
        ),
    )
    found = [each.article for each in results(path) if isinstance(each, Reading)]
    assert [(each.id, each.text) for each in found] == [("a", "Body."), ("1", "One."), ("2", "Two."), ("c", "Page.\n")]
    assert [each.origin.partition("!/")[2] for each in found] == ["a.md", "b/rows.jsonl:1", "b/rows.jsonl:2", "c.HTML"]


def test_what_the_command_line_says_holds_for_the_files_in_it(write: Write) -> None:
    path = write("news.zip", packed(("a.csv", "nr,Artikel\n1,One.\n")))
    (only,) = results(path, Given({"source": "The Post"}, {"id": "nr", "text": "Artikel"}))
    assert isinstance(only, Reading)
    assert (only.article.id, only.article.text, only.article.source) == ("1", "One.", "The Post")


def test_names_that_lead_out_of_the_folder_lead_nowhere(write: Write, tmp_path: Path) -> None:
    path = write("news.zip", packed(("../../../out.md", "Out."), ("/abs.txt", "Abs."), ("C:\\win.txt", "Win.")))
    before = sorted(tmp_path.rglob("*"))
    assert read(path) == {"../../../out.md": "Out.", "/abs.txt": "Abs.", "C:\\win.txt": "Win."}
    assert sorted(tmp_path.rglob("*")) == before


def test_what_is_passed_over_in_it_is_named_with_the_reason(write: Write) -> None:
    names = ("README.md", "photo.png", "noext", ".git/a.md", "__MACOSX/._a.md", "inner.zip", "b/~$a.docx")
    path = write("news.zip", packed(*((name, "x") for name in names), GOOD))
    found = results(path)
    assert {each.origin.partition("!/")[2] for each in found if isinstance(each, PassedOver)} == set(names)
    assert read(path) == {
        "README.md": "is a README",
        "photo.png": "is a .png file",
        "noext": "has no suffix that tells what it is",
        ".git/a.md": "is hidden",
        "__MACOSX/._a.md": "is hidden",
        "inner.zip": "is a .zip inside a zip file",
        "b/~$a.docx": "is the lock of an open document",
        GOOD[0]: GOOD[1],
    }


def test_a_zip_file_in_a_zip_file_is_not_opened(write: Write) -> None:
    inner = packed(("a.md", "Deep."))
    assert read(write("news.zip", packed(("INNER.ZIP", inner), GOOD))) == {
        "INNER.ZIP": "is a .ZIP inside a zip file",
        GOOD[0]: GOOD[1],
    }


def test_a_bomb_is_known_by_its_ratio_and_the_others_are_read(write: Write) -> None:
    found = read(write("news.zip", packed(("bomb.txt", bytes(8 * 2**20)), GOOD)))
    assert "as a bomb would; it was not opened" in found["bomb.txt"]
    assert found[GOOD[0]] == GOOD[1]


def test_a_bomb_that_lies_about_its_size_is_unpacked_no_further_than_it_says(write: Write) -> None:
    data = with_size(packed(("bomb.txt", b"a" * (64 * 2**20)), GOOD), 1000)
    found = read(write("news.zip", data))
    assert "CRC" in found["bomb.txt"]
    assert found[GOOD[0]] == GOOD[1]


@pytest.mark.parametrize("size", [257 * 2**20, 2**31])
def test_a_file_that_says_it_is_too_great_is_not_opened(write: Write, size: int) -> None:
    found = read(write("news.zip", with_size(packed(("big.txt", "small"), GOOD), size)))
    assert found["big.txt"] == f"unpacks to {size // 2**20} MiB; at most 256 are read."
    assert found[GOOD[0]] == GOOD[1]


def test_text_that_packs_well_is_no_bomb(write: Write) -> None:
    text = "The harbour board met. " * 40_000
    assert read(write("news.zip", packed(("a.md", text[:900_000].strip()))))["a.md"] == text[:900_000].strip()


def test_a_locked_file_is_named_and_the_others_are_read(write: Write) -> None:
    found = read(write("news.zip", with_entry(packed(("locked.txt", "x"), GOOD), 8, "<H", 1)))
    assert found == {"locked.txt": "is locked with a password; unpack it first.", GOOD[0]: GOOD[1]}


@pytest.mark.parametrize(
    ("content", "told"),
    [("---\npublished: soon\n---\nx", "'soon'"), ("", "is empty"), ("a\0b", "NUL")],
)
def test_a_bad_file_in_it_is_a_problem_that_says_why(write: Write, content: str, told: str) -> None:
    found = results(write("news.zip", packed(("bad.md", content), GOOD)))
    assert isinstance(found[0], ReadProblem) and told in found[0].message
    assert isinstance(found[1], Reading)


def test_damage_to_one_file_leaves_the_others(write: Write) -> None:
    data = packed(("a.txt", "The mill burned down, said Ann Lee."), GOOD, method=zipfile.ZIP_STORED)
    found = read(write("news.zip", data.replace(b"burned down, said", b"burned down, sold")))
    assert "CRC" in found["a.txt"]
    assert found[GOOD[0]] == GOOD[1]


def test_a_way_of_packing_that_is_not_known_is_named(write: Write) -> None:
    found = read(write("news.zip", with_entry(packed(("a.txt", "x"), GOOD), 10, "<H", 9)))
    assert "compression method" in found["a.txt"]
    assert found[GOOD[0]] == GOOD[1]


@pytest.mark.parametrize("content", [b"", b"no zip file", packed(GOOD)[:40]])
def test_what_is_no_zip_file_is_a_problem(write: Write, content: bytes) -> None:
    assert "is no zip file that can be read" in problem(write("news.zip", content)).message


@pytest.mark.parametrize("members", [(), (("folder/", ""),)])
def test_a_zip_file_without_files_is_a_problem(write: Write, members: tuple[tuple[str, str], ...]) -> None:
    assert problem(write("news.zip", packed(*members))).message == "holds no files."


def test_a_zip_file_of_too_many_files_or_bytes_is_a_problem(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write("news.zip", packed(*((f"{n}.txt", "x" * 100) for n in range(9))))
    with monkeypatch.context() as patch:
        patch.setattr(reading_archive, "MAX_FILES", 8)
        assert "holds 9 files; at most 8" in problem(path).message
    monkeypatch.setattr(reading_archive, "MAX_UNPACKED", 899)
    assert "unpacks to" in problem(path).message
