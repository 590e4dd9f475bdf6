"""The bytes of a web page that the user named. Only public addresses, checked after names are looked up and at every
redirect, so that no link can make Dateline knock at a door within the user's own network."""

from __future__ import annotations

import ipaddress
import re
import socket
import threading
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit, urlunsplit

import httpx

from index.errors import ReadError

MAX_BYTES = 32 * 2**20
MAX_REDIRECTS = 5
SECONDS = 60.0  # for all of it
_STEP_SECONDS = 15.0  # for a connection, or between two blocks
_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")  # NAT64
_NOT_PUBLIC = (ipaddress.IPv6Network("::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
_SUFFIXES = {
    "text/html": ".html",
    "application/xhtml+xml": ".xhtml",
    "text/plain": ".txt",
    "text/markdown": ".md",
    "application/pdf": ".pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
}


@dataclass(frozen=True, slots=True)
class Fetched:
    """A page's bytes, the address it was found at after redirects, and a name for a file of its kind."""

    url: str
    name: str
    content: bytes


def fetch(url: str, *, allow_private: bool = False) -> Fetched:
    """One page.

    Args:
        allow_private: also from addresses within this network or on this machine.

    Raises:
        ReadError: it can't be had, is too large or too slow, of a kind that can't be read, or not public.
    """
    # No proxy: it would look names up itself, after they were checked here.
    client = httpx.Client(trust_env=False, follow_redirects=False, timeout=_STEP_SECONDS)
    found: list[Fetched | ReadError] = []

    def work() -> None:
        try:
            found.append(_followed(client, url, allow_private))
        except ReadError as error:
            found.append(error)
        except Exception as error:  # what a server sends may break anything
            found.append(ReadError(f"{url} can't be fetched: {error or type(error).__name__}."))

    # In a thread, because httpx limits each step and not the whole: a server that drips would hold it for ever.
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(SECONDS)
    client.close()
    if not found:
        raise ReadError(f"{url} took longer than {SECONDS:.0f} s and was given up.")
    if isinstance(found[0], ReadError):
        raise found[0]
    return found[0]


def _followed(client: httpx.Client, asked: str, allow_private: bool) -> Fetched:
    """The page behind all redirects."""
    url = asked
    for _ in range(MAX_REDIRECTS + 1):
        host, address = _checked(url, allow_private)
        with client.stream(
            "GET", _at(url, address), headers={"Host": _host(url, host), "User-Agent": "Dateline"},
            extensions={"sni_hostname": host},
        ) as response:  # fmt: skip
            if response.is_redirect:
                url = urljoin(url, response.headers.get("location", ""))
                continue
            if response.status_code != httpx.codes.OK:
                raise ReadError(f"{asked} answered {response.status_code} {response.reason_phrase}.")
            return Fetched(url, _name(url, response), _body(response, asked))
    raise ReadError(f"{asked} leads from one address to another more than {MAX_REDIRECTS} times.")


def _checked(url: str, allow_private: bool) -> tuple[str, str]:
    """The name of the host as it is looked up (IDNA), and the address to connect to."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise ReadError(f"{url} is no address of a page: {error}.") from error
    if parts.scheme not in ("http", "https") or not host:
        raise ReadError(f"{url} is no address of a page; it begins with http:// or https://.")
    try:
        host = httpx.URL(url).raw_host.decode("ascii")
        found = {str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError, httpx.InvalidURL) as error:
        raise ReadError(f"{host} can't be found: {error}. Check the address and the network.") from error
    private = [address for address in sorted(found) if not _is_public(address)]
    if private and not allow_private:
        raise ReadError(
            f"{url} leads to {private[0]}, which is not a public address, and was not fetched. "
            "--allow-private fetches from this network too."
        )
    return host, min(found, key=lambda address: (":" in address, address))


def _is_public(address: str) -> bool:
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.is_site_local or any(ip in network for network in _NOT_PUBLIC):
            return False
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in _TRANSLATED:  # the last 32 bits are the address that is reached
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            ip = inner
    return ip.is_global and not ip.is_multicast


def _at(url: str, address: str) -> str:
    """The URL with the checked address in place of the name, so that it is not looked up a second time."""
    parts = urlsplit(url)
    host = f"[{address}]" if ":" in address else address
    return urlunsplit(parts._replace(netloc=f"{host}:{parts.port}" if parts.port else host, fragment=""))


def _host(url: str, host: str) -> str:
    port = urlsplit(url).port
    return f"{host}:{port}" if port else host


def _name(url: str, response: httpx.Response) -> str:
    kind = response.headers.get("content-type", "text/html").partition(";")[0].strip().lower()
    if kind not in _SUFFIXES:
        raise ReadError(f"{url} is {kind}, which can't be read; save the article as a file and add that.")
    parts = urlsplit(url)
    last = re.sub(r"\.\w{1,5}$", "", parts.path.rstrip("/").rpartition("/")[2])
    stem = re.sub(r"[^\w.-]+", "-", last or parts.hostname or "page").strip("-.")[:80] or "page"
    return stem + _SUFFIXES[kind]


def _body(response: httpx.Response, asked: str) -> bytes:
    parts: list[bytes] = []
    size = 0
    for block in response.iter_bytes():
        parts.append(block)
        size += len(block)
        if size > MAX_BYTES:
            raise ReadError(f"{asked} has more than {MAX_BYTES // 2**20} MiB and was given up.")
    return b"".join(parts)
