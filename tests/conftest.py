"""What every test stands on: a home of its own, closed sockets, and one embedder for the whole run."""

from __future__ import annotations

import contextlib
import http.server
import ipaddress
import itertools
import json
import os
import shutil
import socket
import sqlite3
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from playwright.sync_api import Browser, sync_playwright

import prompts
from index.article import Article, Chunk, Pieces, Span
from index.embedding import Embedded, Embedder
from index.ingest import Outcome, Summary
from index.search import Index
from index.settings import Settings, load_settings

MakeIndex = Callable[[], Index]
Run = Callable[..., "Ran"]
_CHECK = prompts.render("check", evidence="", question="", asked="", sentence="")[-1].content.splitlines()[-1]
FINGERPRINT = "made-up"
DIMENSION = 16


# Two articles that have nothing to do with each other.
FIRST = "The harbour of Gwadar was opened in 2007. Its cranes came from China."
SECOND = "The railway to Quetta was closed for repairs. Passengers took the bus."

_REAL = frozenset({"browser", "llama"})  # fixtures that start a browser or the LLM


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What starts a browser or the LLM is `slow`: `make test-fast` leaves it out."""
    for item in items:
        if _REAL & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)


class SocketClosed(AssertionError):
    """A test reached for the network. Not an OSError, so no code under test can take it for a network that is down."""


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the home, the settings or the model of whoever runs it; subprocesses inherit that."""
    for name in list(os.environ):
        if name.startswith("DATELINE_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    for name, folder in (("DATELINE_HOME", "home"), ("DATELINE_CACHE", "cache"), ("HOME", "user")):
        monkeypatch.setenv(name, str(tmp_path / folder))
    (tmp_path / "user").mkdir()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(autouse=True)
def _closed_sockets(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a test marked `loopback` may connect, and only to this machine; Unix sockets stay open."""
    open_to_loopback = request.node.get_closest_marker("loopback") is not None

    def check(host: Any) -> None:
        if not (open_to_loopback and _is_loopback(host)):
            raise SocketClosed(f"the test reached for {host!r}; mark it `loopback` if that is this machine")

    def guarded(name: str) -> Callable[..., Any]:
        real = getattr(socket.socket, name)

        def call(self: socket.socket, *args: Any) -> Any:
            if self.family != socket.AF_UNIX:
                check(args[-1][0])  # the address is the last argument of all three
            return real(self, *args)

        return call

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, guarded(name))
    look_up = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        check(host)
        return look_up(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def _is_loopback(host: Any) -> bool:
    name = host.decode() if isinstance(host, bytes) else str(host)
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


@pytest.fixture(scope="session")
def embedder() -> Embedder:
    """The real one, loaded once."""
    embedder = Embedder()
    embedder.query("warm")
    return embedder


@pytest.fixture
def settings() -> Settings:
    return load_settings()


@pytest.fixture
def shared_embedder(embedder: Embedder, monkeypatch: pytest.MonkeyPatch) -> Embedder:
    """Everything that makes an embedder by the bundled name gets the one that is loaded already."""
    for place in ("index.search.Embedder", "ui.doctor.Embedder"):
        monkeypatch.setattr(place, lambda name: embedder if name == embedder.name else Embedder(name))
    return embedder


@pytest.fixture
def make_index(shared_embedder: Embedder, settings: Settings) -> Iterator[MakeIndex]:
    """Opens the test's corpus, any number of times; what a test leaves open is closed after it."""
    opened: list[Index] = []

    def make() -> Index:
        opened.append(Index.open(settings))
        return opened[-1]

    yield make
    for index in opened:
        index.close()


@pytest.fixture
def corpus(make_index: MakeIndex) -> Index:
    return make_index()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder for articles."""
    path = tmp_path / "articles"
    path.mkdir()
    return path


@pytest.fixture
def write(folder: Path) -> Callable[..., Path]:
    """Writes a file of articles: text, bytes, or rows (as JSONL)."""

    def write(name: str, content: str | bytes | list[Mapping[str, Any]]) -> Path:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, list):
            content = "".join(json.dumps(row) + "\n" for row in content)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.fixture
def add(corpus: Index) -> Callable[..., tuple[dict[str, Outcome], Summary]]:
    """Adds paths to `corpus`; gives the outcomes by file name (with the line, of a row) and the summary."""

    def add(*paths: Path, **options: Any) -> tuple[dict[str, Outcome], Summary]:
        outcomes: list[Outcome] = []
        summary = corpus.add(list(paths), report=outcomes.append, **options)
        return {Path(outcome.origin).name: outcome for outcome in outcomes}, summary

    return add


class Ran(NamedTuple):
    """What a command left: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def message(self) -> str:
        """The one message of a failed command."""
        assert self.code == 1, self
        assert "Traceback" not in self.err
        assert self.err.startswith("dateline: "), self.err
        assert self.err.count("dateline: ") == 1
        return self.err.removeprefix("dateline: ").strip()


@pytest.fixture
def dateline(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command in this process, as the installed script does."""
    from ui import cli

    def run(*arguments: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["dateline", *map(str, arguments)])
        capsys.readouterr()
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1 if end.code else 0
        return Ran(code, *capsys.readouterr())

    return run


class _QuietServer(http.server.ThreadingHTTPServer):
    """A client that hangs up is part of the test and not an error to print."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing."""


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A megabyte is free."""

    class Usage(NamedTuple):
        total: int = 10**9
        used: int = 10**9
        free: int = 10**6

    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage())


class Endpoint:
    """A tiny server that speaks as much of OpenAI's protocol as Dateline uses; a test sets what it answers."""

    def __init__(self) -> None:
        self.pieces: list[str] = ["The harbour", " opened in 2007", " [1]."]
        self.judge: Callable[[str], str] = lambda asked: "yes"  # what a judge of a sentence is asked → yes, part or no
        self.verdicts = 0  # how often it was asked as a judge of a sentence
        self.endless = False  # writes the last piece for ever
        self.status = 200
        self.raw: bytes | None = None  # sent as the stream instead of `pieces`
        self.broken = False  # ends without saying that it is done, in the middle of a chunk
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.hung_up = threading.Event()  # the client went away while we were writing
        self._server = _QuietServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def events(self, verdict: str = "") -> Iterator[bytes]:
        if self.raw is not None:
            yield self.raw
            return
        pieces: Iterable[str] = itertools.chain(self.pieces, itertools.repeat("on ")) if self.endless else self.pieces
        pieces = [verdict] if verdict else pieces
        for piece in pieces:
            yield _event(
                choices=[{"index": 0, "delta": {"role": "assistant", "content": piece}, "finish_reason": None}]
            )
            if self.endless:
                time.sleep(0.01)
        usage = {
            "prompt_tokens": 90,
            "completion_tokens": 7,
            "total_tokens": 97,
            "prompt_tokens_details": {"cached_tokens": 40},
        }
        yield _event(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])
        yield _event(choices=[], usage=usage)
        yield b"data: [DONE]\n\n"

    def serves(self, path: str, body: dict[str, Any]) -> bool:
        """It has no tokenizer to ask, and nothing to say to a request without messages, unless it is on fire."""
        return path.endswith("/chat/completions") and ("messages" in body or self.status != 200)

    def received(self, body: dict[str, Any]) -> str:
        """The verdict that a request asks for; one that asks for none is kept among `requests`."""
        *_, last = body.get("messages") or [{"content": ""}]
        if not last["content"].endswith(_CHECK):
            self.requests.append(body)
            return ""
        self.verdicts += 1
        return self.judge(last["content"])

    def _handler(endpoint) -> type[http.server.BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._json({"object": "list", "data": []})

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if not endpoint.serves(self.path, body):
                    self.send_error(400)
                    return
                verdict = endpoint.received(body)
                endpoint.keys.append(self.headers.get("Authorization", ""))
                if endpoint.status != 200:
                    self._json({"error": {"message": "the model is on fire", "type": "server_error"}})
                    return
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                try:
                    for event in endpoint.events(verdict):
                        self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
                        self.wfile.flush()
                    if endpoint.broken:
                        self.wfile.write(b"ff\r\ndata: {")
                        self.close_connection = True
                    else:
                        self.wfile.write(b"0\r\n\r\n")
                except OSError:
                    endpoint.hung_up.set()
                    self.close_connection = True

            def _json(self, value: Any) -> None:
                body = json.dumps(value).encode()
                self.send_response(endpoint.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


def _event(**fields: Any) -> bytes:
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "fake", **fields}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    """The fake endpoint, and settings that name it. The test needs the marker `loopback`."""
    endpoint = Endpoint()
    monkeypatch.setenv("DATELINE_LLM_ENDPOINT", endpoint.url)
    monkeypatch.setenv("DATELINE_MODEL", "fake-model")
    monkeypatch.setenv("DATELINE_LLM_API_KEY", "secret-key")
    yield endpoint
    endpoint.endless = False
    endpoint.close()


@pytest.fixture
def made() -> Callable[..., Embedded]:
    """Makes an article with one chunk a sentence and random unit vectors, for tests that need no meaning."""

    def made(article_id: str, *sentences: str, **fields: str) -> Embedded:
        spans, text = [], ""
        for sentence in sentences:
            spans.append(Span(len(text), len(text) + len(sentence)))
            text += sentence + "\n"
        chunks = tuple(Chunk(span.start, span.end, n, n) for n, span in enumerate(spans))
        article = Article(article_id, fields.pop("title", "T"), text, origin=f"/{article_id}.txt", **fields)
        vectors = (
            np.random.default_rng(zlib.crc32(f"{article_id} {text}".encode()))
            .normal(size=(len(spans), DIMENSION))
            .astype(np.float32)
        )
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return Embedded(Pieces(article, tuple(spans), chunks), vectors, vectors)

    return made


@pytest.fixture
def check_whole() -> Callable[[Path], None]:
    """Everything that must hold for a ledger at any moment, read past our own code."""
    return _check_whole


def _check_whole(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        chunks = database.execute("SELECT key FROM chunks ORDER BY key").fetchall()
        assert database.execute("SELECT rowid FROM lexical ORDER BY rowid").fetchall() == chunks
        for key, article_id, text in database.execute("SELECT key, id, text FROM articles").fetchall():
            sentences = database.execute(
                'SELECT position, start, "end" FROM sentences WHERE article = ? ORDER BY position', (key,)
            ).fetchall()
            assert [position for position, _, _ in sentences] == list(range(len(sentences))), article_id
            assert all(0 <= start < end <= len(text) for _, start, end in sentences), article_id
            parts = database.execute(
                "SELECT first, last FROM chunks WHERE article = ? ORDER BY first", (key,)
            ).fetchall()
            assert [n for first, last in parts for n in range(first, last + 1)] == list(range(len(sentences))), (
                article_id
            )


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; Playwright never downloads one."""
    chromium = shutil.which("chromium")
    assert chromium, "the browser tests need Chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()
