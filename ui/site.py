"""The site around the chat page: where it listens, what it lets through, and the headers that keep a browser safe."""

from __future__ import annotations

import contextlib
import errno
import socket
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from re import DOTALL
from re import compile as pattern

import click
import gradio as gr
import uvicorn
from fastapi import FastAPI
from fastapi.responses import FileResponse, PlainTextResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from index.errors import ConfigError
from rag.assistant import Assistant
from ui.web import build_page

_HERE = Path(__file__).parent

# Gradio needs 'unsafe-eval': its HTML component compiles templates and js_on_load in the browser.
# Without 'unsafe-inline' for scripts, markup that slipped through escaping still could not run.
_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-eval'{hashes}; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; "
    "base-uri 'self'; form-action 'none'; frame-ancestors 'none'"
)
_INLINE_SCRIPT = pattern(r"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", DOTALL)
_SHARING_META = pattern(r"\s*<meta\s+(?:property=\"og:|name=\"twitter:)[^>]*>")
_HEAD_END = "</head>"
_STYLESHEET = '<link rel="stylesheet" href="./dateline.css" />'
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
_HOST_PORT = pattern(r":[0-9]+\Z")


class Guard:
    """Adds the security headers to every response, and prepares the index page for them."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str] | None) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if not self._knows(Headers(scope=scope).get("host", "")):
            await PlainTextResponse("Unknown host.", 421)(scope, receive, send)
            return
        if scope["path"] == "/" and scope["method"] == "GET":
            # Uncompressed, because the page is rewritten on its way out.
            plain = [pair for pair in scope["headers"] if pair[0] != b"accept-encoding"]
            await self._app({**scope, "headers": plain}, receive, _IndexPage(send))
            return
        await self._app(scope, receive, _with_headers(send))

    def _knows(self, host: str) -> bool:
        # A page elsewhere can point its own name at 127.0.0.1 and read this one as its own;
        # only the Host header gives that away.
        return self._hosts is None or _HOST_PORT.sub("", host) in self._hosts


class _IndexPage:
    """Holds back the index page until it is whole, then sends it with its own script hashes."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message = {}
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        self._body += message.get("body", b"")
        if message.get("more_body"):
            return
        page = _index(self._body.decode("utf-8"))
        body = page.encode("utf-8")
        headers = MutableHeaders(scope=self._start)
        headers["Content-Length"] = str(len(body))
        _secure(headers, _script_hashes(page))
        await self._send(self._start)
        await self._send({"type": "http.response.body", "body": body})


def _index(page: str) -> str:
    """Gradio's page without its own sharing tags, with our stylesheet.

    The stylesheet is linked here and not passed as css=: Gradio rewrites that one rule by rule,
    splitting selectors at every comma and dropping what it does not know.
    """
    return _SHARING_META.sub("", page).replace(_HEAD_END, _STYLESHEET + _HEAD_END, 1)


def _script_hashes(page: str) -> str:
    digests = (sha256(script.encode()).digest() for script in _INLINE_SCRIPT.findall(page))
    return "".join(f" 'sha256-{b64encode(digest).decode()}'" for digest in digests)


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            _secure(MutableHeaders(scope=message), "")
        await send(message)

    return sending


def _secure(headers: MutableHeaders, hashes: str) -> None:
    headers["Content-Security-Policy"] = _POLICY.format(hashes=hashes)
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "no-referrer"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"


def build_app(assistant: Assistant, *, hosts: frozenset[str] | None = None) -> FastAPI:
    """The whole site: the page, its stylesheet and the headers; hosts=None accepts any Host."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/dateline.css")
    def stylesheet() -> FileResponse:
        return FileResponse(_HERE / "page.css", media_type="text/css")

    gr.mount_gradio_app(
        app,
        build_page(assistant),
        path="/",
        app_kwargs={"openapi_url": None},
        theme=_theme(),
        footer_links=[],
        # Otherwise the browser keeps every question and answer in a store of its own.
        run_history=False,
        show_error=False,
        max_file_size="1kb",
        enable_monitoring=False,
        mcp_server=False,
        ssr_mode=False,
        pwa=False,
    )
    app.add_middleware(Guard, hosts=hosts)
    return app


def _theme() -> gr.themes.Base:
    # Plain font names: the default theme brings its own files, others fetch Google's.
    return gr.themes.Base(font=["Georgia", "serif"], font_mono=["ui-monospace", "monospace"], neutral_hue="stone")


class _Announcing(uvicorn.Server):
    """Says where it listens, once it does."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listening in sockets or []:
            click.echo(f"Dateline is at {_address(listening)} (Ctrl-C stops it)")


def serve(assistant: Assistant, listening: socket.socket) -> None:
    """Serve the page on a socket from `listen` until Ctrl-C."""
    server = _Announcing(server_config(assistant, listening.getsockname()[0]))
    # uvicorn shuts down in good order and then raises the signal again.
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[listening])


def server_config(assistant: Assistant, host: str) -> uvicorn.Config:
    """How the site is run; a tab keeps its stream open, so stopping does not wait long for one."""
    hosts = _LOOPBACK if host in _LOOPBACK | {"::1"} else None
    return uvicorn.Config(
        build_app(assistant, hosts=hosts),
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=1,
    )


def listen(host: str, port: int) -> socket.socket:
    """A bound socket, taken before anything is built, so that a taken port is said at once.

    Raises:
        ConfigError: the port is in use, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise _unavailable(error, host, port) from error
    return listening


def _unavailable(error: OSError, host: str, port: int) -> ConfigError:
    if error.errno == errno.EADDRINUSE:
        return ConfigError(
            f"Port {port} is in use. Choose another: `dateline ui --port {port + 1}`, `make run PORT={port + 1}`."
        )
    return ConfigError(f"Can't listen on {host}:{port}: {error.strerror}. Check --host and --port.")


def _address(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
