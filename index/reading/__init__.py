"""A file, a folder, a table or a zip file → articles. Knows file formats; knows nothing about the store.

A bad file or row never stops the rest: it becomes a `ReadProblem` that names the file, the row and the remedy.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from index.article import Article
from index.reading.child import Reader, read_here
from index.reading.document import Given, PassedOver, Reading, ReadProblem, Result
from index.reading.fields import MAX_FIELD
from index.reading.files import find_files
from index.reading.formats import SUFFIXES

__all__ = [
    "MAX_FIELD", "SUFFIXES", "Given", "PassedOver", "ReadProblem", "Reader", "Reading", "Result", "find_files",
    "read_file",
]  # fmt: skip


def read_file(path: Path) -> Iterator[Article | ReadProblem]:
    """The articles of one file that can be trusted, read in this process; `Reader` reads in one that may fail."""
    for _, result in read_here(path, Given(), str(path.absolute())):
        if isinstance(result, Reading):
            yield result.article
        elif isinstance(result, ReadProblem):
            yield result
