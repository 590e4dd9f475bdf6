"""Files are parsed in a process of their own, which may fail without harm: limits of memory and time hold there.

Parent and child speak JSON, a line a message: nothing that a file could make of the child is run by the parent.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from index.article import Article
from index.reading.document import Document, Given, PassedOver, Reading, ReadProblem, Result
from index.reading.formats import read_document

MEMORY = 3 * 2**30  # bytes of address space
SECONDS = 60.0  # for one article
_LONGEST = 512 * 2**20  # bytes of one message
_BLOCK = 2**20
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


class Reader:
    """Reads files, one after the other, in a child process. A context manager; the child ends with it.

    Args:
        given: what the command line says about all files.
        seconds: that one article may take.
    """

    def __init__(self, given: Given | None = None, seconds: float = SECONDS) -> None:
        self._given = given or Given()
        self._seconds = seconds
        self._child: subprocess.Popen[bytes] | None = None
        self._rest = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end()

    def read(
        self, path: Path, consumed: Callable[[int], None] = lambda count: None, origin: str = ""
    ) -> Iterator[Result]:
        """The articles of one file.

        Args:
            consumed: gets the bytes of the file that each article took, before the article comes.
            origin: where it really comes from; the path without it.
        """
        origin = origin or str(path.absolute())
        request = {"path": str(path), "origin": origin, "given": asdict(self._given)}
        try:
            self._ask(request)
            while (message := self._next())["kind"] != "end":
                consumed(message.get("bytes", 0))
                yield _result(message)
        except _Failed as failure:
            self._end()
            yield ReadProblem(origin, str(failure))
        except GeneratorExit:  # the child still writes what nobody wants
            self._end()
            raise

    def _ask(self, request: dict[str, Any]) -> None:
        if self._child is None or self._child.poll() is not None:
            self._end()
            # A session of its own: Ctrl-C is the parent's to handle.
            self._child = subprocess.Popen(
                [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, start_new_session=True,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            )  # fmt: skip
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(json.dumps(request).encode() + b"\n")
            self._child.stdin.flush()
        except BrokenPipeError as error:
            raise _Failed("could not be read: the process that reads files ended; try again.") from error

    def _next(self) -> dict[str, Any]:
        deadline = time.monotonic() + self._seconds
        parts = [self._rest]
        size = len(self._rest)
        while b"\n" not in parts[-1]:
            assert self._child is not None and self._child.stdout is not None
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._child.stdout], [], [], left)[0]:
                raise _Failed(f"took longer than {self._seconds:.0f} s to read and was given up.")
            block = os.read(self._child.stdout.fileno(), _BLOCK)
            if not block:
                raise _Failed(f"ended the process that read it ({_how_ended(self._child.wait())}).")
            parts.append(block)
            size += len(block)
            if size > _LONGEST:
                raise _Failed(f"makes more than {_LONGEST // 2**20} MiB of text; split it.")
        line, _, self._rest = b"".join(parts).partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message

    def _end(self) -> None:
        if self._child is not None:
            with contextlib.suppress(OSError):
                self._child.kill()
            self._child.wait()
            for stream in (self._child.stdin, self._child.stdout):
                with contextlib.suppress(OSError):
                    stream.close()  # type: ignore[union-attr]
        self._child = None
        self._rest = b""


class _Failed(Exception):
    """The child can't go on; the text is meant for a person."""


def _how_ended(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"status {status}"


def _result(message: dict[str, Any]) -> Result:
    if message["kind"] == "problem":
        return ReadProblem(message["origin"], message["message"])
    if message["kind"] == "passed over":
        return PassedOver(message["origin"], message["message"])
    return Reading(Article(**message["article"]), tuple(message["notes"]), tuple(message["unused"]))


def _message(result: Result) -> dict[str, Any]:
    if isinstance(result, Reading):
        article = {name: getattr(result.article, name) for name in Article.__dataclass_fields__}
        return {"kind": "article", "article": article, "notes": result.notes, "unused": result.unused}
    kind = "problem" if isinstance(result, ReadProblem) else "passed over"
    return {"kind": kind, "origin": result.origin, "message": result.message}


def read_here(path: Path, given: Given, origin: str) -> Iterator[tuple[int, Result]]:
    """The articles of one file with the bytes of it that each took, in this process."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            told = 0
            for result in read_document(Document(path.name, origin, file, size), given):
                place = _place(file, told)
                yield place - told, result
                told = place
    except OSError as error:
        yield 0, ReadProblem(origin, f"can't be read: {error.strerror or error}. Check its permissions.")


def _place(file: IO[bytes], told: int) -> int:
    try:
        return max(told, file.tell())
    except ValueError:  # a parser has closed it
        return told


def _serve() -> None:
    """The child: a request a line until the parent is gone."""
    with contextlib.suppress(ValueError, OSError):  # not every system has such limits
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError, AttributeError):  # Linux: a child at work ends with its parent, however that ends
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):  # whatever a library prints
        os.dup2(nowhere, stream)

    def send(message: dict[str, Any]) -> None:
        answers.write(json.dumps(message).encode() + b"\n")
        answers.flush()

    for line in requests:
        request = json.loads(line)
        origin = request["origin"]
        try:
            for count, result in read_here(Path(request["path"]), Given(**request["given"]), origin):
                send(_message(result) | {"bytes": count})
        except MemoryError:
            send(_message(ReadProblem(origin, f"needs more than {MEMORY // 2**30} GiB of memory to read; split it.")))
        except BrokenPipeError:
            return
        except Exception as error:  # a parser met what its author did not think of; the next file is read all the same
            send(_message(ReadProblem(origin, f"can't be read ({type(error).__name__}: {str(error)[:200]}).")))
        send({"kind": "end"})


if __name__ == "__main__":
    _serve()
