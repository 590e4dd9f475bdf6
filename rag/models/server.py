"""The embedded LLM: a supervised llama.cpp child behind an OpenAI-compatible address on the loopback interface.

Whoever uses it needs only the address and the key, like those of any endpoint.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import secrets
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import IO, Any

import httpx

from index.errors import ModelError

START_SECONDS = 120
SLOTS = 2  # two can ask at once
# OpenMP's threads spin at every barrier. By default so long that one busy neighbour on two cores makes writing ten
# times slower; measured with 3,000: as fast as before on a quiet machine, a third as fast beside a busy process.
SPIN_COUNT = "3000"

log = logging.getLogger(__name__)


class LocalServer:
    """A llama.cpp child process; `start` returns at once, `address` waits until it serves.

    A child that has died is started again at the next use of `address`. `slots` is a folder for the read prefix of
    prompts, so that a new child need not read it again.
    """

    def __init__(self, model: Path, alias: str, context_tokens: int, slots: Path) -> None:
        self._model = model
        self._slots = slots
        self._alias = alias
        self._context_tokens = context_tokens
        self._lock = threading.RLock()
        self._process: subprocess.Popen[str] | None = None
        self._log: IO[str] | None = None
        self._address = ""
        self._prefix = ""  # the file in `slots` that holds it
        self.api_key = secrets.token_urlsafe(32)

    @property
    def pid(self) -> int | None:
        """The child's process id while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Start the child unless it runs."""
        with self._lock:
            if self.pid is not None:
                return
            self.close()  # what a dead child left open
            try:
                self._slots.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise ModelError(
                    f"{self._slots} can't be made ({error.strerror}). Name another folder by DATELINE_CACHE."
                ) from error
            self._log = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115 (lives as long as the child)
            # -P keeps the current folder off the import path: a file of the user's can't stand in for ours.
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "rag.models.child"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True,
                env={"GOMP_SPINCOUNT": SPIN_COUNT, **os.environ},
                start_new_session=True,  # Ctrl-C in the terminal is the parent's to handle
            )  # fmt: skip
            request = {
                "model": str(self._model),
                "alias": self._alias,
                "context_tokens": self._context_tokens,
                "threads": len(os.sched_getaffinity(0)),
                "api_key": self.api_key,
                "slots": f"{self._slots}/",
                "parallel": SLOTS,
            }
            assert self._process.stdin
            try:
                self._process.stdin.write(json.dumps(request) + "\n")
                self._process.stdin.flush()
            except BrokenPipeError:
                pass  # it died at once; `address` says why

    @property
    def address(self) -> str:
        """The base address, such as `http://127.0.0.1:41234`.

        Raises:
            ModelError: the model can't be loaded.
        """
        with self._lock:
            self.start()
            if not self._address:
                self._address = self._wait()
            return self._address

    def warm(self, prefix: list[dict[str, str]]) -> None:
        """Have the beginning of all prompts read and saved, unless it was before; `restore` puts it into a slot.

        A prefix that can't be saved costs time and nothing else.

        Raises:
            ModelError: the model can't be loaded.
        """
        try:
            status = self._model.stat()
        except OSError as error:
            raise ModelError(f"The model {self._model} can't be read ({error.strerror}); `dateline model`.") from error
        key = json.dumps([str(self._model), status.st_size, status.st_mtime_ns, self._context_tokens, prefix])
        name = f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.slot"
        if not (self._slots / name).exists():
            request = {"messages": prefix, "max_tokens": 1, "temperature": 0, "id_slot": 0}
            partial = f"{name}.{os.getpid()}"
            try:
                self._post("/v1/chat/completions", request).raise_for_status()
                if self._post("/slots/0?action=save", {"filename": partial}).is_success:
                    for old in self._slots.glob("*.slot"):
                        old.unlink(missing_ok=True)
                    (self._slots / partial).replace(self._slots / name)
            except (httpx.HTTPError, OSError) as error:
                if self._process is not None:  # else it was closed meanwhile: nothing went wrong
                    log.warning("The prompt's prefix could not be prepared: %s", error)
        self._prefix = name

    def restore(self, slot: int) -> None:
        """Put the saved prefix, and nothing else, into a slot's cache.

        What a slot read before decides where the reading of the next prompt begins, that decides how its tokens fall
        into batches, and that an answer's last digits and now and then a word: from the prefix, it is always the same.
        """
        saved = self._slots / self._prefix
        if not self._prefix or not saved.exists():
            return
        try:
            if not self._post(f"/slots/{slot}?action=restore", {"filename": self._prefix}).is_success:
                saved.unlink(missing_ok=True)
        except httpx.HTTPError:
            saved.unlink(missing_ok=True)  # it may be what the child died of

    def _post(self, path: str, request: dict[str, Any]) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.api_key}"}
        with httpx.Client(base_url=self.address, headers=headers, timeout=START_SECONDS, trust_env=False) as client:
            return client.post(path, json=request)

    def slots(self) -> list[dict[str, Any]]:
        """The server's own account of its slots: `id`, `is_processing`, …"""
        headers = {"Authorization": f"Bearer {self.api_key}"}
        answer = httpx.get(f"{self.address}/slots", headers=headers, trust_env=False)
        return list(answer.raise_for_status().json())

    def close(self) -> None:
        """End the child; one that another thread waits for while it loads is killed."""
        if not self._lock.acquire(timeout=0.1):
            if loading := self._process:
                loading.kill()
            self._lock.acquire()
        try:
            process, self._process, self._address = self._process, None, ""
            if process is not None:
                self._end(process)
        finally:
            self._lock.release()

    def _end(self, process: subprocess.Popen[str]) -> None:
        for pipe in (process.stdin, process.stdout):
            if pipe:
                with contextlib.suppress(OSError):  # a dead child's pipe can't be flushed
                    pipe.close()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if self._log:
            self._log.close()
            self._log = None

    def _wait(self) -> str:
        process = self._process
        assert process is not None
        output = process.stdout
        assert output is not None
        # A model that hangs while loading must not hang us: ending the child ends the read below.
        alarm = threading.Timer(START_SECONDS, process.kill)
        alarm.start()
        try:
            line = output.readline()
        finally:
            alarm.cancel()
        answer = json.loads(line) if line.startswith("{") else {}
        if "address" in answer:
            return str(answer["address"])
        process.kill()
        reason = answer.get("error") or self._last_words() or f"it ended with code {process.wait()}"
        self._process = None
        self._end(process)
        raise ModelError(
            f"The model {self._model} can't be loaded: {reason}. It needs about 1.6 GB of free memory; "
            "`dateline doctor` checks the file and the machine."
        )

    def _last_words(self) -> str:
        if not self._log:
            return ""
        self._log.seek(0)
        lines = [line.strip() for line in self._log.read().splitlines() if line.strip()]
        return " / ".join(lines[-3:])[-600:]
