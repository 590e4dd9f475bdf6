"""What a run leaves behind: every item with its answer and scores, and everything that they came from.

The JSON of a record is the contract between runs, comparisons, the gate and the report. It is read strictly, so a file
that was edited by hand or cut short is refused with the place that is wrong.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import Any

import index
import prompts
import rag
from evals.scoring import METRICS
from evals.statistics import Share, median, share
from index.errors import GoldError
from index.settings import BUNDLED_MODEL, Settings
from rag.models import adapter
from rag.models.files import QWEN_1_5B, prepare

SCHEMA = "dateline-run/1"
_PACKAGES = ("dateline", "llama-index-core", "chromadb", "sentence-transformers", "torch", "xllamacpp")
_ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Item:
    """One question with its hits, answer, scores and failure; `history`, `gold`, `hits` and `answer` are plain JSON."""

    id: str
    kind: str
    tags: tuple[str, ...]
    question: str
    history: tuple[Mapping[str, str], ...]
    asked: str
    answerable: bool
    answers: tuple[str, ...]
    must: tuple[tuple[str, ...], ...]
    gold: tuple[Mapping[str, Any], ...]
    gold_articles: tuple[str, ...]
    reference: str
    standalone: str
    hits: tuple[Mapping[str, Any], ...]
    answer: dict[str, Any] | None
    scores: Mapping[str, float]
    unscored: Mapping[str, str]
    failure: str | None
    error: str | None
    cached: bool


@dataclass(frozen=True)
class Record:
    """One run; the fields are the keys of its JSON, whose schema is `_RECORD` below."""

    name: str
    gold: Mapping[str, Any]
    corpus: Mapping[str, Any]
    settings: Mapping[str, Any]
    prompts: Mapping[str, str]
    models: Mapping[str, str]
    judge: Mapping[str, str] | None
    versions: Mapping[str, str]
    code: str
    commit: str
    dirty: bool
    machine: Mapping[str, Any]
    seeds: Mapping[str, int]
    started: str
    finished: str
    items: tuple[Item, ...]

    def values(self, metric: str) -> list[float]:
        """The metric's scores of all items that have one."""
        return [item.scores[metric] for item in self.items if metric in item.scores]

    def figures(self) -> dict[str, Share]:
        """The mean of every metric from 0 to 1 that some item has, with n and a 95% interval, in METRICS' order."""
        return {name: share(self.values(name)) for name in METRICS if METRICS[name].share and self.values(name)}

    def medians(self) -> dict[str, float]:
        """The median of every other metric (tokens, milliseconds), in METRICS' order."""
        return {name: median(self.values(name)) for name in METRICS if not METRICS[name].share and self.values(name)}

    def unscored(self) -> dict[str, int]:
        """How many items could not be judged, by metric, in METRICS' order."""
        counts = Counter(name for item in self.items for name in item.unscored)
        return {name: counts[name] for name in METRICS if counts[name]}

    def to_json(self) -> dict[str, Any]:
        return {"schema": SCHEMA, **asdict(self)}


def load(path_or_name: str | Path, home: Path) -> Record:
    """The record in a file, or of the run of that name in a home.

    Raises:
        GoldError: there is none, or the file is not a whole record.
    """
    path = Path(path_or_name)
    if not path.is_file():
        path = run_path(home, str(path_or_name))
    try:
        return from_json(json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_number), str(path))
    except FileNotFoundError as error:
        known = ", ".join(sorted(each.stem for each in path.parent.glob("*.json"))[-10:])
        raise GoldError(
            f"There is no run {str(path_or_name)!r}, neither as a file nor in {path.parent}. "
            + (f"The last ones there: {known}." if known else "`dateline eval run` makes one.")
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise GoldError(f"{path} is not a run record: {error}. Run `dateline eval run` again to make one.") from error


def run_path(home: Path, name: str) -> Path:
    """Where a home keeps the run of that name.

    Raises:
        GoldError: a name that can't be a file's.
    """
    if not name or name.startswith(".") or Path(name).name != name or not name.isprintable():
        raise GoldError(f"{name!r} can't be the name of a run; use letters, digits, hyphens and dots.")
    return home / "runs" / f"{name}.json"


def save(record: Record, path: Path) -> None:
    """Write the record's JSON, whole or not at all."""
    text = json.dumps(record.to_json(), ensure_ascii=False, indent=1, allow_nan=False)
    write_whole(path, text + "\n")


def write_whole(path: Path, text: str) -> None:
    """Write a text file so that nobody ever sees half of it.

    Raises:
        GoldError: it can't be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise GoldError(f"{path} can't be written: {error.strerror or error}.") from error
    finally:
        partial.unlink(missing_ok=True)


# Reading, strictly


_Check = Callable[[Any, str], None]


def from_json(value: Any, where: str = "the record") -> Record:
    """The record of its JSON.

    Raises:
        GoldError: names `where`, the place inside, and what is wrong there.
    """
    try:
        _schema(value)
        _RECORD(value, "")
        _different([item["id"] for item in value["items"]])
    except ValueError as error:
        raise GoldError(f"{where} is not a run record: {error}. Run `dateline eval run` again to make one.") from error
    fields = {name: each for name, each in value.items() if name not in ("schema", "items")}
    return Record(**fields, items=tuple(_item(each) for each in value["items"]))


def _item(value: dict[str, Any]) -> Item:
    lists = {name: tuple(each) for name, each in value.items() if isinstance(each, list)}
    return Item(**{**value, **lists, "must": tuple(tuple(group) for group in value["must"])})


def _schema(value: Any) -> None:
    schema = value.get("schema") if isinstance(value, dict) else None
    if schema != SCHEMA:
        raise ValueError(f"its schema is {schema!r}, and this Dateline reads {SCHEMA!r}")


def _different(ids: list[str]) -> None:
    if repeated := [each for each, n in Counter(ids).items() if n > 1]:
        raise ValueError(f"it holds the item {repeated[0]!r} twice")


def _no_number(constant: str) -> None:
    raise ValueError(f"{constant} is not a number")


def _a(name: str, *types: type) -> _Check:
    def check(value: Any, where: str) -> None:
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            raise ValueError(f"{where} is {str(value)[:60]!r} instead of {name}")

    return check


def _list(inside: _Check) -> _Check:
    def check(value: Any, where: str) -> None:
        _A_LIST(value, where)
        for number, each in enumerate(value):
            inside(each, f"{where}[{number}]")

    return check


def _map(inside: _Check) -> _Check:
    def check(value: Any, where: str) -> None:
        _AN_OBJECT(value, where)
        for name, each in value.items():
            inside(each, f"{where}.{name}")

    return check


def _maybe(inside: _Check) -> _Check:
    return lambda value, where: None if value is None else inside(value, where)


def _object(fields: Mapping[str, _Check], more: bool = False) -> _Check:
    """All of these fields, and no others unless `more` may stand beside them."""

    def check(value: Any, where: str) -> None:
        _AN_OBJECT(value, where or "it")
        if missing := sorted(set(fields) - set(value)):
            raise ValueError(f"{where or 'it'} lacks {', '.join(missing)}")
        if not more and (unknown := sorted(set(value) - set(fields))):
            raise ValueError(f"{where or 'it'} has the unknown {', '.join(unknown)}")
        for name, inside in fields.items():
            inside(value[name], f"{where}.{name}".lstrip("."))

    return check


_A_LIST, _AN_OBJECT = _a("a list", list), _a("an object", dict)
_TEXT, _FLAG, _WHOLE, _NUMBER = (
    _a("text", str),
    _a("true or false", bool),
    _a("a whole number", int),
    _a("a number", int, float),
)
_TEXTS = _list(_TEXT)
_PLACE = {"article": _TEXT, "start": _WHOLE, "end": _WHOLE}
_ANSWER = _object(
    {
        "answer": _TEXT, "declined": _FLAG, "confidence": _NUMBER, "standalone": _TEXT,
        "sentences": _list(_object({
            "text": _TEXT, "support": _TEXT,
            "citations": _list(_object({
                **_PLACE, "number": _WHOLE, "quote": _TEXT,
                **dict.fromkeys(("title", "source", "author", "published", "url"), _TEXT),
            }, more=True)),
        }, more=True)),
        "evidence": _list(_object({**_PLACE, "text": _TEXT}, more=True)),
        "timings": _object({
            "retrieve_ms": _NUMBER, "evidence_ms": _NUMBER, "first_word_ms": _maybe(_NUMBER), "total_ms": _NUMBER,
        }, more=True),
        "usage": _map(_NUMBER), "invented_markers": _WHOLE,
    },
    more=True,  # docs/contract.md lets an answer gain fields
)  # fmt: skip
_ITEM = _object({
    "id": _TEXT, "kind": _TEXT, "tags": _TEXTS, "question": _TEXT,
    "history": _list(_object({"role": _TEXT, "content": _TEXT})), "asked": _TEXT, "answerable": _FLAG,
    "answers": _TEXTS, "must": _list(_TEXTS), "gold": _list(_object({**_PLACE, "quote": _TEXT})),
    "gold_articles": _TEXTS, "reference": _TEXT, "standalone": _TEXT,
    "hits": _list(_object({**_PLACE, "title": _TEXT, "score": _NUMBER, "cosine": _NUMBER})),
    "answer": _maybe(_ANSWER), "scores": _map(_NUMBER), "unscored": _map(_TEXT),
    "failure": _maybe(_TEXT), "error": _maybe(_TEXT), "cached": _FLAG,
})  # fmt: skip
_RECORD = _object({
    "schema": _TEXT, "name": _TEXT,
    "gold": _object({
        "name": _TEXT, "digest": _TEXT, "questions": _WHOLE, "asked": _WHOLE,
        "broken": _list(_object({"line": _WHOLE, "problem": _TEXT})),
    }),
    "corpus": _object({"name": _TEXT, "articles": _WHOLE, "digest": _TEXT}),
    "settings": _map(_a("text or a number", str, int, float)), "prompts": _map(_TEXT), "models": _map(_TEXT),
    "judge": _maybe(_object({"model": _TEXT, "prompt": _TEXT})), "versions": _map(_TEXT),
    "code": _TEXT, "commit": _TEXT, "dirty": _FLAG,
    "machine": _object({"cpu": _TEXT, "cores": _WHOLE, "memory_gib": _NUMBER, "os": _TEXT}),
    "seeds": _map(_WHOLE), "started": _TEXT, "finished": _TEXT, "items": _list(_ITEM),
})  # fmt: skip


# Where a run took place


@dataclass(frozen=True)
class Environment:
    """The program and the machine of a run, as a record holds them."""

    versions: dict[str, str]
    code: str
    commit: str
    dirty: bool
    machine: dict[str, Any]


def environment() -> Environment:
    """What can be told of this program and machine; what can't be told is the empty string, never an error."""
    versions = {"python": platform.python_version()} | {name: package_version(name) for name in _PACKAGES}
    commit = _git("rev-parse", "HEAD") if _git("rev-parse", "--show-toplevel") == str(_ROOT) else ""
    dirty = bool(commit and _git("status", "--porcelain", "--untracked-files=no"))
    return Environment(versions, code_hash(), commit, dirty, _machine())


def code_hash(files: Iterable[Path] = ()) -> str:
    """Twelve hexadecimal digits of SHA-256 over source files: by default all of index/, rag/ and prompts/, which make
    an answer out of a question (the templates of prompts/ apart: they have hashes of their own)."""
    digest = hashlib.sha256()
    for path in files or [path for package in (index, rag, prompts) for path in sources(package)]:
        digest.update(f"{path.parent.name}/{path.name}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def sources(package: ModuleType) -> list[Path]:
    """The Python files of a package and of the packages in it, in order."""
    return sorted(Path(str(package.__file__)).parent.rglob("*.py"))


def package_version(name: str) -> str:
    """The installed version of a package, "" if it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def plain_settings(settings: Settings) -> dict[str, Any]:
    """The settings that a record may show: those that shape an answer, without folders, the key and a password."""
    values = asdict(settings) | {"endpoint": re.sub(r"(?<=//)[^/@]*@", "", settings.endpoint)}
    return {name: value for name, value in values.items() if name not in ("home", "cache", "api_key")}


def model_digest(settings: Settings) -> str:
    """SHA-256 of the model file; "" for an endpoint, whose model can't be looked at."""
    if settings.endpoint:
        return ""
    if settings.model == QWEN_1_5B.name:
        return QWEN_1_5B.sha256  # verified whenever it is loaded
    if settings.model == BUNDLED_MODEL:
        return f"{QWEN_1_5B.sha256} + {adapter.digest()}"
    with prepare(settings).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _git(*arguments: str) -> str:
    try:
        return subprocess.run(
            ["git", *arguments], cwd=_ROOT, capture_output=True, text=True, timeout=10, check=True
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def _machine() -> dict[str, Any]:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        cpu = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        cpu = platform.machine()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cpu": cpu, "cores": len(os.sched_getaffinity(0)), "memory_gib": round(memory, 1),
        "os": f"{platform.system()} {platform.release()}",
    }  # fmt: skip
