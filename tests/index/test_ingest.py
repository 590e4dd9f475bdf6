from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from index.embedding import Embedder
from index.errors import DiskFull, ReadError
from index.ingest import Outcome, Summary
from index.search import Index
from index.vectors import ChromaProjection
from tests.conftest import FIRST, SECOND

Write = Callable[..., Path]
Add = Callable[..., tuple[Mapping[str, Outcome], Summary]]


def ids_found(corpus: Index, question: str) -> list[str]:
    return list(dict.fromkeys(hit.article.id for hit in corpus.search(question)))


def test_added_articles_can_be_listed_read_and_found(corpus: Index, write: Write, add: Add) -> None:
    outcomes, summary = add(write("gwadar.txt", FIRST), write("quetta.txt", SECOND))
    assert {o.outcome for o in outcomes.values()} == {"added"}
    assert (summary.articles, summary.sentences, summary.chunks) == (2, 4, 2)
    assert {row.id for row in corpus.articles()} == {"gwadar", "quetta"}
    assert corpus.article("gwadar").text == FIRST
    assert ids_found(corpus, "When was Gwadar's harbour opened?")[0] == "gwadar"


def test_adding_twice_changes_nothing_and_embeds_nothing(
    corpus: Index, folder: Path, write: Write, add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("a.txt", FIRST)
    write("rows.jsonl", [{"id": "r1", "text": SECOND}, {"id": "r2", "text": "Third."}])
    add(folder)
    generation, keys = corpus.ledger.generation(), corpus.ledger.chunk_keys()
    monkeypatch.setattr(Embedder, "embed", lambda *_: pytest.fail("embedded again"))
    outcomes, summary = add(folder)
    assert summary.counts == {"unchanged": 3}
    assert {o.outcome for o in outcomes.values()} == {"unchanged"}
    assert (corpus.ledger.generation(), corpus.ledger.chunk_keys()) == (generation, keys)


def test_a_changed_file_replaces_its_old_version_everywhere(
    corpus: Index, write: Write, add: Add, settings: Any, check_whole: Callable[[Path], None]
) -> None:
    path = write("a.txt", "Quokkaville grew by nine per cent. " * 30)
    add(path, write("b.txt", SECOND))
    old = corpus.ledger.chunk_keys()
    write("a.txt", FIRST)
    outcomes, _ = add(path)
    assert outcomes["a.txt"].outcome == "replaced"
    assert corpus.article("a").text == FIRST
    assert corpus.ledger.match_chunks(["quokkaville"], 10) == {}
    assert corpus.ledger.match_articles(["quokkaville"], 10) == {}
    assert isinstance(corpus.projection, ChromaProjection)
    assert corpus.projection.present() == corpus.ledger.chunk_keys()
    assert len(old - corpus.ledger.chunk_keys()) >= 1
    assert all("Quokkaville" not in hit.text for hit in corpus.search("Quokkaville growth"))
    corpus.close()
    check_whole(settings.ledger_path)
    # Chroma's graph files (*.bin) are left out: hnswlib writes memory that it never filled, whatever stood there.
    files = [f for f in settings.home.rglob("*") if f.is_file() and f.suffix != ".bin"]
    assert [f.name for f in files if b"Quokkaville grew" in f.read_bytes()] == []


def test_one_name_in_two_folders_gives_two_ids_that_stay(corpus: Index, folder: Path, write: Write, add: Add) -> None:
    one, two = write("x/report.txt", FIRST), write("y/report.txt", SECOND)
    add(folder)
    ids = {row.origin: row.id for row in corpus.articles()}
    assert len(set(ids.values())) == 2
    write("y/report.txt", SECOND + " More came later.")
    add(two)
    add(one)
    assert {row.origin: row.id for row in corpus.articles()} == ids
    assert corpus.article(ids[str(two)]).text.endswith("More came later.")
    assert corpus.article(ids[str(one)]).text == FIRST


@pytest.mark.parametrize("first", ["x/report.txt", "y/report.txt"])
def test_equal_files_in_two_folders_added_one_after_the_other_do_no_harm(
    corpus: Index, folder: Path, write: Write, add: Add, first: str
) -> None:
    write("x/report.txt", FIRST)
    write("y/report.txt", FIRST)
    add(folder / first)
    for _ in range(2):
        _, summary = add(folder)
        assert summary.counts["failed"] == 0
    write("x/report.txt", SECOND)
    add(folder)
    assert sorted(corpus.article(row.id).text for row in corpus.articles())[-1] == SECOND


def test_a_moved_file_keeps_its_id_and_is_not_embedded_again(
    corpus: Index, write: Write, add: Add, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(write("a.txt", FIRST))
    (folder / "sub").mkdir()
    moved = (folder / "a.txt").rename(folder / "sub" / "a.txt")
    monkeypatch.setattr(Embedder, "embed", lambda *_: pytest.fail("embedded again"))
    outcomes, _ = add(moved)
    assert outcomes["a.txt"].outcome == "renamed"
    assert corpus.article("a").origin == str(moved)


def test_an_id_of_another_file_is_refused_with_both_names(corpus: Index, write: Write, add: Add) -> None:
    one = write("one.jsonl", [{"id": "same", "text": FIRST}])
    two = write("two.jsonl", [{"id": "same", "text": SECOND}, {"id": "own", "text": "Other text."}])
    add(one)
    outcomes, summary = add(two)
    assert summary.counts == {"failed": 1, "added": 1}
    clash = outcomes["two.jsonl:1"]
    assert clash.outcome == "failed"
    assert str(two) in clash.origin
    assert str(one) in clash.message
    assert "--replace" in clash.message
    assert corpus.article("same").text == FIRST


def test_replace_lets_a_row_take_over_an_id(corpus: Index, write: Write, add: Add) -> None:
    add(write("one.jsonl", [{"id": "same", "text": FIRST}]))
    outcomes, _ = add(write("two.jsonl", [{"id": "same", "text": SECOND}]), replace_ids=True)
    assert outcomes["two.jsonl:1"].outcome == "replaced"
    assert corpus.article("same").text == SECOND


def test_a_row_may_change_and_move_within_its_own_file(corpus: Index, write: Write, add: Add) -> None:
    path = write("one.jsonl", [{"id": "r", "text": FIRST}])
    add(path)
    write("one.jsonl", [{"id": "new", "text": "New."}, {"id": "r", "text": SECOND}])
    outcomes, _ = add(path)
    assert outcomes["one.jsonl:2"].outcome == "replaced"
    assert corpus.article("r").text == SECOND


def test_an_id_twice_in_one_file_fails_the_second_row(corpus: Index, write: Write, add: Add) -> None:
    outcomes, _ = add(write("one.jsonl", [{"id": "r", "text": FIRST}, {"id": "r", "text": SECOND}]))
    assert outcomes["one.jsonl:1"].outcome == "added"
    assert outcomes["one.jsonl:2"].outcome == "failed"
    assert "'r'" in outcomes["one.jsonl:2"].message
    assert corpus.article("r").text == FIRST


def test_bad_files_and_rows_fail_alone(corpus: Index, folder: Path, write: Write, add: Add) -> None:
    write("good.txt", FIRST)
    write("nul.txt", "a\0b")
    write("open.md", "---\ntitle: x\n")
    write("rows.jsonl", b'{"id": "1", "text": "Fine."}\n{"id": "2", "te')
    outcomes, summary = add(folder, folder / "nowhere.txt")
    assert summary.counts == {"added": 2, "failed": 4}
    failed = {name for name, outcome in outcomes.items() if outcome.outcome == "failed"}
    assert failed == {"nul.txt", "open.md", "rows.jsonl:2", "nowhere.txt"}
    assert all(outcomes[name].message for name in failed)


@pytest.mark.parametrize(
    "front",
    ['title: "x\\ud800"', 'title: "x\\0"', "title: " + "[" * 20_000, "a: &a [b, *a]\ntitle: *a"],
    ids=["surrogate", "NUL", "nested", "endless"],
)
def test_hostile_front_matter_never_stops_the_rest(
    corpus: Index, folder: Path, write: Write, add: Add, front: str
) -> None:
    write("a.md", f"---\n{front}\n---\nBody.")
    write("b.txt", FIRST)
    outcomes, _ = add(folder)
    assert outcomes["b.txt"].outcome == "added"


def test_nothing_readable_for_an_empty_corpus_is_an_error(folder: Path, add: Add, write: Write) -> None:
    with pytest.raises(ReadError):
        add(write("empty.txt", ""), folder / "nowhere")


def test_a_bad_file_beside_a_filled_corpus_is_only_an_outcome(write: Write, add: Add) -> None:
    add(write("a.txt", FIRST))
    _, summary = add(write("empty.txt", ""))
    assert summary.counts == {"failed": 1}
    assert summary.articles == 1


def test_progress_runs_up_to_its_total_and_never_back(corpus: Index, folder: Path, write: Write) -> None:
    for n in range(3):
        write(f"{n}.txt", FIRST)
    told: dict[str, list[tuple[int, int]]] = {}
    corpus.add([folder], progress=lambda step, done, total: told.setdefault(step, []).append((done, total)))
    assert set(told) == {"articles", "vectors"}
    for steps in told.values():
        assert [done for done, _ in steps] == sorted(done for done, _ in steps)
        assert steps[-1][0] == steps[-1][1]


def test_a_file_that_vanishes_meanwhile_fails_alone(corpus: Index, folder: Path, write: Write) -> None:
    write("a.txt", FIRST)
    gone = write("b.txt", SECOND)
    outcomes: list[Outcome] = []
    corpus.add([folder], report=outcomes.append, at=lambda name: gone.unlink() if name == gone.name else None)
    assert {Path(o.origin).name: o.outcome for o in outcomes} == {"a.txt": "added", "b.txt": "failed"}


def test_ctrl_c_keeps_the_batches_that_were_finished(
    corpus: Index,
    folder: Path,
    write: Write,
    add: Add,
    settings: Any,
    check_whole: Callable[[Path], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("index.ingest._FIRST_BATCH", 1)
    monkeypatch.setattr("index.ingest._MOST_IN_A_BATCH", 1)
    for n in range(4):
        write(f"a{n}.txt", f"Number {n}. {FIRST}")

    def report(outcome: Outcome) -> None:
        if outcome.article == "a1":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        corpus.add([folder], report=report)
    assert set(corpus.ledger.known()) == {"a0", "a1"}
    check_whole(settings.ledger_path)
    assert set(ids_found(corpus, "harbour of Gwadar")) == {"a0", "a1"}
    _, summary = add(folder)
    assert summary.counts == {"unchanged": 2, "added": 2}


def test_progress_moves_with_every_chunk_and_ends_at_the_files_size(corpus: Index, write: Write) -> None:
    rows = [{"id": f"a{n}", "text": f"Number {n}. {FIRST} {SECOND}", "extra": "x" * 50} for n in range(40)]
    path = write("many.jsonl", rows)
    shown: list[tuple[int, int]] = []
    corpus.add([path], progress=lambda step, done, total: shown.append((done, total)) if step == "articles" else None)
    assert {total for _, total in shown} == {path.stat().st_size}
    done = [n for n, _ in shown]
    assert done == sorted(done)
    assert done[-1] == path.stat().st_size
    assert len(set(done)) >= len(rows), "it jumped"


def test_what_is_unchanged_counts_as_done(corpus: Index, write: Write) -> None:
    path = write("a.txt", FIRST)
    corpus.add([path])
    shown: list[int] = []
    corpus.add([path], progress=lambda step, done, total: shown.append(done))
    assert shown[0] == path.stat().st_size


def test_a_disk_that_fills_up_changes_nothing_and_the_next_run_goes_on(
    corpus: Index, write: Write, add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Usage(NamedTuple):
        total: int = 10**12
        used: int = 10**12
        free: int = 10**6

    path = write("a.txt", FIRST)
    add(path)
    before = corpus.ledger.generation()
    write("a.txt", SECOND)
    with monkeypatch.context() as full:
        full.setattr(shutil, "disk_usage", lambda _: Usage())
        with pytest.raises(DiskFull, match="DATELINE_HOME"):
            add(path)
    assert corpus.ledger.generation() == before
    assert corpus.article("a").text == FIRST
    outcomes, _ = add(path)
    assert outcomes["a.txt"].outcome == "replaced"


# Kills.

_CHILD = """
import os, signal, sys
from pathlib import Path
import index.ingest, index.ledger, index.vectors
from index.search import Index
from index.settings import load_settings

def die():
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGKILL)

def dying(function, calls):
    count = [0]
    def call(*args, **kwargs):
        count[0] += 1
        result = function(*args, **kwargs)
        if count[0] == calls:
            die()
        return result
    return call

index.ingest._FIRST_BATCH = index.ingest._MOST_IN_A_BATCH = 400
index.vectors._BATCH = 3
where, calls, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
report = lambda outcome: print(outcome.article, flush=True)
if where == "report":
    report = dying(report, calls)
elif where == "insert":
    index.ledger._insert = dying(index.ledger._insert, calls)
elif where == "delete":
    index.ledger._delete = dying(index.ledger._delete, calls)
elif where == "vectors":
    index.vectors.ChromaProjection._add = dying(index.vectors.ChromaProjection._add, calls)
with Index.open(load_settings()) as corpus:
    corpus.add([folder], report=report)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "calls"),
    [("report", 5), ("insert", 6), ("delete", 3), ("vectors", 2), ("vectors", 4)],
)
def test_a_kill_at_any_moment_leaves_whole_articles_and_the_next_run_completes(
    make_index: Callable[[], Index],
    folder: Path,
    write: Write,
    settings: Any,
    where: str,
    calls: int,
    check_whole: Callable[[Path], None],
) -> None:
    old = {f"a{n}": f"Old number {n}. {FIRST}" for n in range(4)}
    new = {f"a{n}": f"New number {n}. {SECOND} Lions were seen. {'Nothing else happened. ' * 4}" for n in range(10)}
    for name, text in old.items():
        write(f"{name}.txt", text)
    with make_index() as corpus:
        corpus.add([folder])
    for name, text in new.items():
        write(f"{name}.txt", text)

    child = subprocess.run(
        [sys.executable, "-c", _CHILD, where, str(calls), str(folder)], capture_output=True, text=True, timeout=60
    )
    assert child.returncode == -signal.SIGKILL, child.stderr

    check_whole(settings.ledger_path)
    corpus = make_index()
    assert isinstance(corpus.projection, ChromaProjection), "the lock outlived its process"
    texts = {row.id: corpus.article(row.id).text for row in corpus.articles()}
    assert all(text in (old.get(name), new[name]) for name, text in texts.items())
    assert set(old) <= set(texts)
    reported = child.stdout.split()
    assert all(texts[name] == new[name] for name in reported), "an outcome was told before it was certain"
    assert ids_found(corpus, "harbour Gwadar lions Quetta")
    assert corpus.projection.present() == corpus.ledger.chunk_keys()

    summary = corpus.add([folder])
    assert summary.counts["failed"] == 0
    assert summary.articles == 10
    assert {row.id: corpus.article(row.id).text for row in corpus.articles()} == new
    assert corpus.projection.present() == corpus.ledger.chunk_keys()
    check_whole(settings.ledger_path)
