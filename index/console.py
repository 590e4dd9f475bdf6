"""What a command shows a person: text that a terminal may be given, and how far a long step is."""

from __future__ import annotations

import sys
import threading
import time
from typing import Any, Self

import click
from tqdm import tqdm

_NOTED = 48  # characters of a note beside a bar
_LINE_SECONDS = 10  # between two lines in a log
_IN_BYTES = frozenset({"articles", "indexing", "join", "verify"})


def source_line(title: str, source: str, published: str) -> str:
    """Where something stands, in a line."""
    return " · ".join(part for part in (title, source, published) if part)


def safe(text: str) -> str:
    """Text without control characters, which a terminal would obey."""
    return "".join(c if c.isprintable() or c == " " else " " for c in text)


class Progress:
    """A bar a step on standard error, with rate and remaining time; where that is no terminal, a line now and then."""

    def __init__(self) -> None:
        self._steps: dict[str, tqdm[Any]] = {}
        self._lock = threading.Lock()
        self._told = time.monotonic()

    def show(self, step: str, done: int, total: int) -> None:
        """So much of a step is done; a total of 0 is not known."""
        with self._lock:
            bar = self._steps.get(step)
            if bar is None or done < bar.n:  # the next run of a sweep begins anew
                bar = self._begin(step, done, total)
            bar.update(done - bar.n)
            if not sys.stderr.isatty() and time.monotonic() - self._told >= _LINE_SECONDS:
                self._told = time.monotonic()
                click.echo(_line(step, bar), err=True)

    def note(self, step: str, text: str) -> None:
        """What is at hand in a step, beside its bar: the file that is read, how many articles are done."""
        with self._lock:
            if (bar := self._steps.get(step)) is not None:
                bar.set_postfix_str(safe(text)[:_NOTED], refresh=False)

    def done(self, step: str) -> tuple[int, int]:
        """How much of a step is done, of how much; 0 of 0 for one that has not begun."""
        bar = self._steps.get(step)
        return (int(bar.n), int(bar.total or 0)) if bar is not None else (0, 0)

    def _begin(self, step: str, done: int, total: int) -> tqdm[Any]:
        if step in self._steps:
            self._steps[step].close()
        in_bytes = step in _IN_BYTES
        # In a log it counts and keeps the time, and draws nothing.
        quiet = None if sys.stderr.isatty() else _Nowhere()
        self._steps[step] = tqdm(
            total=total or None, initial=done, desc=step, unit="B" if in_bytes else "", unit_scale=in_bytes,
            unit_divisor=1024, leave=False, file=quiet, disable=False,
        )  # fmt: skip
        return self._steps[step]

    def tell(self, text: str) -> None:
        """A line for a person, on standard error, above the bars."""
        with tqdm.external_write_mode(file=sys.stderr):
            click.echo(safe(text), err=True)

    def say(self, label: str, text: str, fg: str | None = None) -> None:
        """A line of the result, on standard output, above the bars."""
        with tqdm.external_write_mode(file=sys.stdout):
            click.echo(click.style(label, fg=fg) + safe(text))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for bar in self._steps.values():
            bar.close()


class _Nowhere:
    def write(self, text: str) -> None: ...

    def flush(self) -> None: ...


def _line(step: str, bar: tqdm[Any]) -> str:
    state = bar.format_dict
    size = (lambda n: tqdm.format_sizeof(n, "B", 1024)) if step in _IN_BYTES else str
    if not bar.total:
        return f"{step}: {size(bar.n)}"
    left = (bar.total - bar.n) * state["elapsed"] / (bar.n - state["initial"]) if bar.n > state["initial"] else 0.0
    share = f"{bar.n / bar.total:.0%}, {tqdm.format_interval(left)} left" if left else f"{bar.n / bar.total:.0%}"
    return f"{step}: {size(bar.n)} of {size(bar.total)} ({share})"
