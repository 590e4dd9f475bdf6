from __future__ import annotations

import dataclasses
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import huggingface_hub
import pytest

from index.errors import DiskFull, ModelError
from index.settings import BUNDLED_MODEL, Settings
from rag.models import adapter
from rag.models.files import BundledModel, is_ready, is_verified, missing_parts, model_path, prepare

PARTS = [b"GGUF first part ", b"second part ", b"last"]
WHOLE = b"".join(PARTS)
BUNDLED = BundledModel(
    name="Tiny",
    size=len(WHOLE),
    sha256=hashlib.sha256(WHOLE).hexdigest(),
    parts=3,
    package="tiny-model-part{number}",
    part="tiny_part{number}/part{number:02}.bin",
)


@pytest.fixture
def tiny(settings: Settings) -> Settings:
    return dataclasses.replace(settings, model="Tiny")


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path in which the three packages are installed."""
    site = tmp_path / "site"
    for number, content in enumerate(PARTS, start=1):
        info = site / f"tiny_model_part{number}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: tiny-model-part{number}\nVersion: 1.0\n")
        part = site / f"tiny_part{number}"
        part.mkdir()
        (part / f"part{number:02}.bin").write_bytes(content)
    monkeypatch.syspath_prepend(str(site))
    return site


def test_the_parts_are_joined_once_verified_and_then_left_alone(tiny: Settings, installed: Path) -> None:
    told: list[tuple[str, int, int]] = []
    path = prepare(tiny, BUNDLED, lambda *step: told.append(step))
    assert path == model_path(tiny, BUNDLED) == tiny.cache / "models" / "Tiny.gguf"
    assert path.read_bytes() == WHOLE
    assert told[-1] == ("join", len(WHOLE), len(WHOLE))
    assert is_verified(path, BUNDLED)
    written = path.stat().st_mtime_ns
    assert prepare(tiny, BUNDLED, lambda *_: pytest.fail("read again")) == path
    assert path.stat().st_mtime_ns == written


def test_a_damaged_model_file_is_joined_again(tiny: Settings, installed: Path) -> None:
    path = prepare(tiny, BUNDLED)
    path.write_bytes(WHOLE[:-1] + b"X")
    assert not is_verified(path, BUNDLED)
    assert prepare(tiny, BUNDLED).read_bytes() == WHOLE


def test_a_touched_file_is_verified_and_not_joined(tiny: Settings, installed: Path) -> None:
    path = prepare(tiny, BUNDLED)
    os.utime(path, (1, 1))
    shutil.rmtree(installed / "tiny_part1")  # joining would fail
    steps: set[str] = set()
    assert prepare(tiny, BUNDLED, lambda step, *_: steps.add(step)) == path
    assert steps == {"verify"}
    assert is_verified(path, BUNDLED)


def test_a_damaged_package_is_never_used(tiny: Settings, installed: Path) -> None:
    (installed / "tiny_part2" / "part02.bin").write_bytes(b"something else")
    with pytest.raises(ModelError, match="make model"):
        prepare(tiny, BUNDLED)
    assert [file.name for file in (tiny.cache / "models").iterdir() if file.suffix != ".lock"] == []


@pytest.mark.parametrize("what", ["part", "package"])
def test_missing_packages_are_counted_with_the_remedy(tiny: Settings, installed: Path, what: str) -> None:
    shutil.rmtree(installed / ("tiny_part2" if what == "part" else "tiny_model_part2-1.0.dist-info"))
    with pytest.raises(ModelError, match=r"3 packages, and 1 of them.*make model"):
        prepare(tiny, BUNDLED)
    assert missing_parts(BUNDLED) == ["part 2"]


@pytest.mark.usefixtures("full_disk")
def test_too_little_space_is_told_before_joining(tiny: Settings, installed: Path) -> None:
    with pytest.raises(DiskFull, match="DATELINE_CACHE"):
        prepare(tiny, BUNDLED)


def test_a_cache_that_cannot_be_made_is_told(tiny: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="DATELINE_CACHE"):
        prepare(dataclasses.replace(tiny, cache=tmp_path / "file" / "cache"), BUNDLED)


def test_a_file_of_the_users_is_used_where_it_is(settings: Settings, tmp_path: Path) -> None:
    own = tmp_path / "own.gguf"
    own.write_bytes(b"GGUF and more")
    assert prepare(dataclasses.replace(settings, model=str(own))) == own


@pytest.mark.parametrize("content", [None, b"", b"GG", b"PK\x03\x04 a zip"])
def test_a_file_that_is_no_model_is_named(settings: Settings, tmp_path: Path, content: bytes | None) -> None:
    own = tmp_path / "own.gguf"
    if content is not None:
        own.write_bytes(content)
    with pytest.raises(ModelError, match=r"own\.gguf"):
        prepare(dataclasses.replace(settings, model=str(own)))


def test_a_folder_is_no_model(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model file"):
        prepare(dataclasses.replace(settings, model=str(tmp_path)))


# The reader: the joined model with the adapter merged into it


@pytest.fixture
def reader(settings: Settings) -> Settings:
    assert settings.model == BUNDLED_MODEL, "it is what there is without a setting"
    return settings


@pytest.fixture
def merges(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The models that the adapter was merged into; tests/rag/models/test_adapter.py merges a real one."""
    merged: list[Path] = []

    def merge(base: Path, path: Path, progress: Callable[[int, int], None]) -> None:
        merged.append(base)
        progress(2, 2)
        path.write_bytes(base.read_bytes() + b" and the adapter")

    monkeypatch.setattr(adapter, "merge", merge)
    return merged


def test_the_reader_is_merged_once_from_the_joined_model_which_is_not_kept(
    reader: Settings, installed: Path, merges: list[Path]
) -> None:
    told: list[tuple[str, int, int]] = []
    assert not is_ready(reader, BUNDLED)
    path = prepare(reader, BUNDLED, lambda *step: told.append(step))
    assert path == model_path(reader, BUNDLED)
    assert path.read_bytes() == WHOLE + b" and the adapter"
    assert merges == [path.parent / "Tiny.gguf"]
    assert told[-2:] == [("join", len(WHOLE), len(WHOLE)), ("merge", 2, 2)]
    assert sorted(p.name for p in path.parent.iterdir() if p.suffix != ".lock") == [
        path.name,
        path.with_suffix(".verified").name,
    ]
    assert is_ready(reader, BUNDLED)
    assert prepare(reader, BUNDLED, lambda *_: pytest.fail("made again")) == path


def test_a_plain_model_that_was_there_before_stays(
    reader: Settings, tiny: Settings, installed: Path, merges: list[Path]
) -> None:
    plain = prepare(tiny, BUNDLED)
    shutil.rmtree(installed / "tiny_part1")  # joining again would fail
    prepare(reader, BUNDLED)
    assert plain.read_bytes() == WHOLE
    assert is_ready(tiny, BUNDLED)


def test_a_reader_that_was_touched_is_merged_again(reader: Settings, installed: Path, merges: list[Path]) -> None:
    path = prepare(reader, BUNDLED)
    path.write_bytes(b"GGUF of somebody")
    assert not is_ready(reader, BUNDLED)
    assert prepare(reader, BUNDLED).read_bytes() == WHOLE + b" and the adapter"
    assert len(merges) == 2


def test_another_adapter_makes_another_reader_and_the_old_one_goes(
    reader: Settings, installed: Path, merges: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    old = prepare(reader, BUNDLED)
    monkeypatch.setattr(adapter, "digest", lambda: "0123456789ab")
    new = prepare(reader, BUNDLED)
    assert new != old
    assert new.exists()
    assert not old.exists()
    assert not old.with_suffix(".verified").exists()


def test_a_merge_that_fails_is_told_and_makes_nothing_ready(
    reader: Settings, installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def merge(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(adapter, "merge", merge)
    with pytest.raises(ModelError, match=r"No space left on device.*DATELINE_CACHE"):
        prepare(reader, BUNDLED)
    assert not is_ready(reader, BUNDLED)


def test_without_packages_there_is_no_reader_and_the_remedy_is_told(reader: Settings) -> None:
    with pytest.raises(ModelError, match="make model"):
        prepare(reader, BUNDLED)


HUB_MODEL = "hf:owner/repo/sub/file-Q4_K_M.gguf"
HUB_PARTS = "hf:owner/repo/big-00001-of-00002.gguf"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's cache, with nothing but the folder of one repository's snapshot."""
    repo = tmp_path / "hub" / "models--owner--repo"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / "main").write_text("abc")
    (repo / "snapshots" / "abc" / "sub").mkdir(parents=True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return repo / "snapshots" / "abc"


@pytest.fixture
def downloads(hub: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The repositories and files that were downloaded, without a network."""
    asked: list[tuple[str, str]] = []

    def download(repo: str, name: str) -> str:
        asked.append((repo, name))
        (hub / name).write_bytes(b"GGUF from the hub")
        return str(hub / name)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    return asked


def test_a_file_of_the_hub_is_downloaded_when_asked_for_and_then_taken_from_its_cache(
    settings: Settings, hub: Path, downloads: list[tuple[str, str]]
) -> None:
    settings = dataclasses.replace(settings, model=HUB_MODEL)
    with pytest.raises(ModelError, match=f"{HUB_MODEL}.*`dateline model`"):
        prepare(settings)
    assert downloads == [] and not is_ready(settings)
    assert model_path(settings).stem == "file-Q4_K_M"
    path = prepare(settings, fetch=True)
    assert downloads == [("owner/repo", "sub/file-Q4_K_M.gguf")]
    assert path == prepare(settings) == prepare(settings, fetch=True) == model_path(settings) == hub / downloads[0][1]
    assert len(downloads) == 1 and is_ready(settings)


def test_all_parts_of_a_file_of_the_hub_are_downloaded(
    settings: Settings, hub: Path, downloads: list[tuple[str, str]]
) -> None:
    settings = dataclasses.replace(settings, model=HUB_PARTS)
    (hub / "big-00001-of-00002.gguf").write_bytes(b"GGUF first")
    assert not is_ready(settings)
    assert prepare(settings, fetch=True).name == "big-00001-of-00002.gguf"
    assert downloads == [("owner/repo", "big-00002-of-00002.gguf")]
    assert is_ready(settings)


@pytest.mark.parametrize("error", [OSError("404 Client Error\nmore"), ValueError("bad name"), ConnectionError()])
def test_a_download_that_fails_names_the_repository_and_the_file(
    settings: Settings, hub: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def download(*_: str) -> str:
        raise error

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    with pytest.raises(ModelError, match=r"sub/file-Q4_K_M\.gguf of owner/repo .*DATELINE_MODEL.*HF_TOKEN"):
        prepare(dataclasses.replace(settings, model=HUB_MODEL), fetch=True)


def test_a_file_of_the_hub_that_is_no_model_is_named(settings: Settings, hub: Path) -> None:
    (hub / "sub" / "file-Q4_K_M.gguf").write_bytes(b"version https://git-lfs")
    with pytest.raises(ModelError, match="not a GGUF file"):
        prepare(dataclasses.replace(settings, model=HUB_MODEL))


@pytest.mark.parametrize(
    "name", ["hf:", "hf:owner/repo", "hf:owner/repo/", "hf:file.gguf", "hf:owner/file.gguf", "hf:owner/repo/file.bin",
             "hf:owner/repo/../file.gguf", "hf:owner//file.gguf", "hf:/owner/repo/file.gguf", "hf:owner/repo/a b.gguf"]
)  # fmt: skip
def test_a_name_that_names_no_file_of_the_hub_is_told(settings: Settings, name: str) -> None:
    for act in (prepare, model_path, is_ready):
        with pytest.raises(ModelError, match=r"hf:owner/repo/file\.gguf"):
            act(dataclasses.replace(settings, model=name))


def test_behind_an_endpoint_any_name_is_ready(settings: Settings) -> None:
    assert is_ready(dataclasses.replace(settings, model="hf:any", endpoint="http://localhost/v1"))
