"""Reading the stream of one chat completion: its events, its text, its cost, and whether it still comes."""

from __future__ import annotations

import json
import math
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from types import TracebackType
from typing import Any, Self

import httpx

from rag.models import refusals
from rag.models.refusals import Refusal

_LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call, as the server counted them; `cached` are those that it did not have to read again.

    `finish` says why the model stopped: "stop", "length" (it wrote as many tokens as it was allowed), "content_filter",
    or "" if the server did not tell. `likely`: for each token written the likeliest ones there, without white space
    around them, and their probabilities; nothing where that was not asked for or the server does not tell.
    """

    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    finish: str = ""
    likely: tuple[dict[str, float], ...] = ()


class Reply:
    """What the events told so far. `begun`: the model writes or thinks; `over`: the end mark came."""

    def __init__(self) -> None:
        self.begun = False
        self.over = False
        self.finish = ""
        self._usage: dict[str, Any] = {}
        self._likely: list[dict[str, float]] = []

    @property
    def usage(self) -> Usage:
        read, written = self._usage.get("prompt_tokens"), self._usage.get("completion_tokens")
        cached = at(self._usage, "prompt_tokens_details", "cached_tokens")
        return Usage(read or 0, cached or 0, written or 0, self.finish, tuple(self._likely))

    def pieces(self, stream: Iterable[bytes], watch: Watch, first: float) -> Iterator[str]:
        """The text, piece by piece as its events come, after a "" when the model begins.

        Args:
            first: the seconds that the model may take to begin.

        Raises:
            Refusal: the model does not begin in time; an event is an error, or nothing that the protocol knows.
        """
        deadline = monotonic() + first
        waiting = True
        for event in stream:
            text = self.take(event) if event else None
            if waiting and (self.begun or self.over):
                waiting = False
                yield ""
            if waiting and monotonic() > deadline:
                raise Refusal(refusals.SLOW, f"no token came in {first:.0f} s")
            if text:
                watch.pause()  # whoever reads may take as long as they like
                yield text
            if text is not None:
                watch.expect()
            if self.over:
                return
        if waiting and self.finish:
            yield ""  # nothing was written, and no end mark sent

    def take(self, event: bytes) -> str | None:
        """The text that an event adds; None if the event is no sign that the model is at work.

        Raises:
            Refusal: the event is an error, or nothing that the protocol knows.
        """
        if event == b"[DONE]":
            self.over = True
            return None
        try:
            chunk = json.loads(event)
        except ValueError:
            raise refusals.not_compatible(event) from None
        if error := at(chunk, "error"):
            code = at(error, "code")
            raise refusals.from_body(chunk, code if isinstance(code, int) and code >= 400 else 500)
        if not isinstance(chunk, dict):
            raise refusals.not_compatible(event)
        self._usage = chunk.get("usage") or self._usage
        choice = at(chunk, "choices", 0)  # the chunk with the usage has none
        self.finish = at(choice, "finish_reason") or self.finish
        self._likely += [_likely(token) for token in at(choice, "logprobs", "content") or ()]
        delta = at(choice, "delta") or {}
        text = at(delta, "content")
        thought = any(value for name, value in delta.items() if name not in ("role", "content"))
        self.begun = self.begun or bool(text) or thought
        return text if isinstance(text, str) and text else "" if thought else None


def at(value: Any, *path: str | int) -> Any:
    """What lies at a path of keys and positions inside parsed JSON; None if nothing does."""
    for step in path:
        if isinstance(step, str) and isinstance(value, dict):
            value = value.get(step)
        elif isinstance(step, int) and isinstance(value, list) and step < len(value):
            value = value[step]
        else:
            return None
    return value


def _likely(token: Any) -> dict[str, float]:
    """The likeliest tokens at one place; those that differ in white space alone are one."""
    told: dict[str, float] = {}
    for each in at(token, "top_logprobs") or ():
        text, logprob = at(each, "token"), at(each, "logprob")
        if isinstance(text, str) and isinstance(logprob, int | float):
            told[text.strip()] = told.get(text.strip(), 0.0) + math.exp(logprob)
    return told


def events(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The data of each server-sent event, and b"" for each block of bytes, so that the clock can be looked at.

    Raises:
        Refusal: the bytes are no server-sent events.
    """
    rest = b""
    for block in blocks:
        yield b""
        # Bytes are split, at \n alone: str.splitlines also splits at U+2028 and others, which may stand inside JSON.
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            yield from _data(line, block)
    yield from _data(rest, rest)


def _data(line: bytes, context: bytes) -> Iterator[bytes]:
    field, colon, value = line.strip().partition(b":")
    if field == b"data" and colon:
        yield value.strip()
    elif field not in (b"", b"event", b"id", b"retry"):
        raise refusals.not_compatible(context)


class Watch:
    """Ends a connection on which the model wrote nothing for `seconds` (`expired` says that it did), or that was left.

    httpx has one time-out for all reads of a response, and the first token may take far longer than the next.
    """

    def __init__(self, seconds: float, left: Callable[[], bool]) -> None:
        self.expired = False
        self.seconds = seconds
        self._left = left
        self._socket: socket.socket | None = None
        self._deadline = float("inf")
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watching an endpoint", daemon=True)

    def attach(self, request: httpx.Request) -> None:
        """Watch the connection of a request from its beginning: a server may read for long before it says a word."""
        request.extensions["trace"] = self._connected

    def _connected(self, event: str, told: Mapping[str, Any]) -> None:
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._socket = told["return_value"].get_extra_info("socket")

    def expect(self) -> None:
        """Let the time for the next token run from now."""
        self._deadline = monotonic() + self.seconds

    def pause(self) -> None:
        """Nothing is expected for now."""
        self._deadline = float("inf")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._closed.set()

    def _run(self) -> None:
        while not self._closed.wait(min(_LOOK_SECONDS, self.seconds / 4)):
            self.expired = monotonic() >= self._deadline
            if self._socket is not None and (self.expired or self._left()):
                with suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)  # wakes the thread that reads, as closing does not
                return
