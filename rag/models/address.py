"""Where an LLM's endpoint is, and the credentials for it, which are sent and never shown."""

from __future__ import annotations

import base64
import ipaddress
import os
import re
from collections.abc import Mapping
from urllib.parse import quote

import httpx

from index.errors import ModelError

_HIDDEN = "[hidden]"
_KEY_PARAMETERS = ("api_key", "api-key", "apikey", "key", "token", "access_token")
_ENVIRONMENT = "env:"


class Address:
    """An endpoint's address without credentials (`url`), and the credentials for it.

    `is_loopback` says that it is this machine. `root` is where servers tell of themselves, outside the
    OpenAI-compatible part. `query` goes with every request.

    Raises:
        ModelError: an address or a key that can't be one.
    """

    def __init__(self, value: str, api_key: str = "", environ: Mapping[str, str] = os.environ) -> None:
        url = _parsed(value)
        self.url = str(url.copy_with(username="", password="", query=None, fragment=None)).rstrip("/")
        self.is_loopback = _is_loopback(url.host)
        self.root = self.url.removesuffix("/v1")
        self.query = {name: text for name, text in url.params.items() if name.lower() not in _KEY_PARAMETERS}
        in_query = next((text for name, text in url.params.items() if name not in self.query), "")
        self.auth = (url.username, url.password) if url.userinfo else None
        self._key = _resolved(api_key, environ) or in_query
        pair = f"{url.username}:{url.password}"
        basic = base64.b64encode(pair.encode()).decode() if self.auth else ""
        secrets = {self._key, in_query, url.password or url.username, url.userinfo.decode(), basic}
        spelled = {spelling for secret in secrets for spelling in (secret, quote(secret, safe=""), repr(secret)[1:-1])}
        self._secrets = sorted(filter(None, spelled), key=len, reverse=True)  # longer ones hold the shorter

    def __repr__(self) -> str:
        return f"Address({self.url!r})"

    @property
    def has_key(self) -> bool:
        return bool(self._key or self.auth)

    @property
    def headers(self) -> dict[str, str]:
        """What a request must say to be let in, beside `auth`."""
        return {"Authorization": f"Bearer {self._key}"} if self._key else {}

    @property
    def hint(self) -> str:
        """What looks wrong with the path, as a sentence; "" if nothing does."""
        if found := re.search(r"/(chat/completions|completions|models)$", self.url):
            return f" Leave out {found[0]}."
        if "/v1/v1" in self.url:
            return f" /v1 is doubled: try {self.url.replace('/v1/v1', '/v1')}."
        if not re.search(r"/v\d", self.url):
            return f" Most addresses end in /v1: try {self.url}/v1."
        return ""

    def scrub(self, text: str) -> str:
        """A text of the server's, with every key in it hidden, on one line."""
        for secret in self._secrets:
            text = text.replace(secret, _HIDDEN)
        return " ".join(text.split())


def _parsed(value: str) -> httpx.URL:
    try:
        url = httpx.URL(value.strip())
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in ("http", "https") or not url.host:
        shown = value.partition("?")[0].rpartition("@")[2]
        raise ModelError(
            f"DATELINE_LLM_ENDPOINT is {shown!r}, which is no address. Give one such as http://localhost:11434/v1."
        )
    return url


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _resolved(api_key: str, environ: Mapping[str, str]) -> str:
    key = api_key.strip()
    if key.startswith(_ENVIRONMENT):
        name = key.removeprefix(_ENVIRONMENT)
        key = environ.get(name, "").strip()
        if not key:
            raise ModelError(
                f"DATELINE_LLM_API_KEY is env:{name}, but the environment variable {name} is not set. Set it, or give "
                "the key itself."
            )
    if wrong := re.search(r"[^!-~]", key):
        raise ModelError(
            f"DATELINE_LLM_API_KEY has a character at position {wrong.start() + 1} that no key has (a space, a line "
            "end or a letter outside ASCII). Copy the key again."
        )
    return key
