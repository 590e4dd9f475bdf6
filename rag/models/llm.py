"""Any OpenAI-compatible LLM, through LlamaIndex: writing as a stream, counting tokens. One path for every model.

The embedded model is an endpoint too, one whose address `local_llm` provides.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from index.errors import ModelError
from index.settings import Settings
from prompts import Message
from rag.models.files import model_path, prepare
from rag.models.server import SLOTS, LocalServer

if TYPE_CHECKING:
    from llama_index.llms.openai_like import OpenAILike

TIMEOUT_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call, as the server counted them; `cached` are those that it did not have to read again."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0


class LLM:
    """A model that writes. Starts the embedded one if the settings name no endpoint.

    Raises (from every method):
        ModelError: the model file or the endpoint can't be used.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._server: LocalServer | None = None
        self._prefix: list[dict[str, str]] = []
        self._preparing = threading.Lock()
        self._warming = threading.Lock()
        self._warmed = False
        self._free_slots: queue.SimpleQueue[int] = queue.SimpleQueue()
        for slot in range(SLOTS):
            self._free_slots.put(slot)
        self.context_tokens = settings.context_tokens
        self.name = settings.model if settings.endpoint else model_path(settings).stem

    def start(self, prefix: Sequence[Message] = ()) -> None:
        """Begin loading the embedded model, and reading the prefix that its prompts will share, without waiting for
        either; nothing to do for an endpoint."""
        if self._settings.endpoint:
            return
        self._prefix = [{"role": message.role, "content": message.content} for message in prefix]
        self.local_server.start()
        threading.Thread(target=self._warm, name="warming", daemon=True).start()

    def _warm(self) -> None:
        """Have the prefix read and saved, if this process has not seen to it yet."""
        with self._warming:
            if self._prefix and not self._warmed:
                # A model that can't be loaded is said when it is asked, to whoever asks.
                with contextlib.suppress(ModelError):
                    self.local_server.warm(self._prefix)
                    self._warmed = True

    @contextlib.contextmanager
    def _slot(self) -> Iterator[dict[str, Any]]:
        """What a request to the embedded server says besides the prompt: which slot, the prefix just restored."""
        if self._settings.endpoint:
            yield {}
            return
        self._warm()
        slot = self._free_slots.get()
        try:
            self.local_server.restore(slot)
            yield {"extra_body": {"cache_prompt": True, "id_slot": slot}}
        finally:
            self._free_slots.put(slot)

    def close(self) -> None:
        if self._server:
            self._server.close()
        if "_http" in self.__dict__:
            self._http.close()

    @property
    def local_server(self) -> LocalServer:
        """The embedded server, started or not."""
        with self._preparing:  # two who ask first at once get the same
            if self._server is None:
                slots = self._settings.cache / "prefixes"
                self._server = LocalServer(prepare(self._settings), self.name, self.context_tokens, slots)
            return self._server

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, by the model's own tokenizer; by tiktoken's o200k for an endpoint."""
        if self._settings.endpoint:
            return count_o200k(texts)
        return self._count_locally(texts)

    def write(self, messages: Sequence[Message], max_tokens: int) -> Generator[str, None, Usage]:
        """Stream the answer to a prompt, piece by piece, and return its cost. Closing the generator stops the model."""
        import openai
        from llama_index.core.llms import ChatMessage

        chat = [ChatMessage(role=message.role, content=message.content) for message in messages]
        usage = Usage()
        # A client for each answer: closing it is what closes the HTTP stream, and that frees the server's slot.
        # Closing LlamaIndex's generator does not. A proxy of the environment is not for the loopback interface.
        client = httpx.Client(timeout=TIMEOUT_SECONDS, trust_env=bool(self._settings.endpoint))
        with self._slot() as extra, client:
            try:
                for response in self._client(client, extra).stream_chat(chat, max_tokens=max_tokens):
                    usage = _usage(response.raw) or usage
                    if response.delta:
                        yield response.delta
            except (OSError, ValueError, httpx.HTTPError, openai.OpenAIError) as error:
                raise ModelError(self._explain(error)) from error
        return usage

    def _explain(self, error: Exception) -> str:
        where = self._settings.endpoint or "the embedded server"
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        remedy = "Check DATELINE_LLM_ENDPOINT, the model's name and the key" if self._settings.endpoint else "Ask again"
        return f"The model {self.name} at {where} did not answer: {reason}. {remedy}; `dateline doctor` checks more."

    def _client(self, client: httpx.Client, extra: dict[str, Any]) -> OpenAILike:
        from llama_index.llms.openai_like import OpenAILike

        if self._settings.endpoint:
            base, key = self._settings.endpoint, self._settings.api_key or "none"
        else:
            server = self.local_server
            base, key = f"{server.address}/v1", server.api_key
        return OpenAILike(
            model=self.name, api_base=base, api_key=key, is_chat_model=True, context_window=self.context_tokens,
            temperature=0.0, max_retries=1, timeout=TIMEOUT_SECONDS, http_client=client,  # type: ignore[call-arg]  # the base class takes it
            additional_kwargs={"stream_options": {"include_usage": True}, "seed": 0, **extra},
        )  # fmt: skip

    def _count_locally(self, texts: Sequence[str]) -> list[int]:
        # One call for all texts: the pieces come back in order and are dealt out by the bytes they cover.
        server = self.local_server
        request = {"content": "\n".join(texts), "with_pieces": True}
        headers = {"Authorization": f"Bearer {server.api_key}"}
        try:
            answer = self._http.post(f"{server.address}/tokenize", json=request, headers=headers)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise ModelError(self._explain(error)) from error
        counts = [0] * len(texts)
        ends: list[int] = []
        for text in texts:
            ends.append((ends[-1] if ends else 0) + len(text.encode()) + 1)
        position, current = 0, 0
        for token in answer.json()["tokens"]:
            while current < len(ends) - 1 and position >= ends[current]:
                current += 1
            counts[current] += 1
            piece = token["piece"]  # half a character comes as a list of bytes
            position += len(piece.encode()) if isinstance(piece, str) else len(piece)
        return counts

    @cached_property
    def _http(self) -> httpx.Client:
        return httpx.Client(timeout=TIMEOUT_SECONDS, trust_env=False)


def _usage(raw: Any) -> Usage | None:
    usage = getattr(raw, "usage", None)
    if usage is None:
        return None
    details = getattr(usage, "prompt_tokens_details", None)
    cached = getattr(details, "cached_tokens", None) or 0
    return Usage(usage.prompt_tokens, cached, usage.completion_tokens)


def count_o200k(texts: Sequence[str]) -> list[int]:
    """Tokens of each text by tiktoken's o200k, for models whose own tokenizer is not at hand."""
    return [len(_tiktoken().encode(text, disallowed_special=())) for text in texts]


@lru_cache(maxsize=1)
def _tiktoken() -> Any:
    # LlamaIndex carries the encodings; tiktoken would download them otherwise.
    spec = find_spec("llama_index.core")
    assert spec is not None and spec.origin is not None
    os.environ["TIKTOKEN_CACHE_DIR"] = str(Path(spec.origin).parent / "_static" / "tiktoken_cache")
    import tiktoken

    return tiktoken.get_encoding("o200k_base")
