"""A running page answers for the terminal: `dateline ask` hands its question over and loads nothing itself.

The page listens on a Unix socket in the data directory, which no network reaches and only its own user may use. One
JSON line asks, JSON lines answer; who hangs up stops the model. A page with other settings is not asked.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from index import errors
from index.errors import DatelineError
from index.filters import Filters
from index.settings import Settings

if TYPE_CHECKING:
    from rag.assistant import Assistant

_NAME = "ask.sock"
_CONNECT_SECONDS = 1.0
_HEARD = {"heard": True}  # at once: a page that was stopped would let the terminal wait for ever
_PROTOCOL = 1
_MOST_BYTES = 4 * 2**20
_PEER = struct.Struct("3i")  # of SO_PEERCRED: process, user, group

Told = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Question:
    """What the terminal asks; `form` is one of ui.terminal.Form."""

    question: str
    asked: str
    form: str
    history: Sequence[Mapping[str, str]] = ()
    filters: Filters | None = None
    by_source: bool = False


def answer_here(assistant: Assistant, asked: Question, stop: threading.Event, queued: Told, progress: Told) -> str:
    """The answer in its form, by an assistant of this process.

    Args:
        queued: told how many are to be answered before.
        progress: told how many articles are read, in an answer by source.
    """
    from rag.assistant import Answered, Queued
    from rag.types import Turn
    from ui.terminal import Form, present

    form = Form(asked.form)
    if asked.by_source:
        found = assistant.by_source(
            asked.question,
            asked=asked.asked,
            filters=asked.filters,
            progress=lambda done, total: progress(done),
            stop=stop,
        )
        return present(found, form)
    history = [Turn(turn["role"], turn["content"]) for turn in asked.history]
    events = assistant.stream(asked.question, history=history, asked=asked.asked, filters=asked.filters, stop=stop)
    with contextlib.closing(events):
        for event in events:
            if isinstance(event, Queued):
                queued(event.ahead)
            if isinstance(event, Answered):
                return present(event.answer, form)
    return ""


# The terminal's side


def answer_there(settings: Settings, asked: Question, queued: Told, progress: Told) -> str | None:
    """The answer in its form, by a running page of the same corpus and settings; None if there is none.

    Raises:
        DatelineError: as the page raised it.
    """
    line = _line({"known": _fingerprint(settings), **asdict(asked)})
    with contextlib.ExitStack() as stack:
        try:
            connection = stack.enter_context(_connect(settings.home))
            connection.sendall(line)
            lines = _lines(connection)
            if next(lines, None) != _HEARD:
                return None
            connection.settimeout(None)  # it is there, and takes the time that it takes
            for told in lines:
                match told:
                    case {"queued": int(ahead)}:
                        queued(ahead)
                    case {"progress": int(done)}:
                        progress(done)
                    case {"answer": str(text)}:
                        return text
                    case {"error": str(kind), "message": str(message)}:
                        raise getattr(errors, kind, DatelineError)(message)
                    case _:
                        return None
        except (OSError, ValueError):
            return None
    return None


def _connect(home: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(_CONNECT_SECONDS)
        with _short(home) as path:
            connection.connect(path)
        if _other_user(connection):
            raise PermissionError("another user listens there")
    except OSError:
        connection.close()
        raise
    return connection


def _other_user(connection: socket.socket) -> bool:
    _, user, _ = _PEER.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
    return bool(user != os.getuid())


# The page's side


class Counter:
    """Answers questions that come over the socket for as long as it is entered; nothing if another page does."""

    def __init__(self, assistant: Assistant) -> None:
        self._assistant = assistant
        self._known = _fingerprint(assistant.settings)
        self._listening: socket.socket | None = None

    def __enter__(self) -> Counter:
        home = self._assistant.settings.home
        with contextlib.suppress(OSError), _connect(home):
            return self  # another page of this corpus answers already
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            (home / _NAME).unlink(missing_ok=True)
            with _short(home) as path:
                listening.bind(path)
            (home / _NAME).chmod(0o600)
            listening.listen()
        except OSError:  # a home that can't be written to: the terminal then answers itself
            listening.close()
            return self
        self._listening = listening
        threading.Thread(target=self._accept, args=(listening,), name="counter", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._listening is not None:
            with contextlib.suppress(OSError):
                self._listening.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
            self._listening.close()
            (self._assistant.settings.home / _NAME).unlink(missing_ok=True)

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), name="at the counter", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            if not _other_user(connection) and (told := next(_lines(connection), None)) is not None:
                connection.sendall(_line(self._answer(connection, told)))

    def _answer(self, connection: socket.socket, told: dict[str, Any]) -> dict[str, Any]:
        from rag.models.relay import Stopped

        if told.pop("known", "") != self._known:
            return {"other": "settings"}
        connection.sendall(_line(_HEARD))
        stop = threading.Event()
        threading.Thread(target=_set_when_left, args=(connection, stop), daemon=True).start()
        try:
            filters: Any = {n: tuple(v) if isinstance(v, list) else v for n, v in (told["filters"] or {}).items()}
            asked = Question(**{**told, "filters": Filters(**filters) if filters else None})
            text = answer_here(
                self._assistant, asked, stop,
                queued=lambda ahead: connection.sendall(_line({"queued": ahead})),
                progress=lambda done: connection.sendall(_line({"progress": done})),
            )  # fmt: skip
        except Stopped:
            return {}
        except DatelineError as error:
            return {"error": type(error).__name__, "message": str(error)}
        except (KeyError, TypeError, ValueError):  # of another version
            return {"other": "version"}
        return {"answer": text}


def _set_when_left(connection: socket.socket, stop: threading.Event) -> None:
    with contextlib.suppress(OSError):
        connection.recv(1)
    stop.set()


def _fingerprint(settings: Settings) -> str:
    """Of the settings that an answer depends on, and of the program; the key is no part of it."""
    told = repr((replace(settings, api_key=""), version("dateline"), _PROTOCOL))
    return hashlib.sha256(told.encode()).hexdigest()


@contextlib.contextmanager
def _short(home: Path) -> Iterator[str]:
    """A path of the socket that is short enough, however long the data directory's is: 107 bytes is the most."""
    folder = os.open(home, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{_NAME}"
    finally:
        os.close(folder)


def _line(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value).encode() + b"\n"


def _lines(connection: socket.socket) -> Iterator[dict[str, Any]]:
    with connection.makefile("rb") as file:
        while line := file.readline(_MOST_BYTES):
            value = json.loads(line)
            if not isinstance(value, dict):
                return
            yield value
