"""A server on the loopback interface that answers each request by a script: well, badly, late or not at all."""

from __future__ import annotations

import http.server
import json
import socket
import threading
from collections.abc import Callable, Iterable
from typing import Any

Answer = Callable[[Any], None]  # gets the handler of one request


class OddServer:
    """`script` answers the chat requests one after the other, its last answer for ever; `pages` the other paths."""

    def __init__(self) -> None:
        self.script: list[Answer] = [stream("Hi")]
        self.pages: dict[str, Any] = {"/v1/models": {"data": [{"id": "fake-model"}, {"id": "other-model"}]}}
        self.requests: list[dict[str, Any]] = []
        self.asked: list[str] = []  # the other paths, with their queries
        self.keys: list[str] = []
        self.hung_up = threading.Event()  # the client went away while we were writing
        self.ending = threading.Event()
        self._server = _Quiet(("127.0.0.1", 0), self._handler())
        self.root = f"http://127.0.0.1:{self._server.server_port}"
        self.url = f"{self.root}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self) -> None:
        self.ending.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(odd) -> type[http.server.BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            server_ending = odd.ending

            def do_GET(self) -> None:
                odd.asked.append(self.path)
                self._page()

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                odd.keys.append(self.headers.get("Authorization", ""))
                path = self.path.partition("?")[0]
                if path != "/v1/chat/completions":
                    odd.asked.append(self.path)
                    self._page()
                    return
                odd.requests.append({"path": self.path, **json.loads(body)})
                answer = odd.script[0] if len(odd.script) == 1 else odd.script.pop(0)
                self.close_connection = True
                try:
                    answer(self)
                except OSError:
                    odd.hung_up.set()

            def _page(self) -> None:
                page = odd.pages.get(self.path.partition("?")[0])
                answer = status(404, {"error": {"message": "File Not Found"}}) if page is None else status(200, page)
                (page if callable(page) else answer)(self)

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


class _Quiet(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is part of the test and not an error to print."""


def status(code: int, body: Any = "", /, **headers: str) -> Answer:
    """A whole answer: JSON, or text (as HTML)."""

    def answer(handler: Any) -> None:
        content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        handler.send_response(code)
        handler.send_header("Content-Type", "text/html" if isinstance(body, str) else "application/json")
        handler.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def error(code: int, message: str, /, **fields: Any) -> Answer:
    """An error as OpenAI sends it; the `headers` among the fields become headers."""
    headers = fields.pop("headers", {})
    return status(code, {"error": {"message": message, **fields}}, **headers)


def hang_up(handler: Any) -> None:
    """No answer at all."""
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def events(*parts: bytes | float | Callable[[], bytes], chunked: bool = True, cut: bool = False) -> Answer:
    """A stream of bytes; a number is a wait in seconds.

    `chunked` false ends it by closing the connection, as HTTP/1.0 does; `cut` ends a chunked one in the middle.
    """

    def answer(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header(*(("Transfer-Encoding", "chunked") if chunked else ("Connection", "close")))
        handler.end_headers()
        for part in parts:
            if isinstance(part, float | int):
                handler.server_ending.wait(part)
                continue
            data = part() if callable(part) else part
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(data), data) if chunked else data)
            handler.wfile.flush()
        if chunked:
            handler.wfile.write(b"ff\r\ndata: {" if cut else b"0\r\n\r\n")

    return answer


def stream(*pieces: str, finish: str | None = "stop", usage: Any = None, done: bool = True) -> Answer:
    """A well-formed answer."""
    parts = [delta(content=piece) for piece in pieces]
    if finish:
        parts.append(event(choices=[{"index": 0, "delta": {}, "finish_reason": finish}]))
    if usage:
        parts.append(event(choices=[], usage=usage))
    return events(*parts, *([DONE] if done else []))


def delta(**fields: Any) -> bytes:
    return event(choices=[{"index": 0, "delta": fields, "finish_reason": None}])


def event(**fields: Any) -> bytes:
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "fake", **fields}
    return b"data: " + json.dumps(chunk, ensure_ascii=False).encode() + b"\n\n"


def endless(piece: bytes, pause: float = 0.01) -> Iterable[bytes | float]:
    """Parts for `events`, in effect without an end."""
    return [piece, pause] * 3000


DONE = b"data: [DONE]\n\n"
