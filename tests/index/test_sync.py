"""A folder and the index are made equal: what is new, changed, renamed and gone, and what must never be lost."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from index.embedding import Embedder
from index.errors import ReadError
from index.ingest import Outcome, Summary
from index.reading import Given, Reader
from index.search import Index
from index.vectors import ChromaProjection
from tests.conftest import FIRST, SECOND

Write = Callable[..., Path]
Sync = Callable[..., tuple[dict[str, str], Summary]]

THIRD = "Farmers harvested more wheat than in any other year. Prices at the market fell."


@pytest.fixture
def sync(corpus: Index, folder: Path) -> Sync:
    """Syncs the folder; gives outcome by name of the file (with the line, of a row) and the summary."""

    def sync(where: Path = folder, **options: Any) -> tuple[dict[str, str], Summary]:
        outcomes: list[Outcome] = []
        summary = corpus.sync(where, report=outcomes.append, **options)
        return {Path(o.origin).name: o.outcome for o in outcomes}, summary

    return sync


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are handed to the reader, which reads them as ever."""
    names: list[str] = []
    real = Reader.read

    def read(self: Reader, path: Path, *args: Any, **options: Any) -> Any:
        names.append(path.name)
        return real(self, path, *args, **options)

    monkeypatch.setattr(Reader, "read", read)
    return names


def texts(corpus: Index) -> dict[str, str]:
    return {row.id: corpus.article(row.id).text for row in corpus.articles()}


def origins(corpus: Index) -> dict[str, str]:
    return {row.id: Path(row.origin).name for row in corpus.articles()}


def check_vectors(corpus: Index) -> None:
    assert isinstance(corpus.projection, ChromaProjection)
    assert corpus.projection.present() == corpus.ledger.chunk_keys()


def test_new_changed_and_deleted_files_are_new_changed_and_deleted_in_the_index(
    corpus: Index, write: Write, folder: Path, sync: Sync
) -> None:
    write("changed.txt", FIRST)
    write("deleted.txt", SECOND)
    write("same.txt", "Nothing happens here.")
    assert sync()[1].counts == {"added": 3}
    write("changed.txt", THIRD)
    (folder / "deleted.txt").unlink()
    write("sub/new.txt", "A new bridge crosses the river.")
    outcomes, summary = sync()
    assert outcomes == {
        "changed.txt": "replaced", "deleted.txt": "removed", "same.txt": "unchanged", "new.txt": "added",
    }  # fmt: skip
    assert (summary.articles, summary.gone) == (3, [])
    assert texts(corpus) == {
        "changed": THIRD, "same": "Nothing happens here.", "new": "A new bridge crosses the river.",
    }  # fmt: skip
    check_vectors(corpus)
    assert corpus.ledger.match_articles(["quetta"], 10) == {}


def test_a_renamed_file_keeps_its_id_and_is_not_embedded_again(
    corpus: Index, write: Write, folder: Path, sync: Sync, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("old.txt", FIRST)
    sync()
    keys = corpus.ledger.chunk_keys()
    (folder / "sub").mkdir()
    (folder / "old.txt").rename(folder / "sub" / "new.txt")
    monkeypatch.setattr(Embedder, "embed", lambda *_: pytest.fail("embedded again"))
    assert sync()[0] == {"new.txt": "renamed"}
    assert texts(corpus) == {"old": FIRST}
    assert origins(corpus) == {"old": "new.txt"}
    assert corpus.ledger.chunk_keys() == keys
    assert sync()[0] == {"new.txt": "unchanged"}


def test_a_file_that_is_renamed_and_renamed_back_keeps_its_article(
    corpus: Index, write: Write, folder: Path, sync: Sync
) -> None:
    write("a.txt", FIRST)
    sync()
    (folder / "a.txt").rename(folder / "b.txt")
    sync()
    (folder / "b.txt").rename(folder / "a.txt")
    outcomes, _ = sync()
    assert outcomes == {"a.txt": "renamed"}
    assert texts(corpus) == {"a": FIRST}


@pytest.mark.parametrize("names", [("a/report.txt", "b/report.txt"), ("a.jsonl", "b.jsonl")])
def test_of_two_equal_files_either_may_be_deleted(
    corpus: Index, write: Write, folder: Path, sync: Sync, names: tuple[str, str]
) -> None:
    for name in names:
        write(name, [{"id": "r", "text": FIRST}] if name.endswith("jsonl") else FIRST)
    sync()
    sync()
    (folder / names[0]).unlink()
    sync()
    assert list(texts(corpus).values()) == [FIRST]
    sync()
    assert list(texts(corpus).values()) == [FIRST]


def test_files_that_swap_their_names_swap_their_texts(corpus: Index, write: Write, folder: Path, sync: Sync) -> None:
    write("a.txt", FIRST)
    write("b.txt", SECOND)
    sync()
    (folder / "a.txt").rename(folder / "c")
    (folder / "b.txt").rename(folder / "a.txt")
    (folder / "c").rename(folder / "b.txt")
    sync()
    assert {origins(corpus)[name]: text for name, text in texts(corpus).items()} == {"a.txt": SECOND, "b.txt": FIRST}


def test_rows_that_vanish_from_a_table_are_removed_and_the_others_stay(corpus: Index, write: Write, sync: Sync) -> None:
    rows = [{"id": f"r{n}", "text": f"Row {n}. {text}"} for n, text in enumerate((FIRST, SECOND, THIRD))]
    write("rows.jsonl", rows)
    sync()
    write("rows.jsonl", rows[1:])
    outcomes, summary = sync()
    assert summary.counts == {"unchanged": 2, "removed": 1}
    assert list(outcomes.values()).count("removed") <= 1
    assert set(texts(corpus)) == {"r1", "r2"}
    assert origins(corpus) == {"r1": "rows.jsonl:1", "r2": "rows.jsonl:2"}


def test_a_table_that_is_renamed_keeps_its_rows_also_when_it_is_renamed_back(
    corpus: Index, write: Write, folder: Path, sync: Sync
) -> None:
    rows = [{"id": "r0", "text": FIRST}, {"id": "r1", "text": SECOND}]
    write("a.jsonl", rows)
    sync()
    for old, new in (("a", "b"), ("b", "a"), ("a", "c")):
        (folder / f"{old}.jsonl").rename(folder / f"{new}.jsonl")
        assert sync()[1].counts["removed"] == 0
        assert origins(corpus) == {"r0": f"{new}.jsonl:1", "r1": f"{new}.jsonl:2"}


def test_a_table_that_is_renamed_and_edited_at_once_is_as_it_is_now(
    corpus: Index, write: Write, folder: Path, sync: Sync
) -> None:
    write("a.jsonl", [{"id": "r0", "text": FIRST}, {"id": "r1", "text": SECOND}])
    sync()
    (folder / "a.jsonl").unlink()
    write("b.jsonl", [{"id": "r0", "text": THIRD}, {"id": "r1", "text": SECOND}])
    assert sync()[1].counts["failed"] == 0
    assert texts(corpus) == {"r0": THIRD, "r1": SECOND}
    assert sync()[1].counts == {"unchanged": 2}


def test_the_articles_of_a_zip_file_follow_it(corpus: Index, folder: Path, sync: Sync) -> None:
    def pack(**texts: str) -> None:
        with zipfile.ZipFile(folder / "a.zip", "w") as packed:
            for name, text in texts.items():
                packed.writestr(f"{name}.txt", text)

    pack(first=FIRST, second=SECOND)
    assert sync()[0] == {"first.txt": "added", "second.txt": "added"}
    pack(first=FIRST, third=THIRD)
    assert sync()[0] == {"first.txt": "unchanged", "second.txt": "removed", "third.txt": "added"}
    (folder / "a.zip").write_bytes(b"PK broken")
    assert sync()[1].counts == {"failed": 1}
    assert set(texts(corpus)) == {"first", "third"}
    (folder / "a.zip").unlink()
    assert sync()[1].counts == {"removed": 2}


def test_a_table_with_one_bad_row_loses_nothing(corpus: Index, write: Write, sync: Sync) -> None:
    write("rows.jsonl", [{"id": "r0", "text": FIRST}, {"id": "r1", "text": SECOND}])
    sync()
    write("rows.jsonl", b'{"id": "r0", "text": "New."}\n{"id": "r1", "te\n')
    outcomes, summary = sync()
    assert summary.counts == {"replaced": 1, "failed": 1}
    assert outcomes["rows.jsonl:2"] == "failed"
    assert texts(corpus) == {"r0": "New.", "r1": SECOND}
    assert sync()[1].counts == {"unchanged": 1, "failed": 1}, "it is read again until it can be read"


def test_what_comes_from_a_file_that_cannot_be_read_at_the_moment_stays(
    corpus: Index, write: Write, sync: Sync
) -> None:
    write("a.txt", FIRST)
    write("b.txt", SECOND)
    sync()
    write("a.txt", b"a\0b")
    outcomes, _ = sync()
    assert outcomes == {"a.txt": "failed", "b.txt": "unchanged"}
    assert texts(corpus)["a"] == FIRST
    write("a.txt", FIRST)
    assert sync()[0]["a.txt"] == "unchanged"


def test_what_comes_from_a_folder_that_cannot_be_listed_at_the_moment_stays(
    corpus: Index, write: Write, folder: Path, sync: Sync, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("top.txt", FIRST)
    write("closed/a.txt", SECOND)
    sync()
    real = os.scandir

    def scandir(path: Any = ".") -> Any:
        if Path(path) == folder / "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    _, summary = sync()
    assert summary.counts["failed"] == 1
    assert summary.counts["removed"] == 0
    assert texts(corpus) == {"top": FIRST, "a": SECOND}


def test_a_dry_run_says_all_and_changes_nothing(
    corpus: Index, write: Write, folder: Path, sync: Sync, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in (("same.txt", "Nothing happens here."), ("changed.txt", FIRST), ("moved.txt", SECOND)):
        write(name, text)
    write("deleted.txt", THIRD)
    sync()
    write("changed.txt", "It was changed.")
    (folder / "moved.txt").rename(folder / "elsewhere.txt")
    (folder / "deleted.txt").unlink()
    write("new.txt", "A new bridge crosses the river.")
    write("bad.txt", b"a\0b")
    before = corpus.ledger.generation(), texts(corpus), origins(corpus), corpus.ledger.files()
    with monkeypatch.context() as dry:
        dry.setattr(Embedder, "embed", lambda *_: pytest.fail("embedded"))
        outcomes, summary = sync(dry=True)
    assert outcomes == {
        "same.txt": "unchanged", "changed.txt": "replaced", "elsewhere.txt": "renamed", "deleted.txt": "removed",
        "new.txt": "added", "bad.txt": "failed",
    }  # fmt: skip
    assert (corpus.ledger.generation(), texts(corpus), origins(corpus), corpus.ledger.files()) == before
    assert sync()[0] == outcomes
    assert summary.articles == 4


def test_an_emptied_folder_of_many_articles_is_refused_unless_it_may_be_empty(
    corpus: Index, write: Write, folder: Path, sync: Sync
) -> None:
    for n in range(12):
        write(f"a{n}.txt", f"Number {n}. {FIRST}")
    sync()
    for file in folder.iterdir():
        file.unlink()
    generation = corpus.ledger.generation()
    for dry in (False, True):
        with pytest.raises(ReadError, match=r"12 in the index.*--allow-empty"):
            sync(dry=dry)
    assert corpus.ledger.generation() == generation
    assert len(texts(corpus)) == 12
    assert sync(may_empty=True)[1].counts == {"removed": 12}
    assert texts(corpus) == {}
    check_vectors(corpus)


def test_an_emptied_folder_of_a_few_articles_is_emptied(corpus: Index, write: Write, sync: Sync) -> None:
    file = write("a.txt", FIRST)
    sync()
    file.unlink()
    assert sync()[1].counts == {"removed": 1}
    assert texts(corpus) == {}


@pytest.mark.parametrize("what", ["nothing", "file"])
def test_a_folder_that_is_not_there_is_refused_and_loses_nothing(
    corpus: Index, write: Write, folder: Path, sync: Sync, what: str
) -> None:
    file = write("a.txt", FIRST)
    sync()
    shutil.rmtree(folder)
    with pytest.raises(ReadError, match="no folder"):
        sync(may_empty=True)
    assert texts(corpus) == {"a": FIRST}
    if what == "file":
        folder.mkdir()
        write("a.txt", FIRST)
        with pytest.raises(ReadError, match="no folder"):
            sync(file, may_empty=True)


def test_another_folder_whose_name_begins_alike_is_left_alone(
    corpus: Index, write: Write, folder: Path, sync: Sync
) -> None:
    write("news/a.txt", FIRST)
    write("news-old/b.txt", SECOND)
    write("news.txt", THIRD)
    sync()
    (folder / "news" / "a.txt").unlink()
    shutil.rmtree(folder / "news-old")
    (folder / "news.txt").unlink()
    assert sync(folder / "news")[1].counts == {"removed": 1}
    assert set(texts(corpus)) == {"b", "news"}


@pytest.mark.parametrize("name", ["wow!", "a:12", "x.zip", "100 %", "Ünïcode", "[brackets]*"])
def test_no_name_of_a_folder_is_taken_for_something_else(
    corpus: Index, write: Write, folder: Path, sync: Sync, name: str
) -> None:
    write(f"{name}/a.txt", FIRST)
    sync()
    for _ in range(2):
        assert sync()[0] == {"a.txt": "unchanged"}
        assert texts(corpus) == {"a": FIRST}
    (folder / name / "a.txt").unlink()
    assert sync()[0] == {"a.txt": "removed"}


def test_a_folder_named_in_another_way_is_the_same_folder(
    corpus: Index, write: Write, folder: Path, sync: Sync, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("sub/a.txt", FIRST)
    sync()
    monkeypatch.chdir(folder / "sub")
    for where in (Path(".."), Path("../sub/.."), folder / "sub" / ".."):
        assert sync(where)[0] == {"a.txt": "unchanged"}
    (folder / "sub" / "a.txt").unlink()
    assert sync(Path(".."))[0] == {"a.txt": "removed"}


def test_links_to_files_are_read_and_links_to_folders_are_passed_over(
    corpus: Index, write: Write, folder: Path, sync: Sync, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "far.txt").write_text(FIRST)
    (folder / "linked.txt").symlink_to(outside / "far.txt")
    (folder / "circle").symlink_to(folder)
    (folder / "nowhere.txt").symlink_to(outside / "nothing.txt")
    outcomes, _ = sync()
    assert outcomes == {"linked.txt": "added", "circle": "passed over", "nowhere.txt": "passed over"}
    assert texts(corpus) == {"linked": FIRST}
    assert sync()[0]["linked.txt"] == "unchanged"
    (outside / "far.txt").write_text(SECOND)
    assert sync()[0]["linked.txt"] == "replaced"
    (folder / "linked.txt").unlink()
    assert sync()[0]["linked.txt"] == "removed"


# What need not be read again


def test_an_unchanged_folder_is_not_read_again_however_young_its_files_are(
    corpus: Index, write: Write, sync: Sync, reads: list[str]
) -> None:
    file = write("a.txt", FIRST)
    write("rows.jsonl", [{"id": "r1", "text": SECOND}, {"id": "r2", "text": THIRD}])
    sync()
    assert reads == ["a.txt", "rows.jsonl"]
    os.utime(file)
    _, summary = sync()
    assert summary.counts == {"unchanged": 3}
    assert reads == ["a.txt", "rows.jsonl"]


def test_a_file_is_read_again_when_a_byte_of_it_changes_though_size_and_time_stay(
    corpus: Index, write: Write, sync: Sync, reads: list[str]
) -> None:
    file = write("a.txt", FIRST)
    sync()
    at = file.stat().st_mtime_ns
    write("a.txt", FIRST.replace("2007", "2008"))
    os.utime(file, ns=(at, at))
    assert sync()[0] == {"a.txt": "replaced"}
    assert reads == ["a.txt", "a.txt"]


def test_a_file_is_read_again_when_what_the_command_says_of_it_changes(
    corpus: Index, write: Write, sync: Sync, reads: list[str]
) -> None:
    write("a.txt", FIRST)
    sync()
    given = Given({"source": "The Herald"})
    assert sync(given=given)[0] == {"a.txt": "replaced"}
    assert corpus.article("a").source == "The Herald"
    assert sync(given=given)[0] == {"a.txt": "unchanged"}
    assert reads == ["a.txt", "a.txt"]


def test_a_file_is_read_again_when_one_of_its_articles_was_removed(
    corpus: Index, write: Write, sync: Sync, reads: list[str]
) -> None:
    write("rows.jsonl", [{"id": "r1", "text": SECOND}, {"id": "r2", "text": THIRD}])
    sync()
    corpus.remove(["r1"])
    _, summary = sync()
    assert summary.counts == {"added": 1, "unchanged": 1}
    assert len(reads) == 2


def test_a_file_whose_row_another_file_took_over_is_read_again(
    corpus: Index, write: Write, sync: Sync, folder: Path
) -> None:
    write("one.jsonl", [{"id": "same", "text": FIRST}])
    sync()
    write("two.jsonl", [{"id": "same", "text": SECOND}])
    _, summary = sync(replace_ids=True)
    assert summary.counts["failed"] <= 1
    (folder / "two.jsonl").unlink()
    sync(replace_ids=True)
    assert texts(corpus) == {"same": FIRST}
