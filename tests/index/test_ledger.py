from __future__ import annotations

import contextlib
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from index.embedding import Embedded
from index.errors import Busy, DiskFull, EmbedderMismatch, StoreError, UnknownArticle
from index.ledger import MIN_FREE_BYTES, Differences, Ledger, ReadFile

Made = Callable[..., Embedded]
FINGERPRINT = "made-up"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "ledger.sqlite3"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    with contextlib.closing(Ledger(path, FINGERPRINT)) as ledger:
        yield ledger


def all_bytes(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir() if file.is_file())


def test_what_is_published_is_read_back_to_the_letter(ledger: Ledger, made: Made) -> None:
    embedded = made(
        "a", "Zürich \U0001f600 first.", "Second.", title="T", source="S", published="2025-07", url="u", note="n"
    )
    ledger.publish([embedded])
    assert ledger.article("a") == embedded.pieces.article
    (key,) = {chunk.article for chunk in ledger.chunks(sorted(ledger.chunk_keys())).values()}
    stored = ledger.sentences(key)
    assert stored.spans == embedded.pieces.sentences
    np.testing.assert_allclose(stored.vectors, embedded.sentences, atol=1e-3)
    keys, vectors = ledger.chunk_vectors(sorted(ledger.chunk_keys()))
    np.testing.assert_array_equal(vectors, embedded.chunks)
    assert [ledger.chunks(keys)[k].chunk for k in keys] == list(embedded.pieces.chunks)
    assert ledger.count() == (1, 2, 2)
    assert ledger.known() == {"a": (embedded.pieces.article.digest, "/a.txt")}


def test_articles_are_listed_the_newest_first_and_the_undated_last(ledger: Ledger, made: Made) -> None:
    ledger.publish(
        [made("old", "x.", published="2019"), made("none", "x."), made("new", "x.", "y.", published="2025-01-02")]
    )
    assert [(row.id, row.sentences) for row in ledger.list_articles()] == [("new", 2), ("old", 1), ("none", 1)]


def test_every_change_raises_the_generation_and_reading_does_not(ledger: Ledger, made: Made) -> None:
    seen = [ledger.generation()]
    ledger.publish([made("a", "x."), made("b", "y.")])
    seen.append(ledger.generation())
    ledger.list_articles()
    ledger.relocate({"a": "/elsewhere.txt"})
    assert ledger.generation() == seen[-1]
    ledger.remove(["a"])
    seen.append(ledger.generation())
    assert seen == sorted(set(seen))


def test_a_new_version_replaces_the_old_one_everywhere(
    ledger: Ledger, path: Path, made: Made, check_whole: Callable[[Path], None]
) -> None:
    ledger.publish([made("a", "The old zebra slept."), made("b", "Another.")])
    old = ledger.chunk_keys()
    ledger.publish([made("a", "The new lion woke.")])
    assert ledger.article("a").text == "The new lion woke.\n"
    assert ledger.match_chunks(["zebra"], 10) == ledger.match_articles(["zebra"], 10) == {}
    assert len(ledger.match_chunks(["lion"], 10)) == 1
    assert ledger.count() == (2, 2, 2)
    assert max(ledger.chunk_keys()) > max(old), "a chunk key was used twice"
    check_whole(path)


@pytest.mark.parametrize("way", ["remove", "replace"])
@pytest.mark.parametrize("needle", ["quokkaville", "Quokkaville grew", "quokkavil", "hiddentitle", "hiddentitl"])
def test_deleted_text_is_nowhere_in_the_files(ledger: Ledger, path: Path, made: Made, way: str, needle: str) -> None:
    secret = "Quokkaville grew by nine per cent, said quokkaville officials."
    ledger.publish([made("other", "Something else that stays.")])
    ledger.publish([made("a", secret, title="Hiddentitle")])
    if way == "remove":
        ledger.remove(["a"])
    else:
        ledger.publish([made("a", "Nothing of it.", title="Plain")])
    ledger.close()
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    found = needle.encode().lower() in all_bytes(path.parent).lower()
    assert not found


def test_removing_an_unknown_article_removes_nothing(ledger: Ledger, made: Made) -> None:
    ledger.publish([made("a", "x.")])
    before = ledger.generation()
    with pytest.raises(UnknownArticle, match="nobody"):
        ledger.remove(["a", "nobody"])
    assert ledger.article("a")
    assert ledger.generation() == before


def test_removing_an_article_named_twice_removes_it_once(ledger: Ledger, made: Made) -> None:
    ledger.publish([made("a", "x.")])
    ledger.remove(["a", "a"])
    assert ledger.count() == (0, 0, 0)


def test_more_ids_than_fit_one_statement_can_be_removed(
    ledger: Ledger, path: Path, made: Made, check_whole: Callable[[Path], None]
) -> None:
    ledger.publish([made(f"a{n}", "x.") for n in range(1_100)])
    assert len(ledger.chunk_vectors(sorted(ledger.chunk_keys()))[0]) == 1_100
    ledger.remove([f"a{n}" for n in range(1, 1_100)])
    assert set(ledger.known()) == {"a0"}
    check_whole(path)


def test_a_batch_that_fails_leaves_nothing_of_itself(ledger: Ledger, path: Path, made: Made) -> None:
    ledger.publish([made("a", "The old zebra.")])
    before = ledger.generation()
    broken = made("b", "x.")
    with pytest.raises(Exception, match=r"zip|shorter"):
        ledger.publish([made("a", "The new lion."), Embedded(broken.pieces, broken.chunks[:0], broken.sentences)])
    assert ledger.article("a").text == "The old zebra.\n"
    assert set(ledger.known()) == {"a"}
    assert ledger.generation() == before


def test_a_full_disk_is_told_before_anything_is_written(
    ledger: Ledger, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.publish([made("a", "The old zebra.")])
    before = ledger.generation()

    class Usage(NamedTuple):
        total: int = 10**12
        used: int = 10**12
        free: int = MIN_FREE_BYTES - 1

    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage())
    with pytest.raises(DiskFull, match=r"200 MiB left"):
        ledger.publish([made("a", "The new lion."), made("b", "x.")])
    assert ledger.generation() == before
    assert ledger.article("a").text == "The old zebra.\n"
    assert set(ledger.known()) == {"a"}


def test_another_embedder_is_refused_with_both_names_and_a_remedy(ledger: Ledger, path: Path, made: Made) -> None:
    Ledger(path, "other").close()  # an empty ledger belongs to nobody
    ledger.publish([made("a", "x.")])
    with pytest.raises(EmbedderMismatch) as caught:
        Ledger(path, "other")
    for word in (FINGERPRINT, "other", "DATELINE_EMBEDDER", "DATELINE_HOME"):
        assert word in str(caught.value)


def test_a_ledger_of_another_version_is_refused(ledger: Ledger, path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE meta SET value = '99' WHERE name = 'schema'")
    with pytest.raises(StoreError, match="schema 99"):
        Ledger(path, FINGERPRINT)


@pytest.mark.parametrize(
    "content", [b"this is no database at all, whatever its name says" * 100, b"SQLite format 3\0" + b"x" * 9_000]
)
def test_a_file_that_is_no_ledger_is_refused_and_left_alone(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"ledger\.sqlite3"):
        Ledger(path, FINGERPRINT)
    assert path.read_bytes() == content


def test_a_home_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="permissions"):
        Ledger(tmp_path / "file" / "home" / "ledger.sqlite3", FINGERPRINT)


def test_one_process_writes_at_a_time(ledger: Ledger, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = (
        "import sys, filelock; lock = filelock.FileLock(sys.argv[1]); lock.acquire(); print('held', flush=True); "
        "sys.stdin.read()"
    )
    monkeypatch.setattr("index.ledger.filelock.FileLock.acquire", _impatient)
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path.with_name("writer.lock"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout and holder.stdin
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(Busy, match="home"), ledger.writing():
            pass
        holder.stdin.close()
        holder.wait()
    with ledger.writing():
        pass


def _impatient(self, timeout=None, **options):  # type: ignore[no-untyped-def]
    import filelock

    return filelock.BaseFileLock.acquire(self, timeout=min(timeout, 0.2) if timeout else timeout, **options)


def test_the_writers_place_is_given_back_after_an_error(ledger: Ledger) -> None:
    with pytest.raises(RuntimeError), ledger.writing():
        raise RuntimeError
    with ledger.writing():
        pass


def test_readers_see_the_old_version_until_the_new_one_is_whole(ledger: Ledger, path: Path, made: Made) -> None:
    ledger.publish([made("a", "The old zebra.")])
    with contextlib.closing(sqlite3.connect(path)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE articles SET text = 'half'")
        assert ledger.article("a").text == "The old zebra.\n"
        writer.rollback()


@pytest.mark.parametrize(
    "words",
    [
        ['"'],
        ['a" OR "b'],
        ["NEAR(a b)"],
        ["*"],
        ["zeb*"],
        ["(", ")"],
        ["OR"],
        ["AND"],
        ["NOT"],
        ["^zebra"],
        ["title:x"],
        ["{title}"],
        ["-"],
        ["\\"],
        [""],
        ["'; DROP TABLE articles; --"],
        ["\u200b"],
        ["\U0001f600"],
        ["a" * 5_000],
        ["zebra"] * 3_000,
    ],
)
def test_no_word_is_an_operator_of_the_query_language(ledger: Ledger, made: Made, words: list[str]) -> None:
    ledger.publish([made("a", "The zebra slept.")])
    found = ledger.match_chunks(words, 10)
    assert len(found) == (1 if words[0] in {"zebra", "^zebra"} else 0)
    assert len(ledger.match_chunks(["zebra"], 10)) == 1


def test_a_question_of_thousands_of_different_words_can_be_looked_up(ledger: Ledger, made: Made) -> None:
    ledger.publish([made("a", "The zebra slept.")])
    assert len(ledger.match_chunks([*(f"w{n}" for n in range(2_000)), "zebra"], 10)) == 1


def test_words_are_ranked_by_rarity_and_the_title_counts(ledger: Ledger, made: Made) -> None:
    ledger.publish(
        [
            made("body", "The zebra slept all day near the river bank."),
            made("title", "It slept all day near the river bank.", title="Zebra"),
            *(made(f"other{n}", "It slept all day near the river bank.") for n in range(8)),
        ]
    )
    chunks = ledger.chunks(sorted(ledger.chunk_keys()))
    articles = ledger.articles_by_key({chunk.article for chunk in chunks.values()})
    found = ledger.match_chunks(["zebra"], 10)
    assert [articles[chunks[key].article].id for key in found] == ["title", "body"]
    assert list(found.values()) == sorted(found.values(), reverse=True)
    assert min(found.values()) > 0


def test_where_too_many_rows_would_match_the_commonest_words_are_left_out(
    ledger: Ledger, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.publish(
        [made("zebra", "The agreements of the zebra and the lion."), made("lion", "The lion's agreements."),
         *(made(f"other{n}", "Agreements everywhere.") for n in range(8))]
    )  # fmt: skip
    assert len(ledger.match_chunks(["agreement", "zebra", "lion"], 20)) == 10
    monkeypatch.setattr("index.lexical.MOST_ROWS", 5)
    assert len(ledger.match_chunks(["agreement", "zebra", "lion"], 20)) == 2
    assert len(ledger.match_chunks(["agreement"], 20)) == 10, "the only word of a question is always looked up"


def test_diacritics_and_endings_do_not_matter(ledger: Ledger, made: Made) -> None:
    ledger.publish([made("a", "Türkiye signed agreements.")])
    assert ledger.match_chunks(["turkiye"], 5)
    assert ledger.match_chunks(["agreement"], 5)


def test_keys_that_are_gone_are_passed_over(ledger: Ledger, made: Made) -> None:
    ledger.publish([made("a", "x."), made("b", "y.")])
    keys = sorted(ledger.chunk_keys())
    ledger.remove(["a"])
    assert set(ledger.chunks(keys)) == set(keys[1:])
    assert ledger.chunk_vectors(keys)[0] == keys[1:]
    with pytest.raises(UnknownArticle, match="'a'"):
        ledger.article("a")


def make_first_schema(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as old:
        old.executescript(
            "DROP TABLE whole; DROP INDEX ix_articles_name; ALTER TABLE articles DROP COLUMN name;"
            "DROP TABLE bands; DROP TABLE files; DROP INDEX ix_articles_copies;"
            "ALTER TABLE articles DROP COLUMN signature; ALTER TABLE articles DROP COLUMN copies;"
            "DELETE FROM meta WHERE name = 'words';"
            "UPDATE meta SET value = '1' WHERE name = 'schema'"
        )


def test_a_ledger_whose_upgrade_was_stopped_half_way_is_upgraded_at_the_next_start(
    ledger: Ledger, made: Made, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.publish([made("up", "The balloon rose.", title="Up (film)")])
    ledger.close()
    make_first_schema(path)

    def stop(title: str) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as stopped:
        stopped.setattr("index.ledger.name_of", stop)
        with pytest.raises(KeyboardInterrupt):
            Ledger(path, FINGERPRINT)
    with contextlib.closing(Ledger(path, FINGERPRINT)) as new:
        assert new.named(["up"]) == {"up": [1]}


def test_a_ledger_of_the_first_schema_is_brought_up_to_date_without_embedding_again(
    ledger: Ledger, made: Made, path: Path
) -> None:
    ledger.publish([made("up", "The balloon rose.", title="Up (film)"), made("zebra", "The zebra slept.")])
    vectors = ledger.chunk_vectors(sorted(ledger.chunk_keys()))[1]
    ledger.close()
    make_first_schema(path)
    with contextlib.closing(Ledger(path, FINGERPRINT)) as new:
        assert new.named(["up"]) == {"up": [1]}
        assert list(new.match_articles(["zebra"], 5)) == [2]
        np.testing.assert_array_equal(new.chunk_vectors(sorted(new.chunk_keys()))[1], vectors)
        new.remove(["zebra"])
        assert new.match_articles(["zebra"], 5) == {}


def test_an_article_comes_back_as_it_was_cut_and_with_its_vectors(ledger: Ledger, made: Made) -> None:
    one = made("a", "Lions were seen.", "Nobody was hurt.", title="Lions", published="2024-05")
    ledger.publish([made("b", "Tigers were seen."), one])
    assert ledger.pieces("a") == one.pieces
    again = ledger.embedded("a")
    assert again.pieces == one.pieces
    np.testing.assert_array_equal(again.chunks, one.chunks)
    np.testing.assert_allclose(again.sentences, one.sentences, atol=1e-3)
    for read in (ledger.pieces, ledger.embedded, ledger.key):
        with pytest.raises(UnknownArticle):
            read("nobody")


def test_articles_of_another_embedder_take_the_place_of_all(ledger: Ledger, path: Path, made: Made) -> None:
    ledger.publish([made("a", "Lions were seen."), made("b", "Tigers were seen.")])
    keys, generation = ledger.chunk_keys(), ledger.generation()
    ledger.adopt("another", iter([[made("a", "Lions were seen.")], [made("c", "Zebras were seen.")]]))
    assert set(ledger.known()) == {"a", "c"}
    assert not keys & ledger.chunk_keys(), "a key was used twice"
    assert (ledger.fingerprint(), ledger.generation() > generation) == ("another", True)
    assert ledger.match_articles(["tigers"], 5) == {}
    assert set(ledger.match_articles(["zebras"], 5)) == {ledger.key("c")}
    assert ledger.differences() == Differences(0, 0, "")


def test_an_adoption_that_fails_half_way_leaves_everything_as_it_was(ledger: Ledger, path: Path, made: Made) -> None:
    ledger.publish([made("a", "Lions were seen."), made("b", "Tigers were seen.")])
    ledger.note_files({"/a.txt": ReadFile("digest", ("a",))})
    fingerprint, generation, keys = ledger.fingerprint(), ledger.generation(), ledger.chunk_keys()

    def batches() -> Iterator[list[Embedded]]:
        yield [made("c", "Zebras were seen.")]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ledger.adopt("another", batches())
    assert (ledger.fingerprint(), ledger.generation(), ledger.chunk_keys()) == (fingerprint, generation, keys)
    assert set(ledger.known()) == {"a", "b"}
    assert set(ledger.match_articles(["tigers"], 5)) == {ledger.key("b")}
    assert ledger.files() == {"/a.txt": ReadFile("digest", ("a",))}
    assert ledger.differences() == Differences(0, 0, "")
    ledger.publish([made("d", "Owls were seen.")])
    assert ledger.fingerprint() == fingerprint


def test_files_that_were_read_are_known_until_an_article_of_them_is_deleted(ledger: Ledger, made: Made) -> None:
    ledger.publish([made("a", "Lions were seen."), made("b", "Tigers were seen.")])
    one, two, three = ReadFile("one", ("a",)), ReadFile("two", ("b",)), ReadFile("three", ("a",))
    ledger.note_files({"/a.txt": one, "/b.txt": two})
    ledger.note_files({"/a.txt": three})
    assert ledger.files() == {"/a.txt": three, "/b.txt": two}
    ledger.remove(["a"])
    assert ledger.files() == {"/b.txt": two}
