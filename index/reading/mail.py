"""A saved mail → its subject, sender, date and text."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Iterator
from email.message import EmailMessage
from email.utils import getaddresses
from pathlib import Path
from typing import Any

from index.reading.document import Document, Given, Result
from index.reading.encoding import decode
from index.reading.fields import head_of, make_reading
from index.reading.html import main_text
from index.reading.layout import joined, tidy

_FORWARDED = re.compile(r"(?:(?:fwd?|re|aw|wg|tr|rv)\s*:\s*)+", re.IGNORECASE)
MAX_BYTES = 64 * 2**20


def read_mail(document: Document, given: Given) -> Iterator[Result]:
    """One article, and one for each mail that is attached; what else is attached is named and passed over."""
    message = email.message_from_bytes(document.read(MAX_BYTES), policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    yield from _read(message, document, given, Path(document.name).stem)


def _read(message: EmailMessage, document: Document, given: Given, name: str) -> Iterator[Result]:
    if not message.keys():
        raise ValueError("is no mail: it has no header lines.")
    names = [name or address for name, address in getaddresses([str(message.get("From", ""))])]
    fields: dict[str, Any] = {
        "title": _FORWARDED.sub("", str(message.get("Subject", ""))),
        "author": [name for name in names if name][:50],
        "published": str(message.get("Date", "")),
    }
    parts = list(message.iter_attachments()) if message.is_multipart() else []
    inner = [part.get_content() for part in parts if part.get_content_type() == "message/rfc822"]
    for number, each in enumerate((m for m in inner if isinstance(m, EmailMessage)), start=2):
        yield from _read(each, document, given, f"{name}-{number}")
    text, notes = _body(message)
    if inner and not any(character.isalnum() for character in text):  # it only passes them on
        return
    others = (part for part in parts if part.get_content_type() != "message/rfc822")
    attached = [str(part.get_filename() or part.get_content_type()) for part in others]
    if "author" in head_of(text):  # a newsletter: its sender is the paper, and the byline tells who wrote it
        fields["source"] = fields.pop("author")
    if attached:
        notes.append(f"passed over what is attached: {', '.join(attached[:10])}")
    yield make_reading(document, given, fields, text, notes=notes, name=name, lenient=True)


def _body(message: EmailMessage) -> tuple[str, list[str]]:
    part = message.get_body(preferencelist=("plain", "html"))
    if part is None:
        raise ValueError("holds no text; save what is attached on its own.")
    payload = part.get_payload(decode=True)
    text, encoding = decode(payload if isinstance(payload, bytes) else b"", part.get_content_charset() or "")
    notes = [f"read as {encoding}"] if encoding else []
    if part.get_content_subtype() == "html":
        return tidy(main_text(text)), notes
    if str(part.get_param("format", "")).lower() == "flowed":
        return _unflowed(tidy(text), str(part.get_param("delsp", "")).lower() == "yes"), notes
    return joined(tidy(text)), notes


def _unflowed(text: str, drop_space: bool) -> str:
    """Flowed text (RFC 3676): a line that ends with a space goes on in the next."""
    lines: list[str] = []
    goes_on = False
    for line in text.split("\n"):
        line = line.removeprefix(" ")
        if goes_on and line:
            lines[-1] += line
        else:
            lines.append(line)
        goes_on = line.endswith(" ") and line != "-- "
        if goes_on and drop_space:
            lines[-1] = lines[-1][:-1]
    return "\n".join(line.rstrip() for line in lines)
