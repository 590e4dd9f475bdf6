"""The client of any OpenAI-compatible LLM endpoint: OpenAI, Ollama, vLLM, LM Studio, or llama.cpp's server.

Knows the protocol and what servers tell of themselves. Knows nothing of settings, prompts or processes. A key is never
part of a message, a log line or a chained exception: errors are raised outside the handlers that caught their causes.
"""

from __future__ import annotations

import logging
import random
import ssl
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from time import monotonic, sleep
from typing import Any

import httpx

from index.errors import ModelError
from prompts import Message
from rag.models import refusals
from rag.models.account import is_among, names, told_window
from rag.models.address import Address
from rag.models.refusals import Refusal
from rag.models.reply import Reply, Usage, Watch, at, events
from rag.models.tokens import count_o200k, count_pieces, share_out

__all__ = ["Endpoint", "Patience", "Usage"]

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 8.0
_REASON_LENGTH = 400
# Some models refuse some of these (OpenAI's reasoning models: temperature, max_tokens); they are asked without them.
_OPTIONAL = ("temperature", "seed", "max_tokens", "stream_options", "logprobs", "top_logprobs")
_LIKELIEST = 10  # tokens that are told of each place; OpenAI tells at most 20

# What a request can raise, beside what the openai library makes of it: a proxy of the environment that can't be used, …
_TROUBLE = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, ValueError, ImportError)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds: to be connected, for the first token of one attempt, from token to token, for the
    first token over all attempts, and for a server's account of itself; and how often to try."""

    connect: float = 5.0
    first: float = 180.0  # a laptop reads 4,096 tokens in a minute, and may have to load the model before
    between: float = 60.0
    total: float = 300.0
    ask: float = 2.0
    attempts: int = 6  # with the pauses between them, a server that is down is given up after 12 to 16 s


class Endpoint:
    """A model behind an OpenAI-compatible address. May be used by several threads at once.

    Args:
        base_url: such as `http://localhost:11434/v1`. `user:password@` is sent as basic authentication, a key in the
            query as the key if `api_key` is empty; neither is ever shown.
        api_key: the key, "" for none, or `env:NAME` for the value of that environment variable.
        context_tokens: the most tokens to use; None for as many as the endpoint has.
        trust_env: whether proxies and certificates of the environment are used; proxies never for the loopback
            interface.
        remedy: what error messages advise instead of naming settings, for an endpoint that no setting names.

    Raises:
        ModelError: an address or a key that can't be one.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        api_key: str = "",
        context_tokens: int | None = None,
        *,
        trust_env: bool = True,
        patience: Patience = Patience(),
        remedy: str = "",
    ) -> None:
        self.model = model
        self.context_tokens = context_tokens
        self._address = Address(base_url, api_key)
        self._trust_env = trust_env
        self._patience = patience
        self._remedy = remedy
        self._left_out: set[str] = set()  # parameters that the model refuses
        self._has_tokenizer: bool | None = None  # not asked yet
        self._told: tuple[int | None] | None = None  # the window; not asked yet

    def __repr__(self) -> str:
        return f"Endpoint({self.url!r}, {self.model!r})"

    @property
    def url(self) -> str:
        """The address, without credentials."""
        return self._address.url

    def write(
        self,
        messages: Sequence[Message],
        max_tokens: int,
        extra: Mapping[str, Any] = {},
        left: Callable[[], bool] = lambda: False,
        *,
        likely: bool = False,
    ) -> Generator[str, None, Usage]:
        """Stream the answer to a prompt, piece by piece, and return its cost. Closing the generator closes the
        connection, and that stops the model.

        Failures before the first token that may pass are tried again; none after it.

        Args:
            extra: more fields of the request, such as llama.cpp's `id_slot`.
            left: whether nobody waits any more; then the connection is closed and what there is returned.
            likely: have the likeliest tokens told at every place; see `Usage.likely`.

        Raises:
            ModelError: the endpoint gave no answer, or not a whole one.
        """
        request = {
            "model": self.model,
            "messages": [{"role": message.role, "content": message.content} for message in messages],
            "max_tokens": max_tokens,
            "temperature": 0,
            "seed": 0,
            "stream_options": {"include_usage": True},
        }
        if likely:
            request |= {"logprobs": True, "top_logprobs": _LIKELIEST}
        try:
            return (yield from self._begun(request, dict(extra), left))
        except Refusal as refusal:
            error = self._explain(refusal)
        raise error

    def window(self) -> int | None:
        """The most tokens of prompt and answer together: what the endpoint tells, `context_tokens` if that is less or
        all that is known, None if nothing is."""
        if self._told is None:
            with suppress(*_TROUBLE):  # it is not there now, and is asked again
                self._told = (told_window(self._ask, self.url, self._address.root, self.model, self.context_tokens),)
        told = self._told[0] if self._told else None
        return min((tokens for tokens in (told, self.context_tokens) if tokens), default=None)

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text: by the model's tokenizer if the endpoint has one to ask, or by tiktoken's o200k."""
        tokens = self._tokenized("\n".join(texts)) if self._has_tokenizer is not False else None
        if tokens is None:
            return count_o200k(texts)
        pieces = [at(token, "piece") for token in tokens]  # llama.cpp gives them, vLLM does not
        return share_out(texts, len(tokens)) if None in pieces else count_pieces(texts, pieces)

    def check(self) -> str:
        """That the address is right, the key accepted and the model known, in one line for a person.

        Raises:
            ModelError: one of them is not so.
        """
        refusal = self._refusal_of_nothing()
        listed = self._listed()
        expected = (400, 422, 500) if listed else (400, 422)
        if refusal and (refusal.kind is refusals.MODEL or refusal.status not in expected):
            raise self._explain(refusal)
        if listed and not is_among(self.model, listed):
            raise self._explain(Refusal(refusals.MODEL, "the endpoint does not list it"))
        window = self.window()
        size = f"{window:,} tokens of context" if window else "context of unknown size"
        return f"{self.model} at {self.url}, {size}{'' if listed else '; the endpoint lists no models'}"

    def _begun(
        self, request: dict[str, Any], extra: dict[str, Any], left: Callable[[], bool]
    ) -> Generator[str, None, Usage]:
        """The answer, after as many attempts as it takes until the model begins."""
        began = monotonic()
        for attempt in count(1):
            if left():
                return Usage()
            most = self._patience.total - (monotonic() - began)
            stream = self._stream(request, extra, max(1.0, min(self._patience.first, most)), left)
            try:
                next(stream)
                return (yield from stream)
            except StopIteration as end:  # it was left before the model began
                usage: Usage = end.value
                return usage
            except Refusal as refusal:
                if refusal.parameter in _OPTIONAL and refusal.parameter not in self._left_out:
                    self._left_out.add(refusal.parameter)
                    continue
                pause, elapsed = _pause(refusal, attempt), monotonic() - began
                if (
                    not refusal.kind.again
                    or attempt == self._patience.attempts
                    or elapsed + pause >= self._patience.total
                ):
                    refusal.tried = self._tried(refusal, attempt, elapsed)
                    raise
            log.info("%s: attempt %d failed; the next is in %.1f s", self.url, attempt, pause)
            sleep(pause)
        raise AssertionError("the loop has no end")

    def _stream(
        self, request: dict[str, Any], extra: dict[str, Any], first: float, left: Callable[[], bool]
    ) -> Generator[str, None, Usage]:
        """One attempt. The first piece is "", given when the model begins to answer; the others are its text."""
        import openai

        reply = Reply()
        watch = Watch(self._patience.between, left)
        try:
            with watch, self._client(first, watch) as http, self._posted(http, request, extra) as response:
                yield from reply.pieces(events(response.iter_bytes()), watch, first)
                if not reply.over and not reply.finish:
                    raise Refusal(refusals.FAILED, "the stream ended without its end mark")
                return reply.usage
        except Refusal as caught:
            refusal = caught
        except (*_TROUBLE, openai.OpenAIError) as error:
            refusal = refusals.from_error(error)
        if left():
            return reply.usage
        if watch.expired:
            refusal = Refusal(refusals.CUT, f"no token came for {watch.seconds:g} s")
        elif reply.begun:
            refusal.kind = refusals.CUT
        raise refusal

    def _posted(self, http: httpx.Client, request: dict[str, Any], extra: dict[str, Any]) -> Any:
        import openai

        max_tokens = request["max_tokens"]
        request = {name: value for name, value in request.items() if name not in self._left_out}
        if "max_tokens" in self._left_out:
            extra = {"max_completion_tokens": max_tokens, **extra}
        client = openai.OpenAI(base_url=self.url, api_key="none", http_client=http, max_retries=0, timeout=http.timeout)
        # What the library would add from variables of its own, which may be meant for another endpoint. The key and
        # the query are the HTTP client's.
        headers = dict.fromkeys(("Authorization", "OpenAI-Organization", "OpenAI-Project"), openai.Omit())
        return client.chat.completions.with_streaming_response.create(
            **request, stream=True, extra_body=extra, extra_headers=headers
        )

    def _client(self, read: float, watch: Watch | None = None) -> httpx.Client:
        """A client for one call: closing it closes the connection, and that is what stops a server's writing."""
        hooks: dict[str, list[Callable[..., Any]]] = {"request": [watch.attach]} if watch else {}
        return httpx.Client(
            headers=self._address.headers, auth=self._address.auth, params=self._address.query,
            trust_env=self._trust_env and not self._address.is_loopback, verify=self._tls,
            timeout=httpx.Timeout(read, connect=self._patience.connect), event_hooks=hooks,
        )  # fmt: skip

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        if self.url.startswith("https:"):
            return httpx.create_ssl_context(trust_env=self._trust_env)
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody: loading the authorities takes 20 ms

    def _ask(self, url: str, body: Any = None, seconds: float = 0.0) -> Any:
        """A server's account of itself, as JSON; None if it has none at that address."""
        with self._client(seconds or self._patience.ask) as http:
            response = http.get(url) if body is None else http.post(url, json=body)
        with suppress(ValueError):
            return response.json() if response.is_success else None
        return None

    def _tokenized(self, text: str) -> list[Any] | None:
        request = {"content": text, "with_pieces": True}  # for llama.cpp
        request |= {"model": self.model, "prompt": text, "add_special_tokens": False}  # for vLLM
        seconds = self._patience.between if self._has_tokenizer else self._patience.ask
        with suppress(*_TROUBLE):  # it did not answer in time, and may the next time
            tokens = at(self._ask(f"{self._address.root}/tokenize", request, seconds), "tokens")
            self._has_tokenizer = self._has_tokenizer or isinstance(tokens, list)
            return tokens if isinstance(tokens, list) else None
        return None

    def _refusal_of_nothing(self) -> Refusal | None:
        """What the endpoint says to a request without messages: keys are looked at before, and nothing is written."""
        try:
            with self._client(self._patience.connect) as http:
                response = http.post(f"{self.url}/chat/completions", json={"model": self.model, "max_tokens": 1})
        except _TROUBLE as error:
            return refusals.from_error(error)
        if not response.is_success:
            return refusals.from_response(response)
        return None if "json" in response.headers.get("Content-Type", "") else refusals.not_compatible(response.content)

    def _listed(self) -> list[Any]:
        """The models that the endpoint lists, none if it lists none."""
        with suppress(*_TROUBLE):
            entries = at(self._ask(f"{self.url}/models"), "data")
            return entries if isinstance(entries, list) else []
        return []

    def _explain(self, refusal: Refusal) -> ModelError:
        """The error for a person: model, address, what happened, the server's reason, and the remedy."""
        kind, address = refusal.kind, self._address
        listed = self._listed() if kind is refusals.MODEL or refusal.status == 404 else []
        if listed and not is_among(self.model, listed):
            kind = refusals.MODEL
        reason = address.scrub(refusal.reason)[:_REASON_LENGTH].rstrip(".")
        text = f"The model {self.model} at {self.url} {kind.what}: {reason}.{refusal.tried}"
        if kind is refusals.MODEL and listed:
            text += f" The endpoint lists {address.scrub(names(listed))}."
        if kind in (refusals.ADDRESS, refusals.UNREACHABLE):
            text += address.hint
        if kind is refusals.KEY and not address.has_key:
            text += " No key is set."
        return ModelError(f"{text} {self._remedy or kind.remedy}; `dateline doctor` checks more.")

    def _tried(self, refusal: Refusal, attempt: int, elapsed: float) -> str:
        limit = f"at most {self._patience.attempts} attempts in {self._patience.total:g} s"
        if refusal.wait is not None and refusal.wait > self._patience.total - elapsed:
            return f" It asks to wait {refusal.wait:.0f} s, and Dateline makes {limit}."
        return f" Gave up after {attempt} attempts in {elapsed:.0f} s ({limit})." if refusal.kind.again else ""


def _pause(refusal: Refusal, attempt: int) -> float:
    """Seconds until the next attempt: what the server asks for, or twice as long each time; both with some jitter, so
    that not all who were turned away come back at once."""
    jitter = random.uniform(1.0, 1.25)  # noqa: S311 (no secret)
    return jitter * (refusal.wait or min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (attempt - 1)))
