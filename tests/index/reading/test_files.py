from __future__ import annotations

import os
from pathlib import Path

import pytest

from index.reading import SUFFIXES, PassedOver, ReadProblem, find_files
from tests.index.reading.results import Write


def paths(*given: Path) -> list[Path]:
    return [each for each in find_files(list(given)) if isinstance(each, Path)]


def told(*given: Path) -> dict[str, str]:
    """What is passed over: its name → why."""
    return {Path(each.origin).name: each.message for each in find_files(list(given)) if isinstance(each, PassedOver)}


def problems(*given: Path) -> dict[str, str]:
    return {each.origin: each.message for each in find_files(list(given)) if isinstance(each, ReadProblem)}


def test_a_folder_gives_its_articles_in_order_and_each_once(folder: Path, write: Write) -> None:
    for name in ("b.md", "a.TXT", "sub/c.jsonl", "d.pdf", "e.docx", "f.html", "g.eml", "h.csv", "i.zip"):
        write(name, "x")
    expected = ["a.TXT", "b.md", "d.pdf", "e.docx", "f.html", "g.eml", "h.csv", "i.zip", "sub/c.jsonl"]
    assert paths(folder, folder / "b.md") == [folder / name for name in expected]


def test_what_is_passed_over_in_a_folder_is_named_with_the_reason(folder: Path, write: Write) -> None:
    for name in ("a.md", ".draft.md", ".git/d.md", "README.md", "readme.TXT", "image.png", "Makefile", "~$a.docx"):
        write(name, "x")
    assert paths(folder) == [folder / "a.md"]
    assert told(folder) == {
        ".draft.md": "is hidden",
        ".git": "is hidden",
        "README.md": "is a README",
        "readme.TXT": "is a README",
        "image.png": "is a .png file",
        "Makefile": "has no suffix that tells what it is",
        "~$a.docx": "is the lock of an open document",
    }


def test_the_copy_that_a_mac_leaves_in_a_folder_is_hidden(folder: Path, write: Write) -> None:
    write("a.md", "x")
    write("._a.md", "x")
    assert told(folder) == {"._a.md": "is hidden"}


def test_a_linked_folder_is_passed_over_and_named_and_read_where_it_is_given(folder: Path, write: Write) -> None:
    write("a.md", "x")
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "b.md").write_text("x")
    (folder / "linked").symlink_to(elsewhere)
    (folder / "circle").symlink_to(folder)
    assert paths(folder) == [folder / "a.md"]
    assert set(told(folder)) == {"linked", "circle"}
    assert "is a link to a folder" in told(folder)["linked"]
    assert paths(folder / "linked") == [folder / "linked" / "b.md"]


def test_a_linked_file_is_read(folder: Path, write: Write) -> None:
    write("a.md", "x")
    (folder / "b.md").symlink_to(folder / "a.md")
    assert paths(folder) == [folder / "a.md", folder / "b.md"]


def test_paths_that_hold_nothing_are_problems(folder: Path, write: Write) -> None:
    missing, image, empty = folder.parent / "nowhere", write("photo.png", "x"), folder / "empty"
    empty.mkdir()
    found = problems(missing, image, empty)
    assert list(found) == [str(missing), str(image), str(empty)]
    assert "does not exist" in found[str(missing)]
    assert "is of a kind that can't be read" in found[str(image)]
    assert "holds no articles" in found[str(empty)]
    assert all(suffix in found[str(empty)] for suffix in SUFFIXES)


def test_a_folder_without_articles_may_be_expected(folder: Path, write: Write) -> None:
    image = write("photo.png", "x")
    assert find_files([folder], may_be_empty=True) == [PassedOver(str(image), "is a .png file")]


def test_what_is_no_file_inside_a_folder_never_blocks_or_breaks_reading(folder: Path, write: Write) -> None:
    good = write("good.txt", "Fine.")
    (folder / "broken.txt").symlink_to(folder / "nowhere")
    os.mkfifo(folder / "pipe.txt")
    assert paths(folder) == [good]
    assert set(told(folder)) == {"broken.txt", "pipe.txt"}
    assert "is neither" in problems(folder / "pipe.txt")[str(folder / "pipe.txt")]


def test_a_name_that_is_not_utf8_fails_alone_and_can_be_printed(folder: Path, write: Write) -> None:
    good = write("good.md", "The port closed.")
    Path(os.fsdecode(os.fsencode(folder) + b"/Z\xfcrich.md")).write_text("The road closed.")
    assert paths(folder) == [good]
    assert problems(folder) == {f"{folder}/Z\\xfcrich.md": "has a name that is not UTF-8; rename it."}


def test_a_given_path_that_is_not_utf8_is_a_problem_too(folder: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(folder) + b"/\xff.md"))
    path.write_text("x")
    assert list(problems(path)) == [f"{folder}/\\xff.md"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list every folder")
def test_a_folder_that_may_not_be_listed_is_a_problem(folder: Path, write: Write) -> None:
    write("a.md", "x")
    locked = folder / "locked"
    locked.mkdir(mode=0)
    try:
        assert "can't be listed" in problems(folder)[str(locked)]
    finally:
        locked.chmod(0o700)
