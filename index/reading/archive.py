"""A zip file → the articles of the files in it. Nothing is written to disk, so no name in it can lead anywhere."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath

from index.reading.document import Document, Format, Given, PassedOver, ReadProblem, Result

MAX_FILES = 100_000
MAX_UNPACKED = 4 * 2**30  # of all files together
MAX_FILE = 256 * 2**20  # of one, unpacked
MAX_RATIO = 200  # of a file's size to what it takes up in the zip: text reaches 20, a bomb 1,000
_SMALL = 2**20  # below this a great ratio harms nobody
_INSIDE = "!/"  # between the name of the zip file and that of a file in it


def read_zip(
    document: Document, given: Given, formats: Callable[[str], Format | None], why_not: Callable[[PurePosixPath], str]
) -> Iterator[Result]:
    """The articles of all files in it that can be read; the others are named.

    Args:
        formats: what reads a file of a name, None for nothing.
        why_not: why a file in a folder is passed over, "" where it is not.
    """
    try:
        with zipfile.ZipFile(document.file) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            _must_be_bounded(members)
            if not members:
                raise ValueError("holds no files.")
            for member in sorted(members, key=lambda member: member.filename):
                yield from _member(archive, member, document, given, formats, why_not)
    except UnicodeDecodeError as error:
        raise ValueError("holds a file whose name is not UTF-8, though it says so; pack it anew.") from error
    except (zipfile.BadZipFile, NotImplementedError, EOFError) as error:
        raise ValueError(f"is no zip file that can be read ({error}).") from error


def _member(
    archive: zipfile.ZipFile,
    member: zipfile.ZipInfo,
    document: Document,
    given: Given,
    formats: Callable[[str], Format | None],
    why_not: Callable[[PurePosixPath], str],
) -> Iterator[Result]:
    origin = f"{document.origin}{_INSIDE}{member.filename}"
    path = PurePosixPath(member.filename)
    if reason := why_not(path):
        yield PassedOver(origin, reason)
        return
    read = formats(path.name)
    if read is None:
        yield PassedOver(origin, f"is a {path.suffix or 'file without a suffix'} inside a zip file")
        return
    try:
        if member.flag_bits & 1:
            raise ValueError("is locked with a password; unpack it first.")
        if member.file_size > MAX_FILE:
            raise ValueError(f"unpacks to {member.file_size / 2**20:.0f} MiB; at most {MAX_FILE // 2**20} are read.")
        if member.file_size > _SMALL and member.file_size > MAX_RATIO * max(1, member.compress_size):
            raise ValueError("unpacks to more than text ever does, as a bomb would; it was not opened.")
        with archive.open(member) as packed:
            # What the directory says of a size need not be true: never more than it says is unpacked.
            data = packed.read(member.file_size + 1)
        yield from read(Document(path.name, origin, io.BytesIO(data), len(data)), given)
    except MemoryError:
        raise
    except ValueError as error:
        yield ReadProblem(origin, str(error))
    except Exception as error:  # of unpacking or of a parser: the other files are read all the same
        yield ReadProblem(origin, f"can't be read ({type(error).__name__}: {str(error)[:200]}).")


def _must_be_bounded(members: list[zipfile.ZipInfo]) -> None:
    if len(members) > MAX_FILES:
        raise ValueError(f"holds {len(members):,} files; at most {MAX_FILES:,} are read. Split it.")
    size = sum(member.file_size for member in members)
    if size > MAX_UNPACKED:
        raise ValueError(f"unpacks to {size / 2**30:.1f} GiB; at most {MAX_UNPACKED // 2**30} are read. Split it.")
