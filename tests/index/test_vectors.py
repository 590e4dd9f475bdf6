from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from index.embedding import Embedded, Vectors
from index.ledger import Ledger
from index.vectors import ChromaProjection, ExactProjection, Projection, open_projection

Made = Callable[..., Embedded]
FINGERPRINT = "made-up"
MANY = 1_100  # more than Chroma keeps in its queue before it writes its graph to disk


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with contextlib.closing(Ledger(tmp_path / "home" / "ledger.sqlite3", FINGERPRINT)) as ledger:
        yield ledger


@pytest.fixture
def chroma(tmp_path: Path) -> Path:
    return tmp_path / "home" / "chroma"


@contextlib.contextmanager
def opened(ledger: Ledger, chroma: Path) -> Iterator[Projection]:
    projection = open_projection(ledger, chroma)
    try:
        yield projection
    finally:
        projection.close()


def vector_of(ledger: Ledger, key: int) -> Vectors:
    return ledger.chunk_vectors([key])[1][0]


def finds_everything(projection: Projection, ledger: Ledger) -> bool:
    """Whether each of some chunks is the nearest to its own vector, with a cosine of 1."""
    keys = sorted(ledger.chunk_keys())
    for key in keys[:: max(1, len(keys) // 25)]:
        found = projection.nearest(vector_of(ledger, key), 3)
        if not found or found[0][0] != key or abs(found[0][1] - 1) > 1e-3:
            return False
    return True


def test_the_nearest_come_first_with_their_cosines(ledger: Ledger, chroma: Path, made: Made) -> None:
    ledger.publish([made("a", *(f"Sentence {n}." for n in range(40)))])
    keys, vectors = ledger.chunk_vectors(sorted(ledger.chunk_keys()))
    query = vectors[7]
    cosines = vectors @ query
    best = [keys[i] for i in np.argsort(-cosines)[:5]]
    exact = ExactProjection(ledger)
    with opened(ledger, chroma) as projection:
        for each in (projection, exact):
            each.catch_up()
            found = each.nearest(query, 5)
            assert [key for key, _ in found] == best
            np.testing.assert_allclose([c for _, c in found], np.sort(cosines)[::-1][:5], atol=1e-3)


@pytest.mark.parametrize("kind", [ExactProjection, ChromaProjection])
def test_an_empty_corpus_has_nothing_near(ledger: Ledger, chroma: Path, kind: type[Projection]) -> None:
    with opened(ledger, chroma) as chroma_projection:
        projection = ExactProjection(ledger) if kind is ExactProjection else chroma_projection
        projection.catch_up()
        assert projection.nearest(np.ones(16, np.float32), 5) == []


@pytest.mark.parametrize("kind", ["chroma", "exact"])
def test_changes_of_the_ledger_are_caught_up_with(ledger: Ledger, chroma: Path, made: Made, kind: str) -> None:
    with opened(ledger, chroma) as owner:
        projection = owner if kind == "chroma" else ExactProjection(ledger)
        for batch in ([made("a", "x.", "yy."), made("b", "z.")], [made("a", "new.")]):
            ledger.publish(batch)
            projection.catch_up()
            assert {key for key, _ in projection.nearest(np.ones(16, np.float32), 10)} == ledger.chunk_keys()
        ledger.remove(["b"])
        projection.catch_up()
        assert {key for key, _ in projection.nearest(np.ones(16, np.float32), 10)} == ledger.chunk_keys()


def test_asking_for_more_than_there_is_gives_what_there_is(ledger: Ledger, chroma: Path, made: Made) -> None:
    ledger.publish([made("a", "x.", "yy.")])
    with opened(ledger, chroma) as projection:
        projection.catch_up()
        assert len(projection.nearest(np.ones(16, np.float32), 100)) == 2
        assert projection.nearest(np.ones(16, np.float32), 0) == []


def test_chroma_holds_no_text(ledger: Ledger, chroma: Path, made: Made) -> None:
    ledger.publish([made("quokka-id", "Quokkaville grew.", title="Quokka title")])
    with opened(ledger, chroma) as projection:
        projection.catch_up()
    files = [file for file in chroma.rglob("*") if file.is_file()]
    assert files
    assert not any(b"quokka" in file.read_bytes().lower() for file in files)


def test_one_process_owns_chroma_and_another_searches_exactly(ledger: Ledger, chroma: Path, made: Made) -> None:
    ledger.publish([made("a", *(f"Sentence {n}." for n in range(30)))])
    script = """
import json, sys
from pathlib import Path
from index.ledger import Ledger
from index.vectors import open_projection
ledger = Ledger(Path(sys.argv[1]), "made-up")
projection = open_projection(ledger, Path(sys.argv[2]))
projection.catch_up()
vector = ledger.chunk_vectors([int(sys.argv[3])])[1][0]
print(json.dumps([projection.name, projection.nearest(vector, 5)]))
projection.close()
"""
    key = sorted(ledger.chunk_keys())[3]
    with opened(ledger, chroma) as projection:
        projection.catch_up()
        assert projection.name == "chroma"
        child = subprocess.run(
            [sys.executable, "-c", script, str(ledger.path), str(chroma), str(key)],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        ours = projection.nearest(vector_of(ledger, key), 5)
    name, found = json.loads(child.stdout)
    assert name == "exact"
    assert [key for key, _ in found] == [key for key, _ in ours]


def test_chroma_is_free_again_once_it_is_closed(ledger: Ledger, chroma: Path) -> None:
    for _ in range(2):
        with opened(ledger, chroma) as projection:
            assert projection.name == "chroma"
            with opened(ledger, chroma) as second:
                assert second.name == "exact"


def test_reopening_an_unchanged_corpus_embeds_and_writes_nothing(
    ledger: Ledger, chroma: Path, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.publish([made("a", "x.", "yy.")])
    with opened(ledger, chroma) as projection:
        projection.catch_up()
    monkeypatch.setattr(ChromaProjection, "_add", lambda *_: pytest.fail("written again"))
    with opened(ledger, chroma) as projection:
        projection.catch_up()
        assert finds_everything(projection, ledger)


def test_progress_is_told_up_to_the_end(
    ledger: Ledger, chroma: Path, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index.vectors._BATCH", 2)
    ledger.publish([made("a", "1.", "22.", "333.", "4444.", "55555.")])
    told: list[tuple[int, int]] = []
    with opened(ledger, chroma) as projection:
        projection.catch_up(lambda done, total: told.append((done, total)))
    assert told == [(2, 5), (4, 5), (5, 5)]


# Damage

Damage = Callable[[Path], None]


def _graph(chroma: Path) -> list[Path]:
    return [file for file in chroma.rglob("*") if file.is_file() and file.parent != chroma]


def _stores(chroma: Path) -> list[Path]:
    return [*_graph(chroma), chroma / "chroma.sqlite3"]


def _scramble(file: Path) -> None:
    file.write_bytes(random.Random(1).randbytes(file.stat().st_size))


def _each(files: Callable[[Path], list[Path]], harm: Callable[[Path], object]) -> Damage:
    def damage(chroma: Path) -> None:
        for file in files(chroma):
            harm(file)

    return damage


DAMAGE: dict[str, Damage] = {
    "the folder deleted": shutil.rmtree,
    "the database deleted": lambda chroma: (chroma / "chroma.sqlite3").unlink(),
    "the database garbage": lambda chroma: _scramble(chroma / "chroma.sqlite3"),
    "the database cut in half": lambda chroma: os.truncate(chroma / "chroma.sqlite3", 100_000),
    "the database empty": lambda chroma: os.truncate(chroma / "chroma.sqlite3", 0),
    "the graph deleted": lambda chroma: (
        [shutil.rmtree(folder) for folder in {f.parent for f in _graph(chroma)}] and None
    ),
    "the graph cut in half": _each(_graph, lambda file: os.truncate(file, file.stat().st_size // 2)),
    "the graph garbage": _each(_graph, _scramble),
    "everything cut in half": _each(_stores, lambda file: os.truncate(file, file.stat().st_size // 2)),
    "everything empty": _each(_stores, lambda file: os.truncate(file, 0)),
    "everything garbage": _each(_stores, _scramble),
}


@pytest.fixture(scope="module")
def large_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with enough vectors for Chroma to have written all of its files; copied, never used itself."""
    home = tmp_path_factory.mktemp("large")
    script = """
import sys
from pathlib import Path
import numpy as np
from index.article import Article, Chunk, Pieces, Span
from index.embedding import Embedded
from index.ledger import Ledger
from index.vectors import open_projection
home, many = Path(sys.argv[1]), int(sys.argv[2])
spans = tuple(Span(n, n + 1) for n in range(many))
vectors = np.random.default_rng(0).normal(size=(many, 16)).astype(np.float32)
vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
chunks = tuple(Chunk(s.start, s.end, n, n) for n, s in enumerate(spans))
ledger = Ledger(home / "ledger.sqlite3", "made-up")
ledger.publish([Embedded(Pieces(Article("a", "T", "x" * many), spans, chunks), vectors, vectors)])
projection = open_projection(ledger, home / "chroma")
projection.catch_up()
projection.close()
ledger.close()
"""
    subprocess.run([sys.executable, "-c", script, str(home), str(MANY)], check=True, timeout=120)
    return home


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_chroma_is_rebuilt_from_the_ledger(large_home: Path, tmp_path: Path, damage: Damage) -> None:
    home = tmp_path / "copy"
    shutil.copytree(large_home, home)
    assert len(_graph(home / "chroma")) >= 4
    damage(home / "chroma")
    with contextlib.closing(Ledger(home / "ledger.sqlite3", FINGERPRINT)) as ledger:
        for _ in range(2):  # it stays mended, too
            with opened(ledger, home / "chroma") as projection:
                projection.catch_up()
                assert isinstance(projection, ChromaProjection)
                assert projection.present() == ledger.chunk_keys()
                assert finds_everything(projection, ledger)


@pytest.mark.parametrize("generations", [1, 2], ids=["same generation", "another generation"])
def test_vectors_of_a_ledger_that_was_moved_away_are_not_taken_for_the_new_ones(
    tmp_path: Path, chroma: Path, made: Made, generations: int
) -> None:
    path = tmp_path / "home" / "ledger.sqlite3"
    with contextlib.closing(Ledger(path, FINGERPRINT)) as old:
        old.publish([made("old", *("x" * n for n in range(1, 40)))])
        with opened(old, chroma) as projection:
            projection.catch_up()
    path.rename(tmp_path / "damaged.sqlite3")  # what the ledger's own message advises
    with contextlib.closing(Ledger(path, FINGERPRINT)) as new:
        for n in range(generations):
            new.publish([made(f"new{n}", *("y" * n for n in range(3, 42)))])
        with opened(new, chroma) as projection:
            projection.catch_up()
            assert finds_everything(projection, new)
