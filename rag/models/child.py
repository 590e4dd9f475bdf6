"""The child process that runs llama.cpp for all Dateline processes of one user. An abort inside the library ends this
process and no other.

Protocol: whoever starts it writes one JSON line (model, key, sizes, folder) to standard input and hands over a lock
that stands for its life; this process writes its address and process id, or an error, to `state.json` in that folder.
Everyone who uses it holds a share of `users.lock`, which the kernel takes back however a process ends: when the last
share is gone, this process ends too, so no server is ever left behind.

It is two processes: one that waits, and one that computes and dies with the first. The library holds Python's lock
while it loads a model, so nothing in its own process could end it then.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from index.errors import ModelError
from rag.models.serving import die_with_parent, serve


def main() -> None:
    request = json.loads(sys.stdin.readline())
    folder = Path(request["folder"])
    if os.fork():  # nobody's child: it may outlive whoever started it
        os._exit(0)
    tie = die_with_parent()
    computing = os.fork()
    if computing == 0:
        tie()
        _compute(request, folder)
        os._exit(1)
    threading.Thread(target=_end_with_the_last_user, args=(folder, computing), daemon=True).start()
    os.waitpid(computing, 0)
    os._exit(0)  # last: who comes now finds all locks free


def _compute(request: dict[str, Any], folder: Path) -> None:
    if request["native"] and (built := _native(request)):
        process, address = built
        _tell(folder, {"address": address, "pid": process.pid})
        process.wait()
        return
    try:
        server = _xllamacpp(request)
    except Exception as error:
        _tell(folder, {"error": str(error) or type(error).__name__})
        return
    _tell(folder, {"address": server.listening_address, "pid": os.getpid()})
    threading.Event().wait()


def _native(request: dict[str, Any]) -> tuple[subprocess.Popen[bytes], str] | None:
    """The server that was built here; one that does not start is not tried again."""
    from rag.models import native

    try:
        return serve(Path(request["native"]), request)
    except ModelError as error:
        native.distrust(Path(request["cache"]), str(error))
        return None


def _xllamacpp(request: dict[str, Any]) -> Any:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = request["model"]
    params.model_alias = {request["alias"]}
    params.n_parallel = request["parallel"]
    params.n_ctx = request["parallel"] * request["context_tokens"]
    params.n_batch = params.n_ubatch = request["batch"]
    params.cpuparams.n_threads = request["threads"]
    params.cpuparams_batch.n_threads = request["threads"]
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [request["api_key"]]
    params.cors_origins = ""
    params.ui = False
    params.endpoint_slots = True
    params.cache_ram_mib = 0  # copies of old prompts cost memory, and what is read anew is read from the beginning
    params.verbosity = 0
    return xllamacpp.Server(params)


def _end_with_the_last_user(folder: Path, computing: int) -> None:
    """Kill the process that computes; the library's own shutdown would wait for open streams."""
    with (folder / "users.lock").open("rb") as users:
        fcntl.flock(users, fcntl.LOCK_EX)
        os.kill(computing, signal.SIGKILL)
        threading.Event().wait()  # held to the end, which `main` makes


def _tell(folder: Path, state: dict[str, Any]) -> None:
    partial = folder / "state.json.new"
    partial.write_text(json.dumps(state), encoding="utf-8")
    partial.replace(folder / "state.json")


if __name__ == "__main__":
    main()
