from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from index.embedding import Embedder
from index.search import Index
from index.settings import Settings, load_settings
from rag.models.native import distrust
from ui.doctor import Finding, examine
from ui.native import _install
from ui.trial import Pair, Reply, Trial

EVERY_CHECK = ["python", "packages", "cpu", "memory", "home", "cache", "embedder", "prompts", "llm", "native", "store"]


@pytest.fixture(autouse=True)
def _light(shared_embedder: Embedder) -> None:
    """The embedder is loaded already."""


def findings(settings: Settings) -> dict[str, Finding]:
    return {finding.name: finding for finding in examine(settings)}


def test_every_check_is_made_in_order_and_a_problem_has_a_remedy(settings: Settings) -> None:
    found = examine(settings)
    assert [finding.name for finding in found] == EVERY_CHECK
    for finding in found:
        assert finding.status in {"ok", "note", "problem"}
        assert finding.detail
        assert finding.remedy or finding.status != "problem"


def test_looking_changes_nothing(settings: Settings) -> None:
    examine(settings)
    assert not settings.home.exists()
    assert not settings.cache.exists()


def test_without_a_corpus_the_store_says_how_to_begin(settings: Settings) -> None:
    store = findings(settings)["store"]
    assert store.status == "note"
    assert "dateline index add" in store.remedy


def test_the_corpus_is_counted(settings: Settings, corpus: Index, write: Callable[..., Path]) -> None:
    corpus.add([write("a.txt", "One sentence. Another.")])
    store = findings(settings)["store"]
    assert store.status == "ok"
    assert "1 articles, 2 sentences, 1 chunks" in store.detail


def test_a_damaged_ledger_is_a_problem_and_the_other_checks_are_made(settings: Settings) -> None:
    settings.home.mkdir()
    settings.ledger_path.write_bytes(b"no database " * 500)
    found = findings(settings)
    assert found["store"].status == "problem"
    assert "ledger.sqlite3" in found["store"].detail
    assert found["prompts"].status == "ok"


def test_an_embedder_that_is_not_here_is_a_problem(settings: Settings) -> None:
    found = findings(dataclasses.replace(settings, embedder="no-such/embedder"))
    assert found["embedder"].status == "problem"
    assert "no-such/embedder" in found["embedder"].detail


def test_a_missing_model_file_is_a_problem(settings: Settings) -> None:
    llm = findings(dataclasses.replace(settings, model="/nowhere/model.gguf"))["llm"]
    assert llm.status == "problem"
    assert "/nowhere/model.gguf" in llm.detail
    assert "DATELINE_MODEL" in llm.remedy


def test_the_bundled_model_that_was_never_joined_is_a_problem(settings: Settings) -> None:
    assert findings(settings)["llm"].status == "problem"


def test_missing_packages_are_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.doctor._PACKAGES", ("numpy", "no-such-package"))
    packages = findings(settings)["packages"]
    assert packages.status == "problem"
    assert "no-such-package" in packages.detail
    assert "numpy" not in packages.detail


def test_too_little_space_is_a_problem(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil
    from typing import NamedTuple

    class Usage(NamedTuple):
        total: int = 10**12
        used: int = 10**12
        free: int = 10**6

    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage())
    found = findings(settings)
    assert (found["home"].status, found["cache"].status) == ("problem", "problem")
    assert "DATELINE_HOME" in found["home"].remedy
    assert "DATELINE_CACHE" in found["cache"].remedy


@pytest.mark.loopback
def test_an_endpoint_that_answers_is_ok_and_needs_no_memory(endpoint: Any) -> None:
    found = findings(load_settings())
    assert found["llm"].status == "ok"
    assert found["llm"].detail.startswith(f"fake-model at {endpoint.url}, 4,096 tokens")
    assert found["memory"].status == "ok"


@pytest.mark.loopback
def test_an_endpoint_that_refuses_is_a_problem_with_a_remedy(endpoint: Any) -> None:
    endpoint.status = 401
    llm = findings(load_settings())["llm"]
    assert llm.status == "problem"
    assert "401" in llm.detail
    assert "DATELINE_LLM_API_KEY" in llm.detail
    assert "secret-key" not in llm.detail


@pytest.mark.parametrize("url", ["nonsense", "http://", "http://[::bad", "ftp://127.0.0.1/x"])
def test_an_endpoint_that_is_no_address_is_a_problem(settings: Settings, url: str) -> None:
    assert findings(dataclasses.replace(settings, endpoint=url))["llm"].status == "problem"


@pytest.mark.parametrize(("flags", "status"), [({"avx2"}, "ok"), ({"avx2", "avx512f"}, "note")])
def test_without_a_native_build_its_command_is_named_where_it_helps(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, flags: set[str], status: str
) -> None:
    monkeypatch.setattr("ui.doctor._flags", lambda: flags)
    native = findings(settings)["native"]
    assert native.status == status
    assert ("make native" in native.remedy) == (status == "note")


def test_a_native_build_is_shown_with_its_figures_and_later_with_why_it_is_not_used(
    settings: Settings, tmp_path: Path
) -> None:
    (settings.cache / "native").mkdir(parents=True)
    (tmp_path / "program").write_bytes(b"a program")
    reply = Reply("Nine days.", True, 180.0, 30.0)
    trial = Trial((Pair(reply, dataclasses.replace(reply, read=100.0)),))
    _install(settings.cache, tmp_path / "program", trial)
    native = findings(settings)["native"]
    assert native.status == "ok"
    assert "180 tokens a second against 100 (1.80 times as fast)" in native.detail
    distrust(settings.cache, "it ended with code -4")
    native = findings(settings)["native"]
    assert native.status == "note"
    assert "it ended with code -4" in native.detail
    assert "make native" in native.remedy


@pytest.mark.loopback
def test_behind_an_endpoint_a_native_build_is_no_matter(endpoint: Any) -> None:
    assert findings(load_settings())["native"] == Finding("native", "ok", "not used: the model is behind an endpoint")
