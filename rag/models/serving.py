"""Starts a `llama-server` that was built here, with the parameters that rag/models/child.py gives the wheel.

Knows the program's options and how to tell that it serves. Knows nothing about how it was built or whether it is to be
trusted (rag/models/native.py). Standard library only: the child process imports it before anything else.
"""

from __future__ import annotations

import contextlib
import ctypes
import http.client
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from index.errors import ModelError

# Tokens that are read in one go. Between two of them the server notices that nobody waits any more: two seconds at most
# on two cores. With 512 reading is .02 to .05 faster, and a stopped question is read to its end.
BATCH_TOKENS = 64
# OpenMP's threads spin at every barrier. By default so long that one busy neighbour on two cores makes writing ten
# times slower; measured with 3,000: as fast as before on a quiet machine, a third as fast beside a busy process.
SPIN_COUNT = "3000"
START_SECONDS = 120.0
_POLL_SECONDS = 0.02
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_LISTENING = "0A"  # TCP_LISTEN in /proc/PID/net/tcp
_LOOPBACK = "0100007F"  # 127.0.0.1 there, on a little-endian machine

# llama.cpp reads an option that is not given from LLAMA_ARG_…, and a cloud's AIP_… decide the port. Whoever has such
# variables in the environment means another server.
_FOREIGN = ("LLAMA_", "AIP_")


def serve(
    binary: Path, request: Mapping[str, Any], environment: Mapping[str, str] | None = None
) -> tuple[subprocess.Popen[bytes], str]:
    """Start the server, wait until it has loaded the model, and return the process and its base address.

    The server ends when the calling process does, in whatever way. Call it from the main thread: the kernel ties the
    server to the *thread* that started it, and only the main thread lives as long as its process.

    Args:
        request: what rag/models/child.py reads: `model`, `alias`, `parallel`, `context_tokens` (for each of the
            parallel slots), `threads`, `api_key`; `batch`, if given, is how many tokens are read at once.
        environment: defaults for variables that ours may set, such as GOMP_SPINCOUNT.

    Raises:
        ModelError: it can't be started, ends, or does not serve within two minutes. Nothing is left running then.
        RuntimeError: called from another thread than the main one.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("serve() must be called from the main thread; the server would end with any other")
    with tempfile.TemporaryFile() as log:
        try:
            # No standard input or output of ours: over them the child talks with its own parent.
            process = subprocess.Popen(
                [str(binary), *_options(request)], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**(environment or {}), **_environment(str(request["api_key"]))}, preexec_fn=die_with_parent(),
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError) as error:
            raise ModelError(f"{binary} can't be started: {error}.") from error
        try:
            return process, _wait(process, binary, log)
        except BaseException:
            process.kill()
            process.wait()
            raise


def die_with_parent(with_signal: signal.Signals = signal.SIGKILL) -> Callable[[], None]:
    """A `preexec_fn`: the kernel sends the new process `with_signal` once the thread that starts it has ended."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl  # looked up here: between fork and exec as little as possible
    parent = os.getpid()

    def ask() -> None:
        if prctl(_PR_SET_PDEATHSIG, int(with_signal), 0, 0, 0) != 0 or os.getppid() != parent:
            os._exit(1)  # the parent died before it could be tied to it

    return ask


def _options(request: Mapping[str, Any]) -> list[str]:
    options = {
        "--model": request["model"],
        "--alias": request["alias"],
        "--parallel": request["parallel"],
        "--ctx-size": request["parallel"] * request["context_tokens"],
        "--threads": request["threads"],
        "--threads-batch": request["threads"],
        "--host": "127.0.0.1",
        "--port": 0,  # a free one, which the system chooses
        "--cors-origins": "",
        "--cache-ram": 0,  # as in rag/models/child.py
        "--log-verbosity": 1,  # errors
    }
    if batch := request.get("batch"):
        options |= {"--batch-size": batch, "--ubatch-size": batch}
    return [
        "--offline", "--no-ui", "--no-cors-credentials", "--slots",
        *(str(part) for option in options.items() for part in option),
    ]  # fmt: skip


def _environment(api_key: str) -> dict[str, str]:
    """Ours without what is meant for another llama.cpp; the key goes here since every user can read a command line."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)} | {
        "LLAMA_API_KEY": api_key
    }


def _wait(process: subprocess.Popen[bytes], binary: Path, log: IO[bytes]) -> str:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if (code := process.poll()) is not None:
            raise ModelError(f"{binary} ended with code {code} while it started: {_last_words(log)}.")
        port = _port(process.pid)
        if port and _is_healthy(port):
            return f"http://127.0.0.1:{port}"
        time.sleep(_POLL_SECONDS)
    raise ModelError(f"{binary} did not serve within {START_SECONDS:.0f} seconds: {_last_words(log)}.")


def _port(pid: int) -> int | None:
    """The port that the process itself listens on: no other process can pass for it, whatever port it holds."""
    sockets = set()
    with contextlib.suppress(OSError):  # it may end meanwhile
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                sockets.add(str(descriptor.readlink()))
        for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]:
            _, local, _, state, *_ = fields = line.split()
            address, port = local.split(":")
            if state == _LISTENING and address == _LOOPBACK and f"socket:[{fields[9]}]" in sockets:
                return int(port, 16)
    return None


def _is_healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200  # 503 while the model loads
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _last_words(log: IO[bytes]) -> str:
    log.seek(0)
    lines = [line.strip() for line in log.read().decode(errors="replace").splitlines() if line.strip()]
    return " / ".join(lines[-3:])[-600:] or "it said nothing"
