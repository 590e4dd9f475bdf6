"""Pages that the user named: fetched from public addresses, and from nowhere else unless that is allowed."""

from __future__ import annotations

import _socket
import http.server
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from index import fetching
from index.errors import ReadError
from index.fetching import fetch

pytestmark = pytest.mark.loopback

PAGE = b"<html><head><title>The bridge</title></head><body><p>The bridge is open.</p></body></html>"
PUBLIC = "93.184.216.34"
Answer = Callable[[http.server.BaseHTTPRequestHandler], None]


def missing(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.send_error(404)


class Site:
    """A web server on this machine; a test sets what each path answers, and sees who asked for what."""

    def __init__(self) -> None:
        self.pages: dict[str, Answer] = {}
        self.asked: list[tuple[str, str]] = []  # (Host, path)
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append((self.headers["Host"], self.path))
                site.pages.get(self.path, missing)(self)

            def log_message(self, *_: Any) -> None:
                pass

        class Quiet(http.server.ThreadingHTTPServer):
            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that gives up is part of the test."""

        self._server = Quiet(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def page(self, path: str, body: bytes = PAGE, kind: str | None = "text/html; charset=utf-8") -> str:
        def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
            handler.send_response(200)
            if kind is not None:
                handler.send_header("Content-Type", kind)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)

        self.pages[path] = answer
        return self.url + path

    def redirect(self, path: str, to: str, status: int = 302) -> str:
        def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            handler.send_header("Location", to)
            handler.send_header("Content-Length", "0")
            handler.end_headers()

        self.pages[path] = answer
        return self.url + path


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    yield site
    site.close()


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch, site: Site) -> dict[str, list[str]]:
    """Name → addresses, as a test sets them; numbers are looked up as ever. `PUBLIC` leads to the site, and only it."""
    names: dict[str, list[str]] = {}

    def getaddrinfo(host: Any, port: Any, *args: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        found = names.get(name, [name])
        return [
            info
            for address in found
            for info in _socket.getaddrinfo(address, port, 0, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST)
        ]

    connect = socket.create_connection

    def create_connection(address: tuple[str, int], *args: Any, **options: Any) -> socket.socket:
        assert address[0] in (PUBLIC, "127.0.0.1"), f"connected to {address}"
        return connect(("127.0.0.1", site.port), *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(socket, "create_connection", create_connection)
    names["news.test"] = [PUBLIC]
    return names


# What is fetched


def test_a_page_of_this_machine_is_fetched_where_that_is_allowed(site: Site) -> None:
    page = fetch(site.page("/news/bridge.html"), allow_private=True)
    assert (page.url, page.name, page.content) == (f"{site.url}/news/bridge.html", "bridge.html", PAGE)


def test_a_public_page_is_asked_for_by_its_name_at_the_address_that_was_checked(
    site: Site, network: dict[str, list[str]]
) -> None:
    site.page("/news/bridge?id=3")
    page = fetch("http://news.test/news/bridge?id=3#top")
    assert page.content == PAGE
    assert page.name == "bridge.html"
    assert site.asked == [("news.test", "/news/bridge?id=3")]


def test_the_host_is_told_with_its_port_and_without_a_password(site: Site, network: dict[str, list[str]]) -> None:
    site.page("/a")
    fetch(f"http://user:secret@news.test:{site.port}/a")
    assert site.asked == [(f"news.test:{site.port}", "/a")]


def test_names_are_looked_up_once_so_that_they_cannot_change_after_they_were_checked(
    site: Site, network: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    site.page("/a")
    asked: list[str] = []
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **options: Any) -> Any:
        asked.append(host)
        found = real(host, *args, **options)
        if host == "news.test":
            network["news.test"] = ["127.0.0.1"]
        return found

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    assert fetch("http://news.test/a").content == PAGE
    assert asked.count("news.test") == 1


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_no_proxy_is_used(site: Site, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "http://127.0.0.1:9")
    assert fetch(site.page("/a"), allow_private=True).content == PAGE


@pytest.mark.parametrize(
    ("path", "kind", "name"),
    [
        ("/a/b/story.php", "text/html", "story.html"),
        ("/report", "application/pdf", "report.pdf"),
        ("/letter.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "letter.docx"),
        ("/notes", "text/plain; charset=utf-8", "notes.txt"),
        ("/notes", "TEXT/MARKDOWN", "notes.md"),
        ("/", "text/html", "127.0.0.1.html"),
        ("/a/", "text/html", "a.html"),
        ("/none", None, "none.html"),
        ("/%2e%2e%2fetc", "text/html", "2e-2e-2fetc.html"),
        ("/" + "x" * 300, "text/html", "x" * 80 + ".html"),
        ("/..%00", "text/plain", "00.txt"),
    ],
)
def test_a_page_gets_the_name_of_a_file_of_its_kind(site: Site, path: str, kind: str | None, name: str) -> None:
    assert fetch(site.page(path, kind=kind), allow_private=True).name == name


# What is not public


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.1", "2130706433", "017700000001", "0x7f.0.0.1", "0x7f000001", "0", "0.0.0.0",
        "10.0.0.1", "10.1", "172.16.3.4", "192.168.0.1", "3232235521", "169.254.169.254", "2852039166", "100.64.0.1",
        "192.0.2.1", "224.0.0.1", "255.255.255.255", "240.0.0.1",
        "[::1]", "[::]", "[fe80::1]", "[fc00::1]", "[fd12:3456::1]", "[ff02::1]",
        "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::ffff:10.0.0.1]", "[::ffff:169.254.169.254]",
        "[2002:7f00:1::]", "[2002:a00:1::]", "[64:ff9b::7f00:1]", "[64:ff9b::a9fe:a9fe]", "[::127.0.0.1]",
        "[2001:db8::1]", "[fec0::1]",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public_are_refused_however_they_are_spelled(
    site: Site, network: dict[str, list[str]], host: str
) -> None:
    with pytest.raises(ReadError, match=r"not a public address.*--allow-private"):
        fetch(f"http://{host}/secret")
    assert site.asked == []


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["10.0.0.7"], [PUBLIC, "10.0.0.7"], ["::1", PUBLIC]])
def test_a_name_that_leads_to_an_address_that_is_not_public_is_refused(
    site: Site, network: dict[str, list[str]], addresses: list[str]
) -> None:
    network["evil.test"] = addresses
    with pytest.raises(ReadError, match="not a public address"):
        fetch("http://evil.test/secret")
    assert site.asked == []


@pytest.mark.parametrize(
    "to",
    ["http://127.0.0.1/secret", "//127.0.0.1/secret", "http://inside.test/secret", "http://[::ffff:a00:1]/secret",
     "http://2130706433/secret", "https://169.254.169.254/latest/meta-data"],
)  # fmt: skip
def test_a_redirect_from_a_public_page_to_one_that_is_not_is_refused(
    site: Site, network: dict[str, list[str]], to: str
) -> None:
    network["inside.test"] = ["192.168.1.1"]
    site.redirect("/a", to)
    site.page("/secret")
    with pytest.raises(ReadError, match="not a public address"):
        fetch("http://news.test/a")
    assert site.asked == [("news.test", "/a")]


@pytest.mark.parametrize(
    "to", ["file:///etc/passwd", "ftp://news.test/a", "gopher://news.test/", "javascript:alert(1)"]
)
def test_a_redirect_to_another_kind_of_address_is_refused(site: Site, network: dict[str, list[str]], to: str) -> None:
    site.redirect("/a", to)
    with pytest.raises(ReadError, match="http"):
        fetch("http://news.test/a")


# Redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("to", ["/b", "b", "http://news.test/b", "//news.test/b"])
def test_redirects_are_followed_and_the_last_address_is_kept(
    site: Site, network: dict[str, list[str]], status: int, to: str
) -> None:
    site.redirect("/a", to, status)
    site.page("/b")
    page = fetch("http://news.test/a")
    assert (page.url, page.name, page.content) == ("http://news.test/b", "b.html", PAGE)


def test_a_redirect_to_another_name_tells_that_name(site: Site, network: dict[str, list[str]]) -> None:
    network["other.test"] = [PUBLIC]
    site.redirect("/a", "http://other.test/b")
    site.page("/b")
    assert fetch("http://news.test/a").url == "http://other.test/b"
    assert site.asked == [("news.test", "/a"), ("other.test", "/b")]


def test_redirects_in_a_circle_are_given_up(site: Site) -> None:
    site.redirect("/a", "/b")
    site.redirect("/b", "/a")
    with pytest.raises(ReadError, match="more than 5 times"):
        fetch(f"{site.url}/a", allow_private=True)
    assert len(site.asked) == 6


def test_five_redirects_are_followed(site: Site) -> None:
    for n in range(5):
        site.redirect(f"/{n}", f"/{n + 1}")
    assert fetch(site.page("/5").replace("/5", "/0"), allow_private=True).url == f"{site.url}/5"


@pytest.mark.parametrize("to", ["http://[::1", "http://exa mple/\x01", "http://news.test:99999/", "http://", "\x00"])
def test_a_redirect_to_no_address_is_told(site: Site, network: dict[str, list[str]], to: str) -> None:
    site.redirect("/a", to)
    with pytest.raises(ReadError):
        fetch("http://news.test/a")


# What can't be had


@pytest.mark.parametrize("status", [400, 403, 404, 410, 500, 503, 204])
def test_a_page_that_is_not_there_is_told_with_the_answer(site: Site, status: int) -> None:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.end_headers()

    site.pages["/a"] = answer
    with pytest.raises(ReadError, match=rf"/a answered {status}"):
        fetch(f"{site.url}/a", allow_private=True)


@pytest.mark.parametrize("kind", ["image/png", "application/octet-stream", "video/mp4", "application/zip", "nonsense"])
def test_a_page_of_a_kind_that_cannot_be_read_is_told(site: Site, kind: str) -> None:
    with pytest.raises(ReadError, match=f"is {kind}"):
        fetch(site.page("/a", b"\x89PNG", kind), allow_private=True)


def test_a_page_that_is_too_large_is_given_up(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "MAX_BYTES", 2**20)
    assert len(fetch(site.page("/a", b"x" * 2**20, "text/plain"), allow_private=True).content) == 2**20
    with pytest.raises(ReadError, match="more than 1 MiB"):
        fetch(site.page("/b", b"x" * (2**20 + 1), "text/plain"), allow_private=True)


def test_a_page_that_unpacks_to_too_much_is_given_up(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    import gzip

    monkeypatch.setattr(fetching, "MAX_BYTES", 2**20)
    packed = gzip.compress(bytes(50 * 2**20))

    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/plain")
        handler.send_header("Content-Encoding", "gzip")
        handler.send_header("Content-Length", str(len(packed)))
        handler.end_headers()
        handler.wfile.write(packed)

    site.pages["/a"] = answer
    with pytest.raises(ReadError, match="more than 1 MiB"):
        fetch(f"{site.url}/a", allow_private=True)


def test_a_page_that_never_ends_is_given_up(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "SECONDS", 0.5)
    begun = time.monotonic()

    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/html")
        handler.end_headers()
        while time.monotonic() - begun < 10:
            handler.wfile.write(b"<p>more</p>")
            handler.wfile.flush()
            time.sleep(0.02)

    site.pages["/a"] = answer
    with pytest.raises(ReadError, match="took longer"):
        fetch(f"{site.url}/a", allow_private=True)
    assert time.monotonic() - begun < 5


def test_a_server_that_says_nothing_is_given_up(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "_STEP_SECONDS", 0.3)
    over = threading.Event()

    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        over.wait(10)

    site.pages["/a"] = answer
    try:
        with pytest.raises(ReadError, match="can't be fetched"):
            fetch(f"{site.url}/a", allow_private=True)
    finally:
        over.set()


def test_a_server_that_drips_its_headers_is_given_up(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "SECONDS", 0.5)
    begun = time.monotonic()

    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        for n in range(40):
            handler.wfile.write(b"X-%d: y\r\n" % n)
            handler.wfile.flush()
            time.sleep(0.1)
        handler.wfile.write(b"Content-Type: text/html\r\n\r\n")

    site.pages["/a"] = answer
    with pytest.raises(ReadError, match="took longer"):
        fetch(f"{site.url}/a", allow_private=True)
    assert time.monotonic() - begun < 3


def test_a_server_that_breaks_off_is_told(site: Site) -> None:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/html")
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b"<p>half")

    site.pages["/a"] = answer
    with pytest.raises(ReadError, match="can't be fetched"):
        fetch(f"{site.url}/a", allow_private=True)


@pytest.mark.parametrize(
    "url",
    ["news.test/a", "ftp://news.test/a", "file:///etc/passwd", "http://", "http:///a", "http://[::1/a",
     "http://news.test:port/a", "http://news.test:99999/a", "https:", "", "http://" + "a" * 300 + ".test/"],
)  # fmt: skip
def test_what_is_no_address_of_a_page_is_told(site: Site, network: dict[str, list[str]], url: str) -> None:
    with pytest.raises(ReadError):
        fetch(url)
    assert site.asked == []


def test_a_name_that_nobody_knows_is_told(site: Site, network: dict[str, list[str]]) -> None:
    with pytest.raises(ReadError, match=r"nobody\.test can't be found"):
        fetch("http://nobody.test/a")


def test_a_port_that_nobody_listens_at_is_told() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ReadError, match="can't be fetched"):
        fetch(f"http://127.0.0.1:{port}/a", allow_private=True)


def test_a_path_with_spaces_and_letters_of_all_kinds_is_fetched(site: Site, network: dict[str, list[str]]) -> None:
    site.page("/br%C3%BCcke%20neu")
    assert fetch("http://news.test/brücke neu").content == PAGE


def test_a_name_of_other_letters_is_told_as_servers_know_it(site: Site, network: dict[str, list[str]]) -> None:
    network["bücher.test"] = network["xn--bcher-kva.test"] = [PUBLIC]
    site.page("/a")
    assert fetch("http://bücher.test/a").content == PAGE
    assert site.asked == [("xn--bcher-kva.test", "/a")]
