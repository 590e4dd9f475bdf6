"""What is read, and what reading it gives. Knows no format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol

from index.article import Article


@dataclass(frozen=True, slots=True)
class ReadProblem:
    """Something that could not be read: where, and what to do about it."""

    origin: str
    message: str


@dataclass(frozen=True, slots=True)
class PassedOver:
    """Something that was not read on purpose: where, and why."""

    origin: str
    message: str


@dataclass(frozen=True, slots=True)
class Reading:
    """An article, what its reader should be told about how it was read, and the fields that were not used."""

    article: Article
    notes: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()


Result = Reading | ReadProblem | PassedOver


@dataclass(frozen=True, slots=True)
class Given:
    """What the command line says about all files: values for fields they lack, and how columns are called.

    `columns` maps a field (`text`, `published`, …) to the name that it has in a CSV or JSONL.
    """

    values: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Document:
    """The bytes of one file: `name` tells the format and the id, `origin` where they come from."""

    name: str
    origin: str
    file: BinaryIO
    size: int

    def read(self, most: int) -> bytes:
        """All bytes.

        Raises:
            ValueError: there are more than `most`.
        """
        if self.size > most:
            raise ValueError(f"has {self.size / 2**20:.0f} MiB; at most {most // 2**20} can be read. Split it.")
        data = self.file.read(most + 1)
        if len(data) > most:
            raise ValueError(f"has more than {most // 2**20} MiB; split it.")
        return data


class Format(Protocol):
    """One format: a module's `read`."""

    def __call__(self, document: Document, given: Given) -> Iterator[Result]: ...
