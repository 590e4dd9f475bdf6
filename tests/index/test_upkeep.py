"""Looking after an index: is it whole, write its projections anew, give space back, move it to another embedder."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from index import ledger as ledgers
from index import lexical, tables
from index.embedding import CHUNK_PIECES, Embedder
from index.errors import Busy, DiskFull, EmbedderMismatch, StoreError
from index.lexical import Entry
from index.search import Index
from index.settings import Settings
from index.splitting import split
from index.upkeep import compact, migrate, rebuild, verify
from index.vectors import ChromaProjection
from tests.conftest import FIRST, SECOND

Write = Callable[..., Path]
MakeIndex = Callable[[], Index]

LONG = " ".join(f"Field number {n} of the valley gave more wheat than in any other year." for n in range(60))
TEXTS = {"gwadar": FIRST, "quetta": SECOND, "wheat": LONG, "copy": f"{FIRST}\n"}


@pytest.fixture
def filled(corpus: Index, write: Write, folder: Path) -> Index:
    for name, text in TEXTS.items():
        write(f"{name}.txt", text)
    corpus.add([folder])
    return corpus


@pytest.fixture
def no_embedding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Embedder, "embed", lambda *_, **__: pytest.fail("embedded"))


def chroma(index: Index) -> ChromaProjection:
    assert isinstance(index.projection, ChromaProjection)
    return index.projection


def publish_only(index: Index, article_id: str, write: Write) -> None:
    """Puts an article in the ledger that the vector store does not know of yet."""
    article = index.article("gwadar")
    new = type(article)(article_id, "Opera", f"The opera of {article_id} opened its hall.", origin=f"/{article_id}.txt")
    index.ledger.publish(list(index.embedder.embed([split(new, index.embedder, CHUNK_PIECES)])))


def lose_words(index: Index, article_id: str) -> int:
    """Takes an article's rows out of the lexical index; gives how many they were."""
    key = index.ledger.key(article_id)
    with index.ledger._engine.begin() as connection:
        whole, chunks = ledgers._entries(connection, key)
        lexical.delete(connection, "whole", [whole])
        lexical.delete(connection, "lexical", chunks)
    return 1 + len(chunks)


def add_words(index: Index) -> None:
    with index.ledger._engine.begin() as connection:
        lexical.insert(connection, "lexical", [Entry(9_999, "Nothing", "Words of nothing.")])
        lexical.insert(connection, "whole", [Entry(9_999, "Nothing", "Words of nothing.")])


def garbage(folder: Path) -> None:
    for file in folder.rglob("*"):
        if file.is_file():
            file.write_bytes(b"\x93garbage" * 600)


def results(index: Index) -> list[list[tuple[str, int, float]]]:
    return [
        [(hit.article.id, hit.chunk.start, round(hit.score, 4)) for hit in index.search(question)]
        for question in ("When was the harbour opened?", "wheat", "railway passengers")
    ]


# verify


def test_an_index_that_is_whole_is_clean(filled: Index) -> None:
    found = verify(filled)
    assert found.is_clean
    assert (found.articles, found.sentences, found.chunks) == filled.ledger.count()
    assert (found.pending, found.trouble, found.unchecked) == ((), "", "")


def test_an_empty_index_is_clean(corpus: Index) -> None:
    assert verify(corpus).is_clean


def test_verifying_changes_nothing(filled: Index, write: Write) -> None:
    publish_only(filled, "opera", write)
    lose_words(filled, "quetta")
    first = verify(filled)
    assert verify(filled) == first
    assert not first.is_clean


def test_rows_that_the_lexical_index_lacks_or_has_too_many_are_counted(filled: Index) -> None:
    lost = lose_words(filled, "wheat")
    assert lost > 2
    found = verify(filled)
    assert (found.lexical_missing, found.lexical_surplus, found.is_clean) == (lost, 0, False)
    add_words(filled)
    found = verify(filled)
    assert (found.lexical_missing, found.lexical_surplus) == (lost, 2)
    assert found.vectors_missing == found.vectors_surplus == 0


def test_articles_whose_vectors_are_still_to_be_written_are_named(filled: Index, write: Write) -> None:
    publish_only(filled, "opera", write)
    publish_only(filled, "ballet", write)
    found = verify(filled)
    assert found.pending == ("ballet", "opera")
    assert (found.vectors_missing, found.is_clean) == (2, False)
    filled.search("opera")
    assert verify(filled).is_clean


def test_vectors_of_no_passage_are_counted(filled: Index) -> None:
    filled.ledger.remove(["wheat"])
    found = verify(filled)
    assert (found.vectors_missing, found.is_clean) == (0, False)
    assert found.vectors_surplus > 1


def test_vectors_that_the_store_lost_are_counted_and_named(filled: Index) -> None:
    keys = [str(key) for key in filled.ledger.chunk_keys()]
    chroma(filled)._open().client.delete(ids=keys[:1])
    found = verify(filled)
    assert (found.vectors_missing, len(found.pending)) == (1, 1)


def test_a_vector_store_that_is_damaged_is_told_and_rebuilt(
    filled: Index, make_index: MakeIndex, settings: Settings, no_embedding: None
) -> None:
    before = results(filled)
    filled.close()
    garbage(settings.chroma_path)
    again = make_index()
    found = verify(again)
    assert "vector store" in found.trouble
    assert not found.is_clean
    rebuild(again)
    assert verify(again).is_clean
    assert results(again) == before


def test_a_lexical_index_whose_structure_is_damaged_is_told_and_rebuilt(
    filled: Index, make_index: MakeIndex, settings: Settings, no_embedding: None
) -> None:
    before = results(filled)
    filled.close()
    with closing(sqlite3.connect(settings.ledger_path)) as database, database:
        database.execute("DELETE FROM lexical_data WHERE id > 10")
    again = make_index()
    found = verify(again)
    assert found.trouble
    assert not found.is_clean
    rebuild(again)
    assert verify(again).is_clean
    assert results(again) == before


def test_where_another_process_has_the_vector_store_that_is_said_and_nothing_is_rebuilt(
    filled: Index, make_index: MakeIndex
) -> None:
    other = make_index()
    found = verify(other)
    assert found.is_clean
    assert "another process" in found.unchecked
    for work in (rebuild, compact):
        with pytest.raises(Busy, match="chat page"):
            work(other)


# rebuild


def test_a_rebuild_mends_everything_and_embeds_nothing(filled: Index, write: Write, no_embedding: None) -> None:
    before, copies = results(filled), filled.copies("gwadar")
    assert copies == ["copy"]
    lose_words(filled, "quetta")
    add_words(filled)
    chroma(filled)._open().client.delete(ids=[str(key) for key in filled.ledger.chunk_keys()][1:])
    with filled.ledger._engine.begin() as connection:
        connection.execute(tables.ARTICLES.update().values(copies=None))
        connection.execute(tables.BANDS.delete())
    steps: list[tuple[str, int, int]] = []
    rebuild(filled, lambda *step: steps.append(step))
    assert verify(filled).is_clean
    assert results(filled) == before
    assert filled.copies("gwadar") == copies
    assert {step for step, _, _ in steps} == {"words", "vectors"}
    assert all(done <= total for _, done, total in steps)


def test_a_rebuild_that_is_stopped_leaves_the_words_as_they_were(filled: Index) -> None:
    def stop(step: str, done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    before = results(filled)
    with pytest.raises(KeyboardInterrupt):
        rebuild(filled, stop)
    assert verify(filled).is_clean
    assert results(filled) == before


# compact


def test_after_compacting_no_file_holds_anything_of_a_deleted_text_and_space_is_free(
    corpus: Index, write: Write, settings: Settings, no_traces: Callable[..., list[str]]
) -> None:
    rows = [
        {"id": f"q{n}", "title": "Quokkaville", "text": f"Quokkaville grew by {n} per cent. {LONG}"} for n in range(25)
    ]
    corpus.add([write("rows.jsonl", rows), write("kept.txt", SECOND)])
    corpus.remove([f"q{n}" for n in range(25)])
    before = settings.ledger_path.stat().st_size
    freed = compact(corpus)
    assert verify(corpus).is_clean
    assert [hit.article.id for hit in corpus.search("railway")] == ["kept"]
    corpus.close()
    after = settings.ledger_path.stat().st_size
    assert after < before / 2
    assert freed >= before - after > 0
    assert no_traces(b"okkaville", b"okkavil") == []


def test_compacting_keeps_everything_that_is_there(filled: Index, no_embedding: None) -> None:
    before = results(filled), filled.ledger.count(), filled.copies("gwadar")
    assert compact(filled) >= 0
    assert (results(filled), filled.ledger.count(), filled.copies("gwadar")) == before


def test_compacting_a_full_disk_is_refused_before_anything_is_changed(filled: Index, full_disk: None) -> None:
    before = filled.ledger.generation()
    with pytest.raises(DiskFull, match="MiB"):
        compact(filled)
    assert filled.ledger.generation() == before
    assert verify(filled).is_clean


@pytest.fixture
def no_traces(settings: Settings) -> Callable[..., list[str]]:
    """The files of the home that hold any of these bytes, in whatever case."""

    def traces(*needles: bytes) -> list[str]:
        # Chroma's graph files (*.bin) are left out: hnswlib writes memory that it never filled, whatever stood there.
        files = [file for file in settings.home.rglob("*") if file.is_file() and file.suffix != ".bin"]
        return [file.name for file in files if any(needle in file.read_bytes().lower() for needle in needles)]

    return traces


# migrate


@pytest.fixture
def other(embedder: Embedder, monkeypatch: pytest.MonkeyPatch) -> Iterator[Embedder]:
    """An embedder that cuts smaller chunks, which is another one; what is opened from now on is opened with it."""
    with monkeypatch.context() as smaller:
        for place in ("index.embedding", "index.upkeep", "index.ingest", "index.search"):
            smaller.setattr(f"{place}.CHUNK_PIECES", 60)
        made = Embedder()
        made._loaded = embedder._reader()
        assert made.fingerprint != embedder.fingerprint
        smaller.setattr("index.upkeep.Embedder", lambda name: made)
        yield made


@pytest.fixture
def open_with_other(
    other: Embedder, settings: Settings, monkeypatch: pytest.MonkeyPatch, shared_embedder: Embedder
) -> Iterator[Callable[[], Index]]:
    opened: list[Index] = []

    def open_with_other() -> Index:
        with monkeypatch.context() as patched:
            patched.setattr("index.search.Embedder", lambda name: other)
            opened.append(Index.open(settings))
        return opened[-1]

    yield open_with_other
    for index in opened:
        index.close()


def contents(index: Index) -> dict[str, tuple[str, str]]:
    return {row.id: (index.article(row.id).text, row.origin) for row in index.articles()}


def test_a_migration_keeps_ids_and_texts_and_cuts_and_embeds_anew(
    filled: Index, settings: Settings, open_with_other: MakeIndex, other: Embedder
) -> None:
    before, copies, chunks = contents(filled), filled.copies("gwadar"), filled.ledger.count()[2]
    filled.close()
    steps: list[tuple[str, int, int]] = []
    assert migrate(settings, lambda *step: steps.append(step)).embedded == 4
    assert [step for step in steps if step[0] == "embed"][-1] == ("embed", 4, 4)
    new = open_with_other()
    assert contents(new) == before
    assert new.copies("gwadar") == copies
    assert new.ledger.count()[2] > chunks
    assert new.search("harbour")[0].article.id in ("gwadar", "copy")
    assert verify(new).is_clean
    assert not list(settings.home.glob("migration*"))
    key = new.ledger.key("quetta")
    (own,) = other.embed([split(new.article("quetta"), other, 60)])
    np.testing.assert_allclose(new.ledger.sentences(key).vectors, own.sentences, atol=2e-3)


def test_a_migration_to_the_same_embedder_does_nothing(
    filled: Index, settings: Settings, shared_embedder: Embedder, no_embedding: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index.upkeep.Embedder", lambda name: shared_embedder)
    assert migrate(settings).embedded == 0
    assert verify(filled).is_clean


def test_an_empty_index_needs_no_migration(corpus: Index, settings: Settings, open_with_other: MakeIndex) -> None:
    corpus.close()
    assert migrate(settings).embedded == 0
    assert open_with_other().articles() == []


def test_the_old_index_serves_until_the_new_one_is_whole_and_then_says_so(
    filled: Index, settings: Settings, other: Embedder
) -> None:
    served: list[str] = []

    def progress(step: str, done: int, total: int) -> None:
        served.append(filled.search("harbour")[0].article.id)

    migrate(settings, progress)
    assert len(served) >= 2
    assert set(served) <= {"gwadar", "copy"}
    with pytest.raises(EmbedderMismatch, match="migrate"):
        filled.search("harbour")


def test_a_process_that_was_open_during_a_migration_can_write_nothing_of_the_old_embedder(
    filled: Index, settings: Settings, open_with_other: MakeIndex, write: Write, other: Embedder
) -> None:
    migrate(settings)
    with pytest.raises(EmbedderMismatch):
        filled.add([write("late.txt", "The opera opened its hall.")])
    assert open_with_other().ledger.fingerprint() == other.fingerprint


def test_a_process_that_was_open_during_a_migration_does_not_turn_the_index_back_by_removing(
    filled: Index, settings: Settings, open_with_other: MakeIndex, other: Embedder
) -> None:
    migrate(settings)
    with pytest.raises(EmbedderMismatch):
        filled.remove(["wheat"])
    assert open_with_other().ledger.fingerprint() == other.fingerprint


_CHILD = """
import os, signal, sys
import index.embedding
index.embedding.CHUNK_PIECES = 60
import index.ledger, index.upkeep
from index.settings import load_settings

def dying(function, calls):
    count = [0]
    def call(*args, **kwargs):
        count[0] += 1
        if count[0] > calls:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)
    return call

index.upkeep._AT_ONCE = 1
where, calls = sys.argv[1], int(sys.argv[2])
if where == "embed":
    index.upkeep.Embedder.embed = dying(index.upkeep.Embedder.embed, calls)
elif where == "publish":
    index.ledger._insert = dying(index.ledger._insert, calls)
elif where == "forget":
    index.upkeep._forget = dying(index.upkeep._forget, calls)
index.upkeep.migrate(load_settings())
"""


def stopped(where: str, calls: int) -> None:
    child = subprocess.run(
        [sys.executable, "-c", _CHILD, where, str(calls)], capture_output=True, text=True, timeout=120
    )
    assert child.returncode == -signal.SIGKILL, child.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "calls", "left"), [("embed", 0, 4), ("embed", 2, 2), ("publish", 3, 1), ("publish", 6, 0)]
)
def test_a_migration_that_was_killed_goes_on_where_it_was(
    filled: Index,
    make_index: MakeIndex,
    settings: Settings,
    where: str,
    calls: int,
    left: int,
    check_whole: Callable[[Path], None],
    request: pytest.FixtureRequest,
) -> None:
    before, found = contents(filled), results(filled)
    filled.close()
    stopped(where, calls)
    check_whole(settings.ledger_path)
    with make_index() as old:
        assert results(old) == found, "the old index no longer serves"
    open_with_other = request.getfixturevalue("open_with_other")
    assert migrate(settings).embedded == left
    new = open_with_other()
    assert contents(new) == before
    new.catch_up()
    assert verify(new).is_clean
    assert not list(settings.home.glob("migration*"))


def test_what_a_killed_migration_left_is_gone_after_the_index_is_compacted(
    filled: Index, settings: Settings, make_index: MakeIndex, no_traces: Callable[..., list[str]]
) -> None:
    filled.close()
    stopped("publish", 6)
    with make_index() as again:
        again.remove(["gwadar", "copy"])
        compact(again)
    assert no_traces(b"harbour of gwadar") == []


def test_a_migration_that_was_given_up_leaves_no_file_behind(
    filled: Index, settings: Settings, shared_embedder: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled.close()
    stopped("embed", 2)
    assert list(settings.home.glob("migration*"))
    monkeypatch.setattr("index.upkeep.Embedder", lambda name: shared_embedder)
    assert migrate(settings).embedded == 0
    assert not list(settings.home.glob("migration*"))


def test_what_changes_between_a_kill_and_the_next_migration_is_as_it_is_then(
    filled: Index,
    settings: Settings,
    make_index: MakeIndex,
    folder: Path,
    write: Write,
    request: pytest.FixtureRequest,
) -> None:
    filled.close()
    stopped("publish", 5)
    with make_index() as again:
        write("quetta.txt", "The railway runs again.")
        (folder / "wheat.txt").unlink()
        (folder / "gwadar.txt").rename(folder / "port.txt")
        write("new.txt", "The opera opened its hall.")
        again.sync(folder)
        now = contents(again)
    assert set(now) == {"gwadar", "quetta", "copy", "new"}
    open_with_other = request.getfixturevalue("open_with_other")
    migrate(settings)
    assert contents(open_with_other()) == now


# A home that can only be read


@pytest.fixture
def only_readable(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    def only_readable() -> None:
        real = os.access

        def access(path: Any, mode: int, **options: Any) -> bool:
            return not (mode & os.W_OK and Path(path).is_relative_to(settings.home)) and real(path, mode, **options)

        monkeypatch.setattr("index.ledger.os.access", access)

    return only_readable


def test_a_home_that_can_only_be_read_can_be_searched_and_not_written(
    filled: Index, make_index: MakeIndex, settings: Settings, only_readable: Callable[[], None], write: Write
) -> None:
    before = results(filled)
    filled.close()
    only_readable()
    files = {file: file.stat().st_mtime_ns for file in settings.home.rglob("*")}
    again = make_index()
    assert again.ledger.read_only
    assert results(again) == before
    assert again.copies("gwadar") == ["copy"]
    found = verify(again)
    assert (found.is_clean, bool(found.unchecked)) == (True, True)
    for forbidden in (
        lambda: again.add([write("late.txt", "New.")]),
        lambda: again.sync(write("late.txt", "New.").parent),
        lambda: again.remove(["wheat"]),
    ):
        with pytest.raises(StoreError, match="can only be read"):
            forbidden()
    again.close()
    assert {file: file.stat().st_mtime_ns for file in settings.home.rglob("*")} == files


@pytest.mark.parametrize("name", ["with space", "100%25", "what?", "a#b", "Ünï"])
def test_a_home_of_any_name_can_be_read_only(
    tmp_path: Path, made: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = tmp_path / name / "ledger.sqlite3"
    with closing(ledgers.Ledger(path, "made-up")) as ledger:
        ledger.publish([made("a", "Lions were seen.")])
    monkeypatch.setattr("index.ledger.os.access", lambda *_, **__: False)
    with closing(ledgers.Ledger(path, "made-up")) as again:
        assert again.read_only
        assert set(again.known()) == {"a"}


def test_a_home_that_was_not_closed_in_order_is_not_read_as_if_it_were(
    filled: Index, make_index: MakeIndex, settings: Settings, only_readable: Callable[[], None], write: Write
) -> None:
    publish_only(filled, "opera", write)
    only_readable()
    assert (settings.home / "ledger.sqlite3-wal").stat().st_size
    with pytest.raises(StoreError, match="not closed in order"):
        make_index()


def test_an_older_ledger_that_can_only_be_read_says_what_to_do(
    filled: Index, make_index: MakeIndex, settings: Settings, only_readable: Callable[[], None]
) -> None:
    filled.close()
    with closing(sqlite3.connect(settings.ledger_path)) as database, database:
        database.execute("UPDATE meta SET value = '2' WHERE name = 'schema'")
    only_readable()
    with pytest.raises(StoreError, match="Open it once where it can be written to"):
        make_index()
