"""JSONL and CSV: an article a row, under the id that the row gives it. A JSONL row's text is kept to the letter."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import zip_longest
from typing import Any

from index.reading.dates import of_column
from index.reading.document import Document, Given, ReadProblem, Result
from index.reading.encoding import decode
from index.reading.fields import is_date_column, make_reading, row_text
from index.reading.layout import joined, tidy

MAX_LINE = 64 * 2**20
MAX_TABLE = 256 * 2**20
_SNIFFED = 64 * 1024
_DELIMITERS = ",;\t|"


def read_jsonl(document: Document, given: Given) -> Iterator[Result]:
    """An article a line; a line that can't be read is named and passed over."""
    rows = 0
    number = 0
    while line := document.file.readline(MAX_LINE + 1):
        number += 1
        if not line.strip():
            continue
        rows += 1
        row = replace(document, origin=f"{document.origin}:{number}")
        if len(line) > MAX_LINE:
            while line and not line.endswith(b"\n"):
                line = document.file.readline(MAX_LINE)
            yield ReadProblem(row.origin, f"has more than {MAX_LINE // 2**20} MiB on one line; split it.")
            continue
        try:
            values = _object(line)
            text = row_text(values, given.columns)
            yield make_reading(row, given, values, text)
        except ValueError as error:
            yield ReadProblem(row.origin, str(error))
    if not rows:
        yield ReadProblem(document.origin, "is empty; give one JSON object a line.")


def read_csv(document: Document, given: Given) -> Iterator[Result]:
    """An article a row; the first row names the columns."""
    text, encoding = decode(document.read(MAX_TABLE))
    notes = [f"read as {encoding}"] if encoding else []
    csv.field_size_limit(MAX_LINE)
    dialect = _dialect(text)
    table = csv.reader(io.StringIO(text, newline=""), dialect, strict=True)
    try:
        columns = [name.strip() for name in next(table, [])]
        if not columns:
            raise ValueError("is empty; its first row names the columns.")
        if len(set(columns)) < len(columns):
            raise ValueError(f"names a column twice in its first row: {', '.join(columns)[:200]}.")
        dates = _dates(text, dialect, given)
        while (cells := next(table, None)) is not None:
            if not any(cell.strip() for cell in cells):
                continue
            row = replace(document, origin=f"{document.origin}:{table.line_num}")
            try:
                if len(cells) > len(columns):
                    raise ValueError(f"has {len(cells)} cells, but the first row names {len(columns)} columns.")
                values = {name: cell.strip() for name, cell in zip(columns, cells, strict=False)}
                body = joined(tidy(row_text(values, given.columns)))
                told = []
                for name in values.keys() & dates.keys():
                    day = dates[name].get(values[name], values[name])
                    if values[name] and not day:
                        told.append(f"undated: {values[name]} may be two days")
                    values[name] = day
                yield make_reading(row, given, values, body, notes=(*notes, *told))
            except ValueError as error:
                yield ReadProblem(row.origin, str(error))
    except csv.Error as error:
        yield ReadProblem(f"{document.origin}:{table.line_num}", f"is not CSV: {error}.")


def _dialect(text: str) -> type[csv.Dialect]:
    """Of the usual delimiters the one that the first line has most of, outside quotation marks."""
    first = text.split("\n", 1)[0]
    outside = "".join(first.split('"')[::2])
    delimiter = max(_DELIMITERS, key=outside.count)

    class Dialect(csv.excel):
        pass

    Dialect.delimiter = delimiter if delimiter in outside else ","
    return Dialect


def _dates(text: str, dialect: type[csv.Dialect], given: Given) -> dict[str, dict[str, str]]:
    """Of each column of dates: as they stand there → ISO, "" where the column does not tell day from month."""
    found: dict[str, dict[str, str]] = {}
    with contextlib.suppress(csv.Error):  # told where the row is read
        for column in zip_longest(*csv.reader(io.StringIO(text, newline=""), dialect), fillvalue=""):
            if is_date_column(name := column[0].strip(), given.columns):
                found[name] = of_column(cell.strip() for cell in column[1:])
    return found


def _object(line: bytes) -> Mapping[str, Any]:
    try:
        row = json.loads(line.decode("utf-8-sig"), parse_constant=lambda constant: None)
    except UnicodeDecodeError as error:
        raise ValueError(f"is not UTF-8 (byte {error.start} of the line).") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON: {error.msg} at column {error.colno}.") from error
    except RecursionError as error:
        raise ValueError("is nested too deeply.") from error
    if not isinstance(row, dict):
        raise ValueError("is not a JSON object; a row needs at least `id` and `text`.")
    return row
