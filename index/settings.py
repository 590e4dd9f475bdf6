"""Where Dateline keeps its files, and the settings that a user may name.

Order of precedence: environment variable, then `config.toml` in the data directory, then the default.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from index.errors import ConfigError

BUNDLED_EMBEDDER = "all-MiniLM-L6-v2"
BUNDLED_MODEL = "Dateline-Reader-1.5B"  # the plain one with the reader's adapter merged into it
PLAIN_MODEL = "Qwen2.5-Coder-1.5B-Instruct-Q4_K_M"

_CONTEXT_TOKENS = 4096
_MOST_EVIDENCE = 1_600  # for a model behind an endpoint, which reads far faster than a laptop does

# Environment variable, section and key of config.toml, one row for each setting.
_SETTINGS = {
    "embedder": ("DATELINE_EMBEDDER", "index", "embedder"),
    "reranker": ("DATELINE_RERANKER", "index", "reranker"),
    "model": ("DATELINE_MODEL", "llm", "model"),
    "endpoint": ("DATELINE_LLM_ENDPOINT", "llm", "endpoint"),
    "api_key": ("DATELINE_LLM_API_KEY", "llm", "api_key"),
    "context_tokens": ("DATELINE_LLM_CONTEXT", "llm", "context_tokens"),
    "evidence_tokens": ("DATELINE_EVIDENCE_TOKENS", "llm", "evidence_tokens"),
}


@dataclass(frozen=True)
class Settings:
    """Everything that a user can configure.

    `home` holds one corpus; `cache` is shared by all of them (the joined model file). `model` is the bundled
    model's name, the path of a GGUF file, or, with an `endpoint`, the name that the endpoint knows it by.
    `reranker` names a CrossEncoder, "" none. `evidence_tokens` is how
    much evidence the model reads.
    """

    home: Path
    cache: Path
    embedder: str = BUNDLED_EMBEDDER
    reranker: str = ""
    model: str = BUNDLED_MODEL
    endpoint: str = ""
    api_key: str = ""
    context_tokens: int = _CONTEXT_TOKENS
    evidence_tokens: int = 260

    @property
    def ledger_path(self) -> Path:
        return self.home / "ledger.sqlite3"

    @property
    def chroma_path(self) -> Path:
        return self.home / "chroma"


def load_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the environment and `config.toml`.

    Raises:
        ConfigError: an unknown section or key, a value of the wrong kind, a home that is not a directory.
    """
    home = Path(environ.get("DATELINE_HOME") or platformdirs.user_data_dir("dateline", appauthor=False)).expanduser()
    cache = Path(environ.get("DATELINE_CACHE") or platformdirs.user_cache_dir("dateline", appauthor=False)).expanduser()
    if home.exists() and not home.is_dir():
        raise ConfigError(f"DATELINE_HOME is {home}, which is a file; name a directory instead.")
    values = _from_file(home / "config.toml")
    for field, (variable, _, _) in _SETTINGS.items():
        if environ.get(variable):
            values[field] = environ[variable]
    for field, value in values.items():
        values[field] = _positive(field, value) if field.endswith("_tokens") else _text(field, value)
    if values.get("endpoint") and "evidence_tokens" not in values:
        values["evidence_tokens"] = min(_MOST_EVIDENCE, values.get("context_tokens", _CONTEXT_TOKENS) // 4)
    return Settings(home=home.absolute(), cache=cache.absolute(), **values)


def _from_file(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} can't be read: {error}. Mend it, or move it away.") from error
    known = {(section, key): field for field, (_, section, key) in _SETTINGS.items()}
    values: dict[str, Any] = {}
    for section, entries in content.items():
        for key, value in (entries if isinstance(entries, dict) else {"": entries}).items():
            if (section, key) not in known:
                names = ", ".join(sorted(f"[{s}] {k}" for s, k in known))
                raise ConfigError(f"{path}: unknown setting [{section}] {key}. Known are: {names}.")
            values[known[section, key]] = value
    return values


def _text(field: str, value: object) -> str:
    if not isinstance(value, str):
        raise ConfigError(f"{field} is {value!r}; give text in quotes.")
    return value


def _positive(field: str, value: object) -> int:
    try:
        number = int(str(value))
    except ValueError:
        number = 0
    if number <= 0:
        raise ConfigError(f"{field} is {value!r}; give a whole number above 0.")
    return number
