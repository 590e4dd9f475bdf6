"""How a program is started and ended, with small programs in llama-server's place; the real one: test_native.py."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from index.errors import ModelError
from rag.models import serving
from rag.models.serving import serve

Program = Callable[[str], Path]

# Serves /health like llama-server: on a port of the system's choice, 503 at first. Everything else tells what it got.
SERVER = """
import http.server, json, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    asked = 0
    def do_GET(self):
        Handler.asked += 1
        self.send_response(503 if Handler.asked < 3 else 200)
        self.end_headers()
        self.wfile.write(json.dumps({"argv": sys.argv[1:], "environ": dict(os.environ)}).encode())
    def log_message(self, *_): pass
http.server.HTTPServer(("127.0.0.1", 0), Handler).serve_forever()
"""


@pytest.fixture
def program(tmp_path: Path) -> Program:
    def program(text: str) -> Path:
        path = tmp_path / "llama-server"
        path.write_text(f"#!{sys.executable}\n{textwrap.dedent(text)}")
        path.chmod(0o755)
        return path

    return program


@pytest.fixture
def request_(tmp_path: Path) -> dict[str, Any]:
    return {
        "model": "/models/m.gguf", "alias": "m", "context_tokens": 512, "threads": 2, "api_key": "secret",
        "parallel": 3,
    }  # fmt: skip


@contextlib.contextmanager
def running(binary: Path, request: dict[str, Any]) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    process, address = serve(binary, request)
    try:
        yield process, address
    finally:
        process.kill()
        process.wait()


def is_gone(pid: int) -> bool:
    """Ended; a process whose parent has gone is waited for by another."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    return True


@pytest.mark.loopback
def test_it_is_waited_for_and_gets_the_parameters(program: Program, request_: dict[str, Any]) -> None:
    with running(program(SERVER), request_) as (_, address):
        argv = httpx.get(address).json()["argv"]
    given = dict(itertools.pairwise(argv))
    assert given["--model"] == "/models/m.gguf"
    assert given["--ctx-size"] == "1536"
    assert given["--port"] == "0"
    assert given["--cors-origins"] == ""
    assert {"--no-ui", "--slots", "--offline"} <= set(argv)
    assert "--batch-size" not in argv


@pytest.mark.loopback
def test_a_batch_is_read_at_once(program: Program, request_: dict[str, Any]) -> None:
    with running(program(SERVER), {**request_, "batch": 256}) as (_, address):
        argv = httpx.get(address).json()["argv"]
    given = dict(itertools.pairwise(argv))
    assert given["--batch-size"] == given["--ubatch-size"] == "256"


@pytest.mark.loopback
def test_the_key_is_not_on_the_command_line_and_foreign_variables_are_left_out(
    program: Program, request_: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMA_ARG_MODEL", "/other.gguf")
    monkeypatch.setenv("AIP_MODE", "PREDICTION")
    monkeypatch.setenv("LLAMA_API_KEY", "another")
    with running(program(SERVER), request_) as (_, address):
        told = httpx.get(address).json()
    assert "secret" not in " ".join(told["argv"])
    assert told["environ"]["LLAMA_API_KEY"] == "secret"
    assert not {"LLAMA_ARG_MODEL", "AIP_MODE"} & set(told["environ"])


@pytest.mark.loopback
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_when_its_parent_is_killed(program: Program, request_: dict[str, Any], end: signal.Signals) -> None:
    binary = program(SERVER)
    code = (
        "import json, sys, pathlib; from rag.models.serving import serve\n"
        f"process, _ = serve(pathlib.Path({str(binary)!r}), json.loads({json.dumps(request_)!r}))\n"
        "print(process.pid, flush=True); sys.stdin.read()"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert parent.stdout and parent.stdin
    pid = int(parent.stdout.readline())
    assert not is_gone(pid)
    parent.send_signal(end)
    parent.wait()
    parent.stdin.close()
    parent.stdout.close()
    deadline = time.monotonic() + 10
    while not is_gone(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert is_gone(pid)


def test_one_that_ends_is_an_error_with_its_last_words(program: Program, request_: dict[str, Any]) -> None:
    binary = program("import sys; print('loading'); sys.exit('Illegal instruction')")
    with pytest.raises(ModelError, match=r"llama-server ended with code 1 while it started: .*Illegal instruction"):
        serve(binary, request_)


def test_one_that_never_serves_is_ended(
    program: Program, request_: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "START_SECONDS", 1.0)
    binary = program(f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(60)")
    with pytest.raises(ModelError, match="did not serve within 1 seconds"):
        serve(binary, request_)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


@pytest.mark.parametrize("content", [None, b"\x7fELF no program"])
def test_one_that_cannot_be_started_is_named(tmp_path: Path, request_: dict[str, Any], content: bytes | None) -> None:
    path = tmp_path / "llama-server"
    if content is not None:
        path.write_bytes(content)
        path.chmod(0o755)
    with pytest.raises(ModelError, match=r"llama-server can't be started"):
        serve(path, request_)


def test_only_the_main_thread_may_start_one(program: Program, request_: dict[str, Any]) -> None:
    errors: list[Exception] = []

    def start() -> None:
        try:
            serve(program(SERVER), request_)
        except RuntimeError as error:
            errors.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert len(errors) == 1
