"""What stands under some paths: the files that can be read, and what is passed over. Opens nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePath

from index.reading.document import PassedOver, ReadProblem
from index.reading.formats import SUFFIXES


def find_files(paths: list[Path], *, may_be_empty: bool = False) -> list[Path | ReadProblem | PassedOver]:
    """Every readable file under the paths, in a stable order, and beside them what is passed over and why.

    Args:
        may_be_empty: whether a folder without readable files is no problem.
    """
    found: list[Path | ReadProblem | PassedOver] = []
    for path in paths:
        if problem := _problem(path):
            found.append(problem)
        elif path.is_dir():
            inside = list(_walk(path))
            found += inside
            if not may_be_empty and not any(isinstance(each, Path) for each in inside):
                found.append(ReadProblem(str(path), f"holds no articles; looked for {', '.join(SUFFIXES)}."))
        else:
            found.append(path)
    return list(dict.fromkeys(found))


def why_passed_over(path: PurePath) -> str:
    """Why a file of a folder is not read, "" where it is."""
    if any(part.startswith(".") and part not in (".", "..") for part in path.parts) or "__MACOSX" in path.parts:
        return "is hidden"
    if path.name.startswith("~$"):
        return "is the lock of an open document"
    if path.stem.lower() == "readme":
        return "is a README"
    if path.suffix.lower() not in SUFFIXES:
        return f"is a {path.suffix} file" if path.suffix else "has no suffix that tells what it is"
    return ""


def _problem(path: Path) -> ReadProblem | None:
    if not is_utf8(path):
        return ReadProblem(printable(path), "has a name that is not UTF-8; rename it.")
    if not path.exists():
        return ReadProblem(str(path), "does not exist; check the path.")
    if path.is_dir():
        return None
    if not path.is_file():
        return ReadProblem(str(path), "is neither a file nor a folder.")
    if path.suffix.lower() not in SUFFIXES:
        return ReadProblem(str(path), f"is of a kind that can't be read; give {', '.join(SUFFIXES)}.")
    return None


def _walk(folder: Path) -> Iterator[Path | ReadProblem | PassedOver]:
    """Files and what is passed over, sorted by path. Links to folders are not followed: none leads in circles."""
    found: list[Path | ReadProblem | PassedOver] = []

    def unlisted(error: OSError) -> None:
        name = printable(Path(str(error.filename)))
        found.append(ReadProblem(name, f"can't be listed: {error.strerror}. Check its permissions."))

    for directory, folders, files in os.walk(folder, onerror=unlisted):
        here = Path(directory)
        for name in sorted(folders):
            path = here / name
            if path.is_symlink():
                found.append(PassedOver(printable(path), "is a link to a folder; name the folder itself to add it"))
            elif name.startswith("."):
                found.append(PassedOver(printable(path), "is hidden"))
        folders[:] = sorted(n for n in folders if not n.startswith(".") and not (here / n).is_symlink())
        found += [_file(here / name) for name in files]
    yield from sorted(found, key=lambda each: str(each) if isinstance(each, Path) else each.origin)


def _file(path: Path) -> Path | ReadProblem | PassedOver:
    if not is_utf8(path):
        return ReadProblem(printable(path), "has a name that is not UTF-8; rename it.")
    if reason := why_passed_over(PurePath(path.name)):
        return PassedOver(str(path), reason)
    # is_file is false for a pipe, which would never end, and for a link that leads nowhere.
    if not path.is_file():
        return PassedOver(str(path), "is no file that can be opened")
    return path


def is_utf8(path: Path) -> bool:
    """Whether the path's name is text; file systems also keep names that are not."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def printable(path: Path) -> str:
    """The path as text, bytes that are none written as \\xe9."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
