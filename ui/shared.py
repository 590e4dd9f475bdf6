"""What the commands share: filters as options, an opened corpus, JSON lines."""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Callable, Iterator
from typing import Any

import click

from index.filters import Filters
from index.settings import Settings

ASKED_HELP = 'What "this week" is meant from, such as 2025-07-27; with --batch, for the rows that hold no date.'
_FILTERS = (
    click.option("--source", "sources", multiple=True, help="Only articles of this source; may be repeated."),
    click.option("--author", "authors", multiple=True, help="Only articles of this author; may be repeated."),
    click.option("--article", "articles", multiple=True, metavar="ID", help="Only this article; may be repeated."),
    click.option("--since", default="", metavar="DATE", help="Only articles of this date or later: 2025, 2025-07, …"),
    click.option("--until", default="", metavar="DATE", help="Only articles of this date or earlier."),
)


def with_filters(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say which articles may be found, handed to the command as `filters`."""

    @functools.wraps(command)
    def filtered(*, sources: Any, authors: Any, articles: Any, since: str, until: str, **values: Any) -> None:
        command(filters=Filters(sources, authors, articles, since, until), **values)

    for option in reversed(_FILTERS):
        filtered = option(filtered)
    return filtered


@contextlib.contextmanager
def opened_index(settings: Settings, briefly: bool = False) -> Iterator[Any]:
    """The corpus of the settings; nothing heavy is imported before."""
    from index.search import Index

    with Index.open(settings, briefly) as corpus:
        yield corpus


def print_json(value: dict[str, Any]) -> None:
    """One JSON object on a line of standard output."""
    click.echo(json.dumps(value, ensure_ascii=False))
