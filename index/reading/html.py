"""A web page → its main text and what its head says of it (meta elements, JSON-LD).

The text is trafilatura's. The fields are read here, because trafilatura guesses a date where the page names none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lxml import etree
from lxml import html as lxml_html

from index.reading.document import Document, Given, Result
from index.reading.encoding import decode
from index.reading.fields import is_address, make_reading
from index.reading.layout import tidy

MAX_BYTES = 32 * 2**20
_DECLARED = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w:.-]{1,40})", re.IGNORECASE)
_HEAD_BYTES = 4_096
_MOST_NODES = 2_000  # of JSON-LD that are looked at
# Field → the meta elements that say it, the surest first.
_META = {
    "title": ("og:title", "twitter:title", "dc.title", "dcterms.title", "citation_title"),
    "author": ("author", "article:author", "parsely-author", "sailthru.author", "dc.creator", "dcterms.creator",
               "citation_author", "byl"),
    "source": ("og:site_name", "publisher", "dc.publisher", "application-name", "citation_journal_title"),
    "published": ("article:published_time", "og:article:published_time", "datepublished", "dc.date.issued",
                  "dcterms.issued", "dcterms.date", "dc.date", "dcterms.created", "citation_publication_date",
                  "parsely-pub-date", "sailthru.date", "pubdate", "publish-date", "publish_date", "publication_date",
                  "cxenseparse:recs:publishtime", "date"),
    "url": ("og:url",),
}  # fmt: skip
_ARTICLE_TYPES = re.compile(
    r"(?:News|Opinion|Analysis|Reportage|Review|Scholarly|Satirical|Tech)?Article$|BlogPosting$|Report$"
)


def read_html(document: Document, given: Given) -> Iterator[Result]:
    """One article."""
    data = document.read(MAX_BYTES)
    declared = match[1].decode("ascii") if (match := _DECLARED.search(data[:_HEAD_BYTES])) else ""
    markup, encoding = decode(data, _as_browsers_do(declared))
    tree = _parsed(markup)
    fields = {**_of_meta(tree), **_of_json_ld(tree)}
    fields.setdefault("title", _title(tree))
    if canonical := tree.xpath("string(//link[@rel='canonical']/@href)"):
        fields.setdefault("url", canonical)
    text = tidy(main_text(markup))
    notes = [f"read as {encoding}"] if encoding else []
    yield make_reading(document, given, fields, text, notes=notes, name=Path(document.name).stem, lenient=True)


def main_text(markup: str) -> str:
    """The article of a page without what stands around it, a paragraph a line, empty lines between.

    Raises:
        ValueError: there is none.
    """
    import trafilatura

    text = trafilatura.extract(
        markup, include_comments=False, include_tables=True, favor_recall=False, deduplicate=False, with_metadata=False
    )
    if not text or not text.strip():  # a page of a few lines has no main part: all of it is
        text = "\n".join(_parsed(markup).xpath("//body//text()[not(parent::script or parent::style)]"))
    if not text or not text.strip():
        raise ValueError("holds no article that could be found; save the article's text as .txt or .md.")
    return "\n\n".join(line for line in text.split("\n") if line.strip()) + "\n"


def _parsed(markup: str) -> Any:
    try:
        # Bytes in a known encoding: lxml refuses a str with an encoding declaration.
        tree = lxml_html.document_fromstring(
            markup.encode("utf-8", "replace"), parser=lxml_html.HTMLParser(encoding="utf-8", no_network=True)
        )
    except (etree.ParserError, etree.XMLSyntaxError, ValueError) as error:
        raise ValueError(f"is not HTML ({error}).") from error
    return tree


def _as_browsers_do(declared: str) -> str:
    """Pages that say Latin-1 or ASCII are in Windows-1252, as every browser reads them."""
    return "windows-1252" if declared.lower() in ("iso-8859-1", "latin1", "latin-1", "us-ascii", "ascii") else declared


def _of_meta(tree: Any) -> dict[str, Any]:
    said: dict[str, list[str]] = {}
    for element in tree.iter("meta"):
        name = element.get("property") or element.get("name") or element.get("itemprop") or ""
        if content := " ".join((element.get("content") or "").split()):
            said.setdefault(name.strip().lower(), []).append(content)
    fields: dict[str, Any] = {}
    for field, names in _META.items():
        values = next((said[name] for name in names if name in said and not _useless(field, said[name])), [])
        if values:
            fields[field] = list(dict.fromkeys(values)) if field == "author" else values[0]
    authors = [" ".join(each.text_content().split()) for each in tree.xpath("//*[@itemprop='author']")]
    if "author" not in fields and any(authors):
        fields["author"] = list(dict.fromkeys(filter(None, authors)))
    if "published" not in fields:
        times = tree.xpath("//*[@itemprop='datePublished']/@datetime | //time[@pubdate]/@datetime")
        times += tree.xpath("//*[@itemprop='datePublished']/@content")
        if times and len(set(times)) == 1:
            fields["published"] = times[0]
    return fields


def _useless(field: str, values: list[str]) -> bool:
    """Facebook's `article:author` is the address of a profile."""
    return field == "author" and is_address(values[0])


def _of_json_ld(tree: Any) -> dict[str, Any]:
    for script in tree.xpath("//script[contains(@type, 'ld+json')]"):
        try:
            nodes = _nodes(json.loads(script.text or "", parse_constant=lambda constant: None))
        except (ValueError, RecursionError):
            continue
        for node in nodes:
            kinds = node.get("@type")
            kinds = kinds if isinstance(kinds, list) else [kinds]
            if any(isinstance(kind, str) and _ARTICLE_TYPES.search(kind) for kind in kinds):
                return _of_node(node, nodes)
    return {}


def _nodes(value: Any) -> list[dict[str, Any]]:
    """Every object of a JSON-LD document, the outer ones first."""
    found: list[dict[str, Any]] = []
    waiting = [value]
    while waiting and len(found) < _MOST_NODES:
        each = waiting.pop(0)
        if isinstance(each, list):
            waiting = each + waiting
        elif isinstance(each, dict):
            found.append(each)
            waiting += [inner for inner in each.values() if isinstance(inner, dict | list)]
    return found


def _of_node(node: dict[str, Any], nodes: list[dict[str, Any]]) -> dict[str, Any]:
    by_id = {each["@id"]: each for each in nodes if isinstance(each.get("@id"), str) and "name" in each}

    def name(value: Any) -> Any:
        if isinstance(value, list):
            return [found for each in value[:50] if (found := name(each))]
        if isinstance(value, dict):
            value = value.get("name") or by_id.get(value.get("@id", ""), {}).get("name", "")
        return value if isinstance(value, str) and not is_address(value) else ""

    url = node.get("url") or node.get("mainEntityOfPage")
    url = url.get("@id") if isinstance(url, dict) else url
    fields = {
        "title": node.get("headline") or node.get("name"),
        "author": name(node.get("author")),
        "source": name(node.get("publisher")),
        "published": node.get("datePublished"),
        "url": url if isinstance(url, str) and is_address(url) else "",
    }
    return {field: value for field, value in fields.items() if isinstance(value, str | list) and value}


def _title(tree: Any) -> str:
    headings = [" ".join(element.text_content().split()) for element in tree.iter("h1")]
    if len(headings) == 1 and headings[0]:
        return headings[0]
    return " ".join((tree.findtext(".//title") or "").split())
