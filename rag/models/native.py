"""An optional `llama-server` built for the processor at hand, with every vector extension that it has.

The wheel's kernels are made for AVX2, so that they run everywhere. A build with AVX-512 and the like reads a prompt
1.4 to 1.85 times as fast. Nothing needs it: whatever is missing, doubtful or from another machine, `find` gives None
and the wheel is used.

Files, all in `native` in the cache:

    llama-server             the program; moved here last, after it was compared with the wheel
    llama-server.json        what it was compared on and with which figures (`Native`); written after the program
    llama-server.distrusted  why it failed later; until the next build it is not used
    build-…                  a build at work; one that was killed is removed by the next
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import platform
from dataclasses import asdict, dataclass, fields
from pathlib import Path

# What ui/native.py builds: llama.cpp's CMakeLists.txt and the package's change log tell it.
LLAMA_CPP = "0.5.0-dev (0c1e57098)"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Native:
    """A program that was built and verified on this machine.

    Speeds are tokens a second, medians over the questions of ui/trial.py; `ratio` is the median over the
    questions of how many times as fast it read as the wheel did.
    """

    path: Path
    sha256: str
    cpu: str
    cpu_flags: str
    """SHA-256 of the processor's extensions, as the system lists them."""
    llama_cpp: str
    xllamacpp: str
    """The version of the wheel that it was compared with."""
    read: float
    read_wheel: float
    write: float
    write_wheel: float
    ratio: float
    asked: int
    equal: int
    """How many of the `asked` questions got the same answer from both, character by character."""

    def in_words(self) -> str:
        """What it brings, in one sentence."""
        return (
            f"It reads {self.read:.0f} tokens a second against {self.read_wheel:.0f} ({self.ratio:.2f} times as fast), "
            f"writes {self.write:.0f} against {self.write_wheel:.0f}; {self.equal} of {self.asked} answers were equal."
        )


def find(cache: Path) -> Native | None:
    """The verified program, if it can be used: the same file, the same processor, not distrusted. Changes nothing."""
    found = _examine(cache)
    return found if isinstance(found, Native) else None


def why_unused(cache: Path) -> str:
    """Why `find` gives None though something was built; "" if nothing was, or if it can be used."""
    found = _examine(cache)
    return "" if isinstance(found, Native) else found


def keep(cache: Path, binary: Path, native: Native) -> None:
    """Put a program where it is found, and write down what is known of it.

    Stopped between any two steps, `find` gives None: an old record doesn't name the new program's digest.

    Raises:
        OSError: a file can't be moved or written.
    """
    binary.replace(native.path)
    _distrusted(cache).unlink(missing_ok=True)
    values = {name: str(value) if isinstance(value, Path) else value for name, value in asdict(native).items()}
    _replace_text(_record(cache), json.dumps(values, indent=1) + "\n")


def distrust(cache: Path, reason: str) -> None:
    """Note that the program failed, so that it is not tried again until the next build.

    A note that can't be written costs another failed try, and no more.
    """
    try:
        _replace_text(_distrusted(cache), " ".join(reason.split()))
    except OSError as error:
        log.warning("%s can't be written: %s", _distrusted(cache), error)


# What is there


def _examine(cache: Path) -> Native | str:
    file, record, distrusted = program(cache), _record(cache), _distrusted(cache)
    try:
        if distrusted.exists():
            return f"it failed: {distrusted.read_text(encoding='utf-8')}"
        if not record.exists():
            return ""
        values = json.loads(record.read_text(encoding="utf-8"))
        native = Native(**{field.name: values[field.name] for field in fields(Native)} | {"path": file})
        found = digest(file)
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"{record} and {file.name} can't be read ({error!r})"
    if found != native.sha256:
        return f"{file} is not the file that was verified"
    if (native.cpu, native.cpu_flags) != cpu_identity():
        return f"it was built for another processor ({native.cpu}, with other extensions or on another machine)"
    if native.llama_cpp != LLAMA_CPP:
        return f"it was built from llama.cpp {native.llama_cpp}, and this version of Dateline goes with {LLAMA_CPP}"
    return native


def cpu_identity(info: Path = Path("/proc/cpuinfo")) -> tuple[str, str]:
    """The processor's name, and a digest of its extensions: a program for this one may not run on another."""
    values: dict[str, set[str]] = {}
    with contextlib.suppress(OSError):
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            values.setdefault(name.strip(), set()).add(value.strip())
    # ARM's kernels give no name, and call the extensions features.
    names = values.get("model name") or values.get("CPU part") or {platform.machine()}
    flags = {flag for each in values.get("flags") or values.get("Features") or () for flag in each.split()}
    return " + ".join(sorted(names)), hashlib.sha256(" ".join(sorted(flags)).encode()).hexdigest()


def folder(cache: Path) -> Path:
    """Where it is kept."""
    return cache / "native"


def program(cache: Path) -> Path:
    """The file itself."""
    return folder(cache) / "llama-server"


def _record(cache: Path) -> Path:
    return folder(cache) / "llama-server.json"


def _distrusted(cache: Path) -> Path:
    return folder(cache) / "llama-server.distrusted"


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _replace_text(path: Path, text: str) -> None:
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
