"""Builds the optional `llama-server` for the processor at hand (`make native`), and removes it again.

rag/models/native.py says where it is kept and when it is used.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path, PurePosixPath

import filelock

from index.errors import ConfigError, DiskFull, ModelError
from index.settings import Settings
from rag.models import native
from rag.models.files import Progress, prepare
from rag.models.serving import die_with_parent
from ui.trial import Trial, compare

# The source: llama.cpp as llama-cpp-python's source package carries it. Only llama.cpp is compiled, none of the rest.
SOURCE = "llama-cpp-python"
SOURCE_VERSION = "0.3.36"
SOURCE_SHA256 = "832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e"
SOURCE_SIZE = 76_589_250
_COMMIT = "0c1e57098"
_ARCHIVE = f"llama_cpp_python-{SOURCE_VERSION}.tar.gz"
_LLAMA_CPP_IN_IT = PurePosixPath(f"llama_cpp_python-{SOURCE_VERSION}", "vendor", "llama.cpp")
_NOT_NEEDED = frozenset({"docs", "models", "tests", "media", "benches"})  # two thirds of the source

_CMAKE_OPTIONS = {
    "CMAKE_BUILD_TYPE": "Release",
    "GGML_NATIVE": "ON",  # what all this is for
    "BUILD_SHARED_LIBS": "OFF",  # one file
    "GGML_CCACHE": "OFF",
    "LLAMA_OPENSSL": "OFF",
    "LLAMA_SUBPROCESS": "OFF",  # it never starts a program
    "LLAMA_BUILD_UI": "OFF",
    "LLAMA_USE_PREBUILT_UI": "OFF",  # it would be downloaded
    "LLAMA_BUILD_TESTS": "OFF",
    "LLAMA_BUILD_EXAMPLES": "OFF",
    "LLAMA_BUILD_APP": "OFF",
    "LLAMA_ALL_WARNINGS": "OFF",
    "LLAMA_BUILD_NUMBER": "0",  # the package doesn't tell; without it, git would be asked
    "LLAMA_BUILD_COMMIT": _COMMIT,
}
_TOOLS = {
    "cmake": ("cmake",),
    "make": ("make",),
    "a C++ compiler": ("c++", "g++", "clang++"),
    "a C compiler": ("cc", "gcc", "clang"),
}
_INSTALL = "sudo apt-get install cmake make g++"
_NEEDED_BYTES = 2**29  # measured: a quarter of a GB for the archive, its sources and what is compiled
# Variables of an outer make would have ours share its jobs, or run with its flags.
_OF_MAKE = frozenset({"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "CMAKE_GENERATOR"})
_PERCENT = re.compile(r"\[ *(\d+)%\]")

# One program against the other, the ratio went from 1.6 to 2.1 over the questions on a machine with other work; a gain
# of less than a tenth would be lost in that.
LEAST_RATIO = 1.1


def remove(cache: Path) -> bool:
    """Remove the program and what is known of it. Whether there was anything.

    Raises:
        ModelError: something can't be removed, or a build is at work.
    """
    folder = native.folder(cache)
    if not folder.exists():
        return False
    with _alone(cache):
        try:
            shutil.rmtree(folder)
        except OSError as error:
            raise ModelError(f"{folder} can't be removed ({error.strerror}); remove it by hand.") from error
    return True


def build(settings: Settings, jobs: int = 0, progress: Progress = lambda step, done, total: None) -> native.Native:
    """Download the source, compile it, compare the program with the wheel, and keep it if it is as good and faster.

    Call it from the main thread (`serving.serve`). An interrupted build leaves nothing, and the next begins anew; what
    was built before stays in use until then.

    Args:
        jobs: how many compilers run at once; 0 for one a core.
        progress: gets ("download", bytes, bytes in all), ("compile", per cent, 100), ("compare", answers, in all).

    Raises:
        ConfigError: an endpoint answers the questions, so there is nothing to speed up.
        ModelError: a tool is missing, a step fails, or the program is no faster or answers otherwise.
        DiskFull: not enough space to build.
    """
    if settings.endpoint:
        raise ConfigError(
            f"The model is behind the endpoint {settings.endpoint}; a faster llama.cpp here would change nothing. "
            "Unset DATELINE_LLM_ENDPOINT to build one for the embedded model."
        )
    _check_tools()
    model = prepare(settings, progress=progress)
    with _alone(settings.cache) as folder:
        for left in folder.glob("build-*"):
            shutil.rmtree(left, ignore_errors=True)
        _check_space(folder)
        try:
            with tempfile.TemporaryDirectory(prefix="build-", dir=folder) as temporary:
                binary = _compile(_unpack(_download(Path(temporary), progress)), jobs, progress)
                trial = compare(binary, model, lambda done, total: progress("compare", done, total))
                _check_trial(trial)
                return _install(settings.cache, binary, trial)
        except OSError as error:
            raise ModelError(f"llama.cpp can't be built in {folder}: {error}.") from error


def missing_tools() -> list[str]:
    """What is needed to build and not installed."""
    return [name for name, programs in _TOOLS.items() if not any(map(shutil.which, programs))]


@contextlib.contextmanager
def _alone(cache: Path) -> Iterator[Path]:
    """The folder, with no other build at work in it."""
    folder = native.folder(cache)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Beside the folder: `remove` takes the folder away while it holds the lock.
        lock = filelock.FileLock(folder.with_suffix(".lock"), timeout=0)
        lock.acquire()
    except filelock.Timeout as error:
        raise ModelError(f"Another process is building llama.cpp in {folder}; wait for it to finish.") from error
    except OSError as error:
        raise ModelError(
            f"{folder} can't be written ({error.strerror}). Name another folder by DATELINE_CACHE."
        ) from error
    try:
        yield folder
    finally:
        lock.release()


def _check_tools() -> None:
    if missing := missing_tools():
        raise ModelError(
            f"Building llama.cpp needs {', '.join(missing)}, not installed here. Install it: `{_INSTALL}`. Dateline "
            "works without it, with the llama.cpp of its package."
        )


def _check_space(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < _NEEDED_BYTES:
        raise DiskFull(
            f"{folder} has {free / 2**20:.0f} MiB left, and the build needs {_NEEDED_BYTES / 2**20:.0f} MiB. Free some "
            "space, or set DATELINE_CACHE to another disk."
        )


def _download(folder: Path, progress: Progress) -> Path:
    """pip fetches it, by whatever index, proxy and certificates are set up for pip, and compares the digest before it
    unpacks anything."""
    requirement = folder / "source.txt"
    requirement.write_text(f"{SOURCE}=={SOURCE_VERSION} --hash=sha256:{SOURCE_SHA256}\n", encoding="utf-8")
    command = [
        sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps",
        "--no-binary", SOURCE, "--requirement", str(requirement), "--dest", str(folder),
    ]  # fmt: skip
    pip_folder = folder / "pip"
    pip_folder.mkdir()

    def watch() -> None:
        with contextlib.suppress(OSError):  # pip moves and removes things meanwhile
            for path in (*pip_folder.glob(f"*/{_ARCHIVE}"), *folder.glob(_ARCHIVE)):
                progress("download", min(path.stat().st_size, SOURCE_SIZE), SOURCE_SIZE)

    _run(command, {"TMPDIR": str(pip_folder)}, f"{SOURCE} {SOURCE_VERSION} can't be downloaded", watch=watch)
    archive = folder / _ARCHIVE
    if (digest := native.digest(archive)) != SOURCE_SHA256:
        raise ModelError(
            f"{_ARCHIVE} has the SHA-256 {digest[:12]}… instead of {SOURCE_SHA256[:12]}…; it is not built. Look at the "
            "package index that pip uses (`pip config list`)."
        )
    return archive


def _unpack(archive: Path) -> Path:
    """llama.cpp's sources, without the rest of the package."""
    target = archive.parent / "llama.cpp"
    with tarfile.open(archive) as package:
        for member in package:
            path = PurePosixPath(member.name)
            if not member.isfile() or not path.is_relative_to(_LLAMA_CPP_IN_IT):
                continue
            inside = path.relative_to(_LLAMA_CPP_IN_IT)
            if ".." in inside.parts or inside.parts[0] in _NOT_NEEDED:
                continue
            content = package.extractfile(member)
            assert content is not None  # it is a file
            (target / inside).parent.mkdir(parents=True, exist_ok=True)
            with (target / inside).open("wb") as file:
                shutil.copyfileobj(content, file)
    return target


def _compile(source: Path, jobs: int, progress: Progress) -> Path:
    output = source.parent / "made"
    options = [f"-D{name}={value}" for name, value in _CMAKE_OPTIONS.items()]
    progress("compile", 0, 100)
    _run(
        ["cmake", "-S", str(source), "-B", str(output), "-G", "Unix Makefiles", *options], {},
        "llama.cpp can't be configured",
    )  # fmt: skip

    def tell(line: str) -> None:
        if found := _PERCENT.match(line):
            progress("compile", int(found[1]), 100)

    jobs = jobs or len(os.sched_getaffinity(0))
    # make and not `cmake --build`: stopped, it stops its compilers.
    _run(
        ["make", "-C", str(output), f"-j{jobs}", "llama-server"], {}, "llama.cpp can't be compiled", tell=tell
    )  # fmt: skip
    binary = output / "bin" / "llama-server"
    if not binary.is_file():
        raise ModelError(f"The compiler ended without {binary}; please report it with the version of cmake.")
    return binary


def _run(
    command: list[str],
    environment: Mapping[str, str],
    failure: str,
    watch: Callable[[], None] = lambda: None,
    tell: Callable[[str], None] = lambda line: None,
) -> None:
    """Run a program to its end; `watch` is called now and then, `tell` with each line that it prints.

    Raises:
        ModelError: it fails; the message begins with `failure` and ends with its last lines.
    """
    inherited = {name: value for name, value in os.environ.items() if name not in _OF_MAKE}
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            env={**inherited, "LC_ALL": "C", **environment}, preexec_fn=die_with_parent(signal.SIGTERM),
        )  # fmt: skip
        lines: list[str] = []
        position, rest = 0, ""
        try:
            running = True
            while running:
                running = process.poll() is None  # looked at before the last lines are read
                new = os.pread(output.fileno(), 2**20, position)
                position += len(new)
                *whole, rest = (rest + new.decode(errors="replace")).split("\n")
                for line in whole:
                    lines.append(line)
                    tell(line)
                watch()
                if running and not new:
                    time.sleep(0.2)
                running = running or bool(new)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    if process.returncode:
        last = " / ".join([line.strip() for line in [*lines, rest] if line.strip()][-4:])[-800:]
        raise ModelError(f"{failure} ({Path(command[0]).name} ended with code {process.returncode}): {last}")


def _check_trial(trial: Trial) -> None:
    """Whether it may stand in for the wheel.

    Not every answer can be equal: other kernels add in another order, that moves probabilities in their last digits,
    and where two words are all but equally likely the other one is written, and the sentence goes on from there.
    Measured with AVX-512 against AVX2: 11 of 12 equal, the twelfth as right in other words. A broken kernel writes
    nonsense everywhere. So half must be equal character by character, and no right answer may be lost.

    Raises:
        ModelError: it may not.
    """
    if trial.lost or 2 * trial.equal < trial.asked:
        raise ModelError(
            f"The llama.cpp that was built here answers otherwise than the wheel: {trial.equal} of {trial.asked} "
            f"answers are equal, {trial.lost} right ones are lost. It is not kept; the wheel is used."
        )
    if trial.ratio < LEAST_RATIO:
        raise ModelError(
            f"The llama.cpp that was built here reads {trial.ratio:.2f} times as fast as the wheel; at least "
            f"{LEAST_RATIO} is worth a second program. It is not kept; the wheel is used."
        )


def _install(cache: Path, binary: Path, trial: Trial) -> native.Native:
    cpu, cpu_flags = native.cpu_identity()
    built = native.Native(
        path=native.program(cache),
        sha256=native.digest(binary),
        cpu=cpu,
        cpu_flags=cpu_flags,
        llama_cpp=native.LLAMA_CPP,
        xllamacpp=version("xllamacpp"),
        read=round(trial.speed(lambda pair: pair.built.read), 2),
        read_wheel=round(trial.speed(lambda pair: pair.wheel.read), 2),
        write=round(trial.speed(lambda pair: pair.built.write), 2),
        write_wheel=round(trial.speed(lambda pair: pair.wheel.write), 2),
        ratio=round(trial.ratio, 3),
        asked=trial.asked,
        equal=trial.equal,
    )
    native.keep(cache, binary, built)
    return built
