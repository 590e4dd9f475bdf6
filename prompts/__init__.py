"""The texts that are sent to an LLM, as Markdown templates, and the one way to fill them in.

A template is a dialogue: headings `## system`, `## user` and `## assistant`, each followed by what that role says.
Placeholders are written `{name}`. A missing or an extra one raises `PromptError`; `check_all()` does so for every
template at start-up, before a question is asked.
"""

from __future__ import annotations

import hashlib
import re
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from index.errors import PromptError

__all__ = ["PLACEHOLDERS", "Message", "PromptError", "Write", "check_all", "render", "version", "versions"]

_FOLDER = Path(__file__).parent
_ROLE = re.compile(r"^## (system|user|assistant)$", re.MULTILINE)

# What each template is filled with. A template that asks for anything else is an error of whoever edited it.
PLACEHOLDERS: dict[str, frozenset[str]] = {
    "agree": frozenset({"evidence", "question"}),
    "answer": frozenset({"evidence", "question", "asked"}),
    "check": frozenset({"evidence", "question", "asked", "sentence"}),
    "condense": frozenset({"conversation", "question"}),
    "draft": frozenset({"title", "passage"}),
    "judge": frozenset({"question", "accepted", "answer"}),
    "read": frozenset({"evidence", "question", "asked"}),
    "standalone": frozenset({"conversation", "question"}),
}


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a prompt; `role` is system, user or assistant."""

    role: str
    content: str


Write = Callable[[Sequence[Message], int], str]  # messages, the most tokens to write → the model's text


def render(name: str, **values: str) -> list[Message]:
    """The dialogue with its placeholders filled in; values are data and are never searched for anything.

    Raises:
        PromptError: no such template, or `values` are not exactly its placeholders.
    """
    messages, wanted = _template(name)
    if wanted != set(values):
        raise PromptError(_difference(name, wanted, set(values)))
    return [Message(message.role, message.content.format(**values)) for message in messages]


def check_all() -> None:
    """Raise `PromptError` unless every template exists and has exactly the placeholders of `PLACEHOLDERS`."""
    for name, expected in PLACEHOLDERS.items():
        _, found = _template(name)
        if found != expected:
            raise PromptError(_difference(name, found, set(expected)))


def version() -> str:
    """Twelve hexadecimal digits that change with any word of any template."""
    texts = (f"{path.name}\0{path.read_text(encoding='utf-8')}" for path in sorted(_FOLDER.glob("*.md")))
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:12]


def versions() -> dict[str, str]:
    """Twelve hexadecimal digits for each template by its name; they change with any word of that template."""
    return {path.stem: hashlib.sha256(path.read_bytes()).hexdigest()[:12] for path in sorted(_FOLDER.glob("*.md"))}


@lru_cache
def _template(name: str) -> tuple[tuple[Message, ...], frozenset[str]]:
    path = _FOLDER / f"{name}.md"
    try:
        text = path.read_text(encoding="utf-8")
        fields = [parts[1:] for parts in string.Formatter().parse(text) if parts[1] is not None]
    except OSError as error:
        raise PromptError(f"There is no prompt {name!r} at {path}.") from error
    except ValueError as error:
        raise PromptError(f"{path} is not a template: {error}. Double a brace that is meant as itself.") from error
    if odd := [name for name, form, conversion in fields if form or conversion]:
        raise PromptError(f"{path} asks for {odd[0]!r} in a format of its own; write plain {{{odd[0]}}}.")
    found = frozenset(str(field) for field, _, _ in fields)
    before, *parts = _ROLE.split(text)
    if before.strip() or not parts:
        raise PromptError(f"{path} has to begin with a role: `## system`, `## user` or `## assistant`.")
    messages = tuple(Message(role, said.strip()) for role, said in zip(parts[::2], parts[1::2], strict=True))
    return messages, found


def _difference(name: str, wanted: frozenset[str] | set[str], given: set[str]) -> str:
    missing, extra = sorted(wanted - given), sorted(given - wanted)
    return (
        f"The prompt {name!r} asks for {missing or 'nothing'} that is not given, and is given {extra or 'nothing'} "
        f"that it does not ask for. Mend prompts/{name}.md."
    )
