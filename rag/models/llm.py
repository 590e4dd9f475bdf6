"""A model that writes: the embedded one, or any at an OpenAI-compatible address; one path for both, the endpoint."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from index.errors import ModelError
from index.settings import BUNDLED_MODEL, Settings
from prompts import Message
from rag.models.endpoint import Endpoint, Patience, Usage
from rag.models.files import model_path, prepare
from rag.models.relay import Stopped, relay
from rag.models.server import SETTLE_SECONDS, LocalServer, Turn

__all__ = ["LLM", "Stopped", "Usage", "Waiting", "to_the_end", "whole"]

_BEAT_SECONDS = 0.2
_REMEDY = "Ask again"
# A server on this machine that does not answer at once is dead, and is started anew.
_AT_ONCE = Patience(attempts=1)


@dataclass(frozen=True, slots=True)
class Waiting:
    """The question waits for the model, and so many are to be answered before; 0 when its turn has come."""

    ahead: int


class LLM:
    """A model that writes. Starts the embedded one if the settings name no endpoint.

    Raises (from every method):
        ModelError: the model file or the endpoint can't be used.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._server: LocalServer | None = None
        self._preparing = threading.Lock()
        self._endpoint = (
            Endpoint(settings.endpoint, settings.model, settings.api_key, settings.context_tokens)
            if settings.endpoint
            else None
        )
        self.context_tokens = settings.context_tokens
        self.is_trained = not settings.endpoint and settings.model == BUNDLED_MODEL  # to read as prompts/read.md asks
        self.name = settings.model if settings.endpoint else model_path(settings).stem

    def start(self) -> None:
        """Begin loading the embedded model, without waiting for it; nothing to do for an endpoint."""
        if not self._endpoint:
            self.local_server.start()

    def close(self) -> None:
        if self._server:
            self._server.close()

    @property
    def local_server(self) -> LocalServer:
        """The embedded server, started or not."""
        with self._preparing:  # two who ask first at once get the same
            if self._server is None:
                path = prepare(self._settings)
                self._server = LocalServer(path, self.name, self.context_tokens, self._settings.cache)
            return self._server

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text: by the model's own tokenizer where it can be asked, else by tiktoken's o200k."""
        return self._endpoint.count(texts) if self._endpoint else self.local_server.count(texts)

    def write(
        self,
        messages: Sequence[Message],
        max_tokens: int,
        stop: threading.Event | None = None,
        *,
        likely: bool = False,
        aside: bool = False,
        without: str = "",
    ) -> Generator[str | Waiting, None, Usage]:
        """Stream the answer to a prompt, piece by piece, and return its cost; before it begins, who is ahead.

        Closing the generator stops the model, and so does `stop`, from any thread and while it reads.

        Args:
            likely: have the likeliest tokens told at every place; see `Usage.likely`.
            aside: the prompt will not be asked again, unlike others that the model may still hold.
            without: a token that the embedded model may not write.

        Raises:
            ModelError: too many wait, or the model gave no whole answer.
            Stopped: `stop` was set.
        """
        return relay(lambda left: self._write(messages, max_tokens, left, likely, aside, without), stop)

    def _write(
        self,
        messages: Sequence[Message],
        max_tokens: int,
        left: Callable[[], bool],
        likely: bool,
        aside: bool,
        without: str,
    ) -> Generator[str | Waiting, None, Usage]:
        if self._endpoint:
            return (yield from self._endpoint.write(messages, max_tokens, left=left, likely=likely))
        server = self.local_server
        server.start()
        begun = messages[:-2] if self.is_trained and messages[-2:-1] and messages[-2].role == "assistant" else []
        with server.turn(_digest(messages), _digest(begun) if begun else "", aside=aside) as turn:
            waited = False
            while not turn.wait(_BEAT_SECONDS):
                if left():
                    return Usage()
                waited = True
                yield Waiting(turn.ahead + 1)  # and one that is being answered
            if waited:
                yield Waiting(0)
            parts = self._unread(server.take(turn), turn, begun, messages)
            read = self._read(server, turn, parts, left, likely)
            if not left():
                server.has_read(turn)
            if read and likely and max_tokens == 1:
                return read
            fields = _fields(turn, without=without)
            usage = yield from self._at(server).write(messages, max_tokens, fields, left, likely=likely)
        return replace(usage, cached_tokens=read.cached_tokens) if read else usage

    def _unread(
        self, held: str, turn: Turn, begun: Sequence[Message], messages: Sequence[Message]
    ) -> list[tuple[Sequence[Message], bool]]:
        """What of a prompt is still to be read by a slot that holds something: as for `_read`."""
        if held == turn.prompt:
            return []
        if not begun:
            return [(messages, self.is_trained)]
        return [(messages, False)] if held == turn.begun else [(begun, True), (messages, False)]

    def _read(
        self,
        server: LocalServer,
        turn: Turn,
        parts: Sequence[tuple[Sequence[Message], bool]],
        left: Callable[[], bool],
        likely: bool,
    ) -> Usage | None:
        """Have a prompt read before a word of it is written: what is written then begins at the same place, and is the
        same, whether the prompt was read now or before.

        What goes on after an answer is read from the end of that, all else from the beginning: what a slot read before
        decides how the tokens fall into batches, and that an answer's last digits and now and then a word. A model
        that was not trained to read short prompts keeps what it has read of their examples.

        Args:
            parts: the prompt, up to where it is to be read in one go, and whether from the beginning.
        """
        for again in (True, False):
            usage = None
            try:
                for part, fresh in parts:
                    fields = _fields(turn, fresh=fresh)
                    _, usage = to_the_end(self._at(server).write(part, 1, fields, left, likely=likely))
                return usage
            except ModelError:
                if not again or left():
                    raise
            time.sleep(SETTLE_SECONDS)  # the child died, and is started again, once
        raise AssertionError("the loop returns or raises")

    def _at(self, server: LocalServer) -> Endpoint:
        return Endpoint(
            f"{server.address}/v1", self.name, server.api_key, self.context_tokens,
            trust_env=False, patience=_AT_ONCE, remedy=_REMEDY,
        )  # fmt: skip


def whole(writing: Generator[str | Waiting, None, Usage]) -> str:
    """The text of what `LLM.write` gives."""
    return to_the_end(writing)[0]


def to_the_end(writing: Generator[str | Waiting, None, Usage]) -> tuple[str, Usage]:
    """The text of what `LLM.write` gives, and its cost."""
    text = ""
    while True:
        try:
            piece = next(writing)
        except StopIteration as end:
            return text, end.value
        if isinstance(piece, str):
            text += piece


def _fields(turn: Turn, *, fresh: bool = False, without: str = "") -> dict[str, Any]:
    """What a request to llama.cpp says besides; by telling its progress it notices between two batches who has left."""
    fields = {"cache_prompt": not fresh, "id_slot": turn.slot, "return_progress": True}
    return fields | ({"logit_bias": [[without, False]]} if without else {})


def _digest(messages: Sequence[Message]) -> str:
    told = json.dumps([[message.role, message.content] for message in messages])
    return hashlib.sha256(told.encode()).hexdigest()
