from __future__ import annotations

from pathlib import Path

import pytest

from index.errors import ConfigError
from index.settings import BUNDLED_EMBEDDER, BUNDLED_MODEL, load_settings


def config(home: Path, text: str | bytes) -> dict[str, str]:
    home.mkdir()
    (home / "config.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return {"DATELINE_HOME": str(home)}


def test_defaults_need_no_configuration() -> None:
    settings = load_settings()
    assert (settings.embedder, settings.model, settings.endpoint) == (BUNDLED_EMBEDDER, BUNDLED_MODEL, "")


def test_without_variables_files_go_below_the_users_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    settings = load_settings({})
    assert settings.home.is_relative_to(tmp_path / "user")
    assert settings.cache.is_relative_to(tmp_path / "user")
    assert settings.home != settings.cache


def test_the_environment_comes_before_the_file_and_the_file_before_the_default(tmp_path: Path) -> None:
    environ = config(
        tmp_path / "h", '[llm]\nmodel = "from-file"\nendpoint = "http://127.0.0.1:1"\ncontext_tokens = 2048\n'
    )
    settings = load_settings(environ | {"DATELINE_MODEL": "from-variable", "DATELINE_LLM_CONTEXT": "1024"})
    assert (settings.model, settings.endpoint) == ("from-variable", "http://127.0.0.1:1")
    assert settings.context_tokens == 1024
    assert load_settings(environ).context_tokens == 2048


def test_paths_become_absolute_and_a_tilde_is_the_users_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings({"DATELINE_HOME": "h", "DATELINE_CACHE": "~/c"})
    assert settings.home == tmp_path / "h"
    assert settings.cache == tmp_path / "user" / "c"


def test_reading_settings_makes_no_folders(tmp_path: Path) -> None:
    load_settings()
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[llm]\nmodle = 'x'\n", "[llm] modle"),
        ("model = 'x'\n", "model"),
        ("[llm\n", "config.toml"),
        (b"\xff\xfe", "config.toml"),
        ("[llm]\ncontext_tokens = 0\n", "context_tokens"),
        ("[llm]\ncontext_tokens = 'many'\n", "'many'"),
        ("[llm]\nmodel = 3\n", "model"),
        ("[index]\nembedder = ['a']\n", "embedder"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(tmp_path: Path, text: str | bytes, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(config(tmp_path / "h", text))
    assert told in str(caught.value)


@pytest.mark.parametrize("value", ["0", "-5", "4k", "1.5"])
def test_a_size_must_be_a_whole_number_above_zero(value: str) -> None:
    with pytest.raises(ConfigError, match="evidence_tokens"):
        load_settings({"DATELINE_EVIDENCE_TOKENS": value})


def test_a_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("")
    with pytest.raises(ConfigError, match="file"):
        load_settings({"DATELINE_HOME": str(tmp_path / "f")})


def test_a_model_behind_an_endpoint_may_read_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATELINE_LLM_ENDPOINT", "http://gpu:8000/v1")
    assert load_settings().evidence_tokens == 1024
    monkeypatch.setenv("DATELINE_LLM_CONTEXT", "32768")
    assert load_settings().evidence_tokens == 1600
    monkeypatch.setenv("DATELINE_EVIDENCE_TOKENS", "700")
    assert load_settings().evidence_tokens == 700
