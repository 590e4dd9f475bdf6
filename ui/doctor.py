"""What is installed and what can be used, with a remedy for each problem."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import prompts
from index.embedding import Embedder
from index.errors import DatelineError, ModelError
from index.ledger import MIN_FREE_BYTES, Ledger
from index.settings import BUNDLED_MODEL, PLAIN_MODEL, Settings
from rag.models import adapter
from rag.models.endpoint import Endpoint
from rag.models.files import QWEN_1_5B, is_ready, missing_parts, model_path
from rag.models.native import find, why_unused
from ui.native import missing_tools

_PACKAGES = ("torch", "sentence-transformers", "chromadb", "llama-index-core", "xllamacpp", "gradio", "tiktoken")
_CPU_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
_LLM_MEMORY = 1.6 * 2**30


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: `status` is ok, note or problem; a problem has a remedy."""

    name: str
    status: str
    detail: str
    remedy: str = ""


def examine(settings: Settings) -> list[Finding]:
    """All checks, in the order in which a person would mend what they find."""
    checks: tuple[Callable[[Settings], Finding], ...] = (
        _python, _packages, _cpu, _memory, _home, _cache, _embedder, _prompts, _llm, _native, _store,
    )  # fmt: skip
    return [_careful(check, settings) for check in checks]


def _careful(check: Callable[[Settings], Finding], settings: Settings) -> Finding:
    try:
        return check(settings)
    except DatelineError as error:
        return Finding(
            check.__name__.strip("_"), "problem", str(error), "Do what the message says, then run this again."
        )


def _python(settings: Settings) -> Finding:
    return Finding("python", "ok", f"{platform.python_version()} at {sys.executable}")


def _packages(settings: Settings) -> Finding:
    found, missing = [], []
    for name in _PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        return Finding("packages", "problem", f"missing: {', '.join(missing)}", "Run `make setup`.")
    return Finding("packages", "ok", ", ".join(found))


def _cpu(settings: Settings) -> Finding:
    cores = len(os.sched_getaffinity(0))
    flags = _flags()
    usable = [flag for flag in _CPU_FLAGS if flag in flags]
    load = os.getloadavg()[0]
    detail = f"{cores} cores, {', '.join(usable) or 'no vector extensions known'}; load {load:.1f}"
    if flags and "avx2" not in flags:
        return Finding("cpu", "note", detail, "Without AVX2 the embedded LLM is very slow; name an endpoint instead.")
    if load > cores:
        return Finding(
            "cpu", "note", detail, "Other programs keep the processor busy: answers take two or three times as long."
        )
    return Finding("cpu", "ok", detail)


def _flags() -> set[str]:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return {flag for line in lines if line.startswith("flags") for flag in line.split()}


def _memory(settings: Settings) -> Finding:
    info = Path("/proc/meminfo")
    if not info.exists():
        return Finding("memory", "note", "can't be read on this system")
    lines = dict(line.split(":", 1) for line in info.read_text().splitlines())
    free = int(lines["MemAvailable"].split()[0]) * 1024
    if free < _LLM_MEMORY and not settings.endpoint:
        return Finding("memory", "problem", f"{free / 2**30:.1f} GiB free, the embedded LLM needs about 1.6 GiB",
                       "Close other programs, or set DATELINE_LLM_ENDPOINT.")  # fmt: skip
    return Finding("memory", "ok", f"{free / 2**30:.1f} GiB free")


def _home(settings: Settings) -> Finding:
    return _folder("home", settings.home, MIN_FREE_BYTES, "DATELINE_HOME")


def _cache(settings: Settings) -> Finding:
    path = model_path(settings)
    needed = 0 if settings.endpoint or path.exists() else 2 * QWEN_1_5B.size  # the plain one and the merged one
    return _folder("cache", settings.cache, needed, "DATELINE_CACHE")


def _folder(name: str, path: Path, needed: int, variable: str) -> Finding:
    existing = next(p for p in (path, *path.parents) if p.exists())
    free = shutil.disk_usage(existing).free
    detail = f"{path}, {free / 2**30:.1f} GiB free"
    if not os.access(existing, os.W_OK):
        return Finding(name, "problem", f"{detail}, not writable", f"Set {variable} to a folder of yours.")
    if free < needed:
        return Finding(name, "problem", f"{detail}, {needed / 2**30:.1f} GiB needed", f"Free space or set {variable}.")
    return Finding(name, "ok", detail)


def _embedder(settings: Settings) -> Finding:
    return Finding("embedder", "ok", Embedder(settings.embedder).fingerprint)


def _prompts(settings: Settings) -> Finding:
    prompts.check_all()
    return Finding("prompts", "ok", f"version {prompts.version()}")


def _llm(settings: Settings) -> Finding:
    return _endpoint(settings) if settings.endpoint else _model_file(settings)


def _endpoint(settings: Settings) -> Finding:
    endpoint = Endpoint(settings.endpoint, settings.model, settings.api_key, settings.context_tokens)
    try:
        return Finding("llm", "ok", endpoint.check())
    except ModelError as error:
        told = str(error).removesuffix("; `dateline doctor` checks more.")
        return Finding("llm", "problem", f"{told}.", "Do what the message says, then run this again.")


def _model_file(settings: Settings) -> Finding:
    path = model_path(settings)
    if settings.model not in (BUNDLED_MODEL, PLAIN_MODEL):
        if path.is_file():
            return Finding("llm", "ok", f"{path} ({path.stat().st_size / 1e9:.2f} GB), a file of yours: not verified")
        return Finding("llm", "problem", f"there is no file {path}", "Give the path of a GGUF file in DATELINE_MODEL.")
    if is_ready(settings):
        made_of = f"SHA-256 {QWEN_1_5B.sha256[:12]}… verified" + (
            f", with the adapter {adapter.digest()}" if settings.model == BUNDLED_MODEL else ""
        )
        return Finding("llm", "ok", f"{path} ({path.stat().st_size / 1e9:.2f} GB), {made_of}")
    state = "is not the file that was verified" if path.exists() else "is not there yet"
    if missing := missing_parts():
        return Finding(
            "llm", "problem", f"{path} {state}, and {len(missing)} of its packages are missing", "Run `make model`."
        )
    return Finding("llm", "problem", f"{path} {state}", "Run `dateline model`; it is joined from its packages.")


def _native(settings: Settings) -> Finding:
    """The llama.cpp that was built for this processor, if one was. It is never needed, so it is never a problem."""
    if settings.endpoint:
        return Finding("native", "ok", "not used: the model is behind an endpoint")
    if built := find(settings.cache):
        return Finding("native", "ok", f"llama.cpp {built.llama_cpp} built for this processor. {built.in_words()}")
    tools = f" It needs {', '.join(missing)} first." if (missing := missing_tools()) else ""
    if reason := why_unused(settings.cache):
        return Finding(
            "native", "note", f"the package's llama.cpp is used; one was built here, but {reason}",
            f"`make native` builds it again.{tools}",
        )  # fmt: skip
    detail = "the package's llama.cpp is used, made for AVX2"
    if "avx512f" not in _flags():
        return Finding("native", "ok", detail)
    return Finding(
        "native", "note", f"{detail}; this processor has AVX-512",
        f"`make native` builds one that reads 1.4 to 1.95 times as fast, in about ten minutes.{tools}",
    )  # fmt: skip


def _store(settings: Settings) -> Finding:
    if not settings.ledger_path.exists():
        return Finding("store", "note", f"no corpus yet in {settings.home}", "Run `dateline index add FILE_OR_FOLDER`.")
    ledger = Ledger(settings.ledger_path, Embedder(settings.embedder).fingerprint)
    articles, sentences, chunks = ledger.count()
    ledger.close()
    return Finding(
        "store", "ok", f"SQLite ledger with Chroma: {articles} articles, {sentences} sentences, {chunks} chunks"
    )
