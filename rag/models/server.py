"""The embedded LLM: one llama.cpp child of a user's, behind an OpenAI-compatible address on the loopback interface.

The page, a terminal and an evaluation that run at once share it: whoever comes first starts it, the last one to leave
ends it. Whoever uses it needs only the address and the key, like those of any endpoint.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import secrets
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

import httpx

from index.errors import ModelError
from rag.models import native
from rag.models.serving import BATCH_TOKENS, SPIN_COUNT, START_SECONDS
from rag.models.tokens import count_pieces

# Prompts that the child holds: an answer's and, beside it, that of its judge. One call runs at a time: in two
# slots at once prompts share batches, which changes last digits, and with them now and then an answer.
SLOTS = 2
MOST_WAITING = 32  # in one process; who comes after them is told to come back
_WHEEL = f"xllamacpp {version('xllamacpp')}"
_PROTOCOL = 3  # raised with what is said to a child or left in its folder: another version starts its own
_POLL_SECONDS = 0.02
_END_SECONDS = 5
_LOOKS = 10
SETTLE_SECONDS = 0.2  # after which a child that died is known to have died

log = logging.getLogger(__name__)


class LocalServer:
    """A share in the llama.cpp child of a model; `start` returns at once, `address` waits until it serves.

    A child that has died is started again at the next use of `address`.

    Args:
        model: a GGUF file.
        alias: the name that requests give the model.
        context_tokens: of each slot.
        cache: a folder of this user's, for what the processes share.
    """

    def __init__(self, model: Path, alias: str, context_tokens: int, cache: Path) -> None:
        self._model = model
        self._alias = alias
        self._context_tokens = context_tokens
        self._cache = cache
        self._native = native.find(cache)
        # Of all that makes a child, and what it has read, another one.
        program = self._native.sha256 if self._native else _WHEEL
        self._identity = [*_status(model), context_tokens, SLOTS, BATCH_TOKENS, program, _PROTOCOL]
        self._folder = cache / "llm" / _digest(json.dumps(self._identity))
        self._lock = threading.RLock()
        self._share: IO[bytes] | None = None
        self._closed = False
        self._queue = _Queue(self._folder)

    @property
    def is_native(self) -> bool:
        """Whether it is meant to run what was built for this processor."""
        return self._native is not None

    @property
    def is_running(self) -> bool:
        """Whether the child runs, whoever started it."""
        try:
            with (self._folder / "server.lock").open("rb") as lock:
                # A share: two who look at once must not take each other for the child.
                return not _take(lock, fcntl.LOCK_SH)
        except OSError:
            return False

    @property
    def pid(self) -> int | None:
        """The process that computes, once it serves and while it runs."""
        pid = self._state().get("pid")
        return int(pid) if pid and self.is_running else None

    def start(self) -> None:
        """Start the child unless it runs, and take a share in it.

        Raises:
            ModelError: the folder of what is shared can't be made, or this share was given back.
        """
        with self._lock:
            if self._closed:
                raise ModelError(f"The model {self._model} is not used any more: it was closed meanwhile.")
            try:
                self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                with _locked(self._folder / "start.lock"):
                    if self._share is None:
                        self._share = (self._folder / "users.lock").open("ab")
                        # Waits for a child that is just ending; one that holds this share never does.
                        fcntl.flock(self._share, fcntl.LOCK_SH)
                    if not self.is_running:
                        if not self._model.exists():
                            raise ModelError(f"The model {self._model} is not there any more. Run `dateline model`.")
                        self._spawn()
            except OSError as error:
                raise ModelError(
                    f"{self._folder} can't be used ({error.strerror}). Name another folder by DATELINE_CACHE."
                ) from error

    def _spawn(self) -> None:
        (self._folder / "state.json").unlink(missing_ok=True)
        for slot in range(SLOTS):
            self._queue.keep(slot, "")
        key = self._folder / "key.new"
        key.unlink(missing_ok=True)
        key.touch(mode=0o600)
        key.write_text(secrets.token_urlsafe(32), encoding="utf-8")
        key.replace(self._folder / "key")
        request = {
            "folder": str(self._folder),
            "cache": str(self._cache),
            "native": str(self._native.path) if self._native else "",
            "model": str(self._model),
            "alias": self._alias,
            "context_tokens": self._context_tokens,
            "batch": BATCH_TOKENS,
            "threads": len(os.sched_getaffinity(0)),
            "api_key": self.api_key,
            "parallel": SLOTS,
        }
        with (self._folder / "server.lock").open("ab") as life, (self._folder / "log").open("wb") as told:
            fcntl.flock(life, fcntl.LOCK_EX)  # the child's from here on: the kernel gives it back when the child ends
            # -P keeps the current folder off the import path: a file of the user's can't stand in for ours.
            subprocess.run(
                [sys.executable, "-P", "-m", "rag.models.child"],
                input=json.dumps(request) + "\n", stdout=told, stderr=told, text=True, pass_fds=(life.fileno(),),
                env={"GOMP_SPINCOUNT": SPIN_COUNT, **os.environ},
                start_new_session=True,  # Ctrl-C in the terminal is not for the child
                check=False,  # if it did not even start, `address` says why
            )  # fmt: skip

    @property
    def api_key(self) -> str:
        return (self._folder / "key").read_text(encoding="utf-8")

    @property
    def address(self) -> str:
        """The base address, such as `http://127.0.0.1:41234`.

        Raises:
            ModelError: the model can't be loaded.
        """
        self.start()
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            running = self.is_running  # asked before the file is looked at: what it wrote last counts
            state = self._state()
            if "address" in state and running:
                return str(state["address"])
            if not running or "error" in state or self._closed:
                raise ModelError(self._reason(state))
            time.sleep(_POLL_SECONDS)
        raise ModelError(self._reason({"error": f"it did not answer within {START_SECONDS:.0f} s"}))

    def _state(self) -> dict[str, Any]:
        try:
            state: dict[str, Any] = json.loads((self._folder / "state.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return state

    def _reason(self, state: dict[str, Any]) -> str:
        if self._closed:
            return f"The model {self._model} was not loaded: it was closed meanwhile."
        reason = state.get("error") or self._last_words() or "it ended without a word"
        return (
            f"The model {self._model} can't be loaded: {reason}. It needs about 1.6 GB of free memory; "
            "`dateline doctor` checks the file and the machine."
        )

    def _last_words(self) -> str:
        try:
            text = (self._folder / "log").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return " / ".join(lines[-3:])[-600:]

    def turn(self, prompt: str = "", begun: str = "", *, aside: bool = False) -> Turn:
        """A place in the queue for the model.

        Args:
            prompt: the digest of what will be read; the slot that holds it already is preferred.
            begun: the digest of its beginning, which will do as well.
            aside: what is read will not be asked again; it goes where it is least likely to replace what may be.
        """
        return Turn(self._queue, prompt, begun, aside)

    def take(self, turn: Turn) -> str:
        """The digest of what the turn's slot has read, "" where it is not known; it is not known from here on."""
        held = self._queue.held(turn.slot)
        self._queue.keep(turn.slot, "")
        return held

    def has_read(self, turn: Turn) -> None:
        """Remember that the turn's slot holds its prompt."""
        self._queue.keep(turn.slot, turn.prompt)

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, by the model's own tokenizer."""
        # One call for all texts: the pieces come back in order and are dealt out by the bytes they cover.
        request = {"content": "\n".join(texts), "with_pieces": True}
        for again in (True, False):
            with self._client(self.address) as client:
                try:
                    answer = client.post("/tokenize", json=request)
                    return count_pieces(texts, [token["piece"] for token in answer.raise_for_status().json()["tokens"]])
                except httpx.HTTPError as error:
                    if not again:
                        raise ModelError(f"The model {self._alias} did not answer: {error!r}. Ask again.") from error
            time.sleep(SETTLE_SECONDS)
        raise AssertionError("the loop returns or raises")

    def slots(self) -> list[dict[str, Any]]:
        """The server's own account of its slots: `id`, `is_processing`, …"""
        with self._client(self.address) as client:
            return list(client.get("/slots").raise_for_status().json())

    def _client(self, address: str) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.api_key}"}
        # A proxy of the environment is not for the loopback interface.
        return httpx.Client(base_url=address, headers=headers, timeout=START_SECONDS, trust_env=False)

    # Leaving

    def close(self) -> None:
        """Give the share back; the child ends unless another process has one."""
        with self._lock:  # not while it is being started
            self._closed = True
            share, self._share = self._share, None
        if share is None:
            return
        share.close()
        shared, deadline = 0, time.monotonic() + _END_SECONDS
        # One look may find it shared by nobody: the child takes its time to wake up and take it all.
        while shared < _LOOKS and self.is_running and time.monotonic() < deadline:
            shared = shared + 1 if self._is_shared() else 0
            time.sleep(_POLL_SECONDS)

    def _is_shared(self) -> bool:
        """Whether another one has a share; the child itself takes it all when it ends."""
        with (self._folder / "users.lock").open("rb") as users:
            return _take(users, fcntl.LOCK_SH)


class Turn:
    """A place in the queue for the model; a context manager that leaves the queue, or lets the next one have it.

    Raises (when it is entered):
        ModelError: too many wait already.
    """

    def __init__(self, queue: _Queue, prompt: str, begun: str, aside: bool) -> None:
        self.aside = aside
        self._queue = queue
        self._held: IO[bytes] | None = None
        self.prompt = prompt
        self.begun = begun
        self.slot = -1

    @property
    def ahead(self) -> int:
        """How many of this process are to be answered before."""
        return self._queue.ahead(self)

    def wait(self, seconds: float) -> bool:
        """Whether it is this one's turn by then; then `slot` is where it reads."""
        if self._held is None and (found := self._queue.wait(self, seconds)):
            self.slot, self._held = found
        return self._held is not None

    def __enter__(self) -> Turn:
        self._queue.enter(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._queue.leave(self)
        if self._held is not None:
            self._held.close()
            self._held = None


class _Queue:
    """Who waits for the model: in order within this process, by a lock on the file `turn` among all of them.

    Of each slot a file holds the digest of the prompt that it has read, or nothing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._waiting: deque[Turn] = deque()
        self._changed = threading.Condition()

    def enter(self, turn: Turn) -> None:
        with self._changed:
            if len(self._waiting) >= MOST_WAITING:
                raise ModelError(f"{MOST_WAITING} questions wait for the model already. Ask again in a minute.")
            self._waiting.append(turn)

    def leave(self, turn: Turn) -> None:
        with self._changed:
            if turn in self._waiting:
                self._waiting.remove(turn)
            self._changed.notify_all()

    def ahead(self, turn: Turn) -> int:
        with self._changed:
            return self._waiting.index(turn) if turn in self._waiting else 0

    def wait(self, turn: Turn, seconds: float) -> tuple[int, IO[bytes]] | None:
        deadline = time.monotonic() + seconds
        while True:
            with self._changed:
                if self._waiting and self._waiting[0] is turn and (found := self._free(turn)):
                    self._waiting.popleft()
                    self._changed.notify_all()
                    return found
                left = deadline - time.monotonic()
                if left <= 0:
                    return None
                # Another process ends its turn without telling.
                self._changed.wait(min(left, _POLL_SECONDS))

    def held(self, slot: int) -> str:
        try:
            return self._path(slot).read_text(encoding="utf-8")
        except OSError:
            return ""

    def keep(self, slot: int, prompt: str) -> None:
        self._path(slot).write_text(prompt, encoding="utf-8")

    def _free(self, turn: Turn) -> tuple[int, IO[bytes]] | None:
        lock = (self._folder / "turn").open("ab")
        if not _take(lock, fcntl.LOCK_EX):
            lock.close()
            return None
        # The one that was used longest ago, or of two who ask at once each would read over what the other has read.
        slots = reversed(range(SLOTS)) if turn.aside else sorted(range(SLOTS), key=self._used)
        wanted = [each for each in (turn.prompt, turn.begun) if each]
        return min(slots, key=lambda slot: self.held(slot) not in wanted), lock

    def _used(self, slot: int) -> int:
        try:
            return self._path(slot).stat().st_mtime_ns
        except OSError:
            return 0

    def _path(self, slot: int) -> Path:
        return self._folder / f"slot-{slot}"


def _status(model: Path) -> list[Any]:
    try:
        status = model.stat()
    except OSError:  # whoever uses it says so
        return [str(model.absolute())]
    return [str(model.absolute()), status.st_size, status.st_mtime_ns]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _take(file: IO[bytes], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
