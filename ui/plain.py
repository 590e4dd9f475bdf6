"""Text of articles and models as a terminal may show it."""

from __future__ import annotations


def source_line(title: str, source: str, published: str) -> str:
    """Where something stands, in a line."""
    return " · ".join(part for part in (title, source, published) if part)


def safe(text: str) -> str:
    """Text without control characters, which a terminal would obey."""
    return "".join(c if c.isprintable() or c == " " else " " for c in text)
