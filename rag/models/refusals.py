"""What can go wrong at an LLM's endpoint, told apart by the answer or the exception.

Knows HTTP and the error bodies of OpenAI, vLLM, Ollama, LM Studio and llama.cpp. Knows nothing of keys or settings'
values: whoever shows a reason removes the keys from it, as a server may echo them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to fail: `what` completes "The model M at URL …", `again` says whether another try can help."""

    what: str
    remedy: str
    again: bool = False


KEY = Kind("was refused because of the key", "Set DATELINE_LLM_API_KEY to a key of this endpoint")
MODEL = Kind("is not known there", "Set DATELINE_MODEL to a model that the endpoint lists")
ADDRESS = Kind("got no answer of an OpenAI-compatible endpoint", "Check DATELINE_LLM_ENDPOINT")
UNREACHABLE = Kind("did not answer", "Check DATELINE_LLM_ENDPOINT, and that its server is running", again=True)
RATE = Kind("gets more requests than its limit allows", "Wait and ask again, or raise the limit there", again=True)
QUOTA = Kind("has no credit left for this key", "Add credit there, or set another DATELINE_LLM_API_KEY")
FAILED = Kind("failed on the server's side", "Ask again later, or set another DATELINE_LLM_ENDPOINT", again=True)
CUT = Kind("broke off in the middle; the answer is incomplete", "Ask again")  # whatever it was, after the first token
SLOW = Kind("took too long", "Ask again, or set a faster DATELINE_MODEL or DATELINE_LLM_ENDPOINT")
CONTEXT = Kind(
    "has too small a context for the prompt",
    "Set DATELINE_LLM_CONTEXT to its size in tokens, or lower DATELINE_EVIDENCE_TOKENS",
)
REFUSED = Kind("refused the request", "Check DATELINE_LLM_ENDPOINT, DATELINE_MODEL and DATELINE_LLM_API_KEY")

_UNKNOWN_MODEL = re.compile(
    r"\bmodel\b.{0,200}\b(not found|(does|do) not exist|unknown|not available)|\b(unknown|invalid|no such) model\b",
    re.IGNORECASE | re.DOTALL,
)
_TOO_LONG = re.compile(
    r"context (length|window|size)|exceed_context|(prompt|input) is too long|reduce the length", re.IGNORECASE
)


class Refusal(Exception):
    """A request that led to no answer, or not to a whole one.

    `reason` is the server's or the library's own text. `wait` is how many seconds the server asks to wait, `parameter`
    a parameter of the request that it does not know, `status` the HTTP status, 0 if there was none.
    """

    def __init__(
        self, kind: Kind, reason: str, *, status: int = 0, wait: float | None = None, parameter: str = ""
    ) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason
        self.status = status
        self.wait = wait
        self.parameter = parameter
        self.tried = ""  # how often and how long, for the message


def from_error(error: Exception) -> Refusal:
    """The refusal behind an exception of httpx or of the openai library."""
    response = getattr(error, "response", None)
    if isinstance(response, httpx.Response):
        return from_response(response)
    # openai says "Connection error." and chains what happened; httpx says it, and chains another library's.
    cause = error if isinstance(error, httpx.HTTPError) else error.__cause__ or error
    reason = str(cause) or type(cause).__name__
    match cause:
        case httpx.ConnectTimeout() | httpx.ConnectError() | httpx.ProxyError():
            return Refusal(UNREACHABLE, reason)
        case httpx.TimeoutException():
            return Refusal(SLOW, f"no token came in time ({reason})")
        case httpx.UnsupportedProtocol() | httpx.InvalidURL() | httpx.LocalProtocolError():
            return Refusal(ADDRESS, reason)
        case httpx.HTTPError() | OSError():
            return Refusal(FAILED, reason)
    return Refusal(REFUSED, reason)


def from_response(response: httpx.Response) -> Refusal:
    """The refusal that a response with an error status tells; its body has been read."""
    location = response.headers.get("Location")
    if response.is_redirect and location:
        return Refusal(ADDRESS, f"it redirects to {location.partition('?')[0]}", status=response.status_code)
    try:
        body = response.json()
    except ValueError:
        body = _outline(response.text)
    return from_body(body, response.status_code, response.headers)


def from_body(body: Any, status: int, headers: Mapping[str, str] | None = None) -> Refusal:
    """The refusal that an error object tells, whether it is a whole answer or one event of a stream."""
    if isinstance(body, list) and body:  # Google's wraps it in a list
        body = body[0]
    error = body.get("error", body) if isinstance(body, dict) else body
    fields = error if isinstance(error, dict) else {}
    text = str(fields.get("message") or fields.get("detail") or error)
    code = f"{fields.get('code') or ''} {fields.get('type') or ''}"
    unsupported = "unsupported" in code and isinstance(fields.get("param"), str)
    return Refusal(
        _kind(status, text, code),
        f"{text} (HTTP {status})",
        status=status,
        wait=_retry_after(headers or {}),
        parameter=fields["param"] if unsupported else "",
    )


def not_compatible(head: bytes) -> Refusal:
    """The refusal for a body that is no stream of events."""
    return Refusal(ADDRESS, f"instead of a stream it sent {_outline(head.decode(errors='replace'))}")


def _kind(status: int, text: str, code: str) -> Kind:
    if "model_not_found" in code or (status in (400, 404, 422) and _UNKNOWN_MODEL.search(text)):
        return MODEL
    if status in (400, 413, 422) and (status == 413 or _TOO_LONG.search(f"{text} {code}")):
        return CONTEXT
    if "insufficient_quota" in code or status == 402:
        return QUOTA
    named = {401: KEY, 403: KEY, 404: ADDRESS, 405: ADDRESS, 408: FAILED, 429: RATE}
    return named.get(status) or (FAILED if status >= 500 else REFUSED)


def _outline(text: str) -> str:
    if re.match(r"\s*(<!doctype html|<html)", text, re.IGNORECASE):
        return "an HTML page"
    return repr(" ".join(text.split())[:200]) if text.strip() else "nothing"


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from a number of seconds or a date (RFC 9110, 10.2.3)."""
    value = headers.get("Retry-After", "")
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
