from __future__ import annotations

import json
from typing import Any

import pytest

from tests.index.reading.results import Write, article, problem, reading

FIRST = "The harbour board of Norwick voted on Thursday to sell the old dry dock, which has stood empty for nine years."
SECOND = "The boat builder, Omar Reza, said that nobody had told him about the sale before it was decided by the board."
JUNK = ("Home", "Subscribe now", "Ten cakes to bake", "All rights reserved", "cookies", "2019")


def page(head: str = "", body: str = "", title: str = "Dock sold | The Post") -> str:
    return (
        f"<!doctype html><html><head><title>{title}</title>{head}</head><body>"
        "<nav><a href='/'>Home</a> <a href='/s'>Subscribe now</a></nav>"
        f"<article><h1>Dock sold</h1>{body}<p>{FIRST}</p><p>{SECOND}</p></article>"
        "<aside><h3>Most read</h3><ul><li><a href='/x'>Ten cakes to bake</a></li></ul></aside>"
        "<footer>© 2019 The Post. All rights reserved. We use cookies.</footer>"
        "<script>var published = '2019-01-01';</script></body></html>"
    )


def json_ld(*nodes: Any) -> str:
    return "".join(f'<script type="application/ld+json">{json.dumps(node)}</script>' for node in nodes)


def meta(**contents: str) -> str:
    return "".join(f'<meta property="{name.replace("__", ":")}" content="{c}">' for name, c in contents.items())


def test_the_article_is_read_without_what_stands_around_it(write: Write) -> None:
    text = article(write("dock.html", page())).text
    assert text.endswith(f"{FIRST}\n\n{SECOND}\n")
    assert not [words for words in JUNK if words in text]


def test_a_page_that_says_little_has_a_title_and_no_other_field(write: Write) -> None:
    found = reading(write("dock.htm", page()))
    assert (found.article.id, found.article.title, found.notes) == ("dock", "Dock sold", ())
    assert (found.article.author, found.article.source, found.article.published, found.article.url) == ("", "", "", "")


@pytest.mark.parametrize(
    "hint",
    [
        "<p>Updated 4 March 2025</p>",
        "<time datetime='2025-03-04'>4 March</time>",
        "<p class='date'>Posted on 2025-03-04</p>",
        "<a href='/2025/03/04/dock'>permalink</a>",
        "<img src='/2025/03/04/dock.jpg'>",
        "<p>© 2025</p>",
    ],
)
def test_a_date_is_never_guessed_from_the_page(write: Write, hint: str) -> None:
    assert article(write("dock.html", page(body=hint))).published == ""


def test_meta_elements_say_title_authors_source_date_and_address(write: Write) -> None:
    head = meta(
        og__title="Norwick sells its dock",
        og__site_name="The Post",
        article__published_time="2025-03-04T23:30:00-05:00",
        article__author="https://social.example/ann",
    )
    head += "<meta name='author' content='Ann Lee'><meta name='author' content='Bo Chan'>"
    head += "<link rel='canonical' href='https://example.org/dock'>"
    found = article(write("dock.html", page(head)))
    assert (found.title, found.source, found.author) == ("Norwick sells its dock", "The Post", "Ann Lee, Bo Chan")
    assert (found.published, found.url) == ("2025-03-04", "https://example.org/dock")


def test_the_address_of_a_profile_is_no_author(write: Write) -> None:
    assert article(write("dock.html", page(meta(article__author="https://social.example/ann")))).author == ""


@pytest.mark.parametrize(
    "head",
    [
        "<meta name='DC.date.issued' content='2025-03-04'>",
        "<meta name='citation_publication_date' content='2025-03-04'>",
        "<meta itemprop='datePublished' content='2025-03-04'>",
        "<meta name='pubdate' content='Tue, 04 Mar 2025 10:00:00 GMT'>",
        "<meta name='date' content='March 4, 2025'>",
    ],
)
def test_a_date_is_found_under_the_names_it_has_in_practice(write: Write, head: str) -> None:
    assert article(write("dock.html", page(head))).published == "2025-03-04"


def test_microdata_says_who_wrote_it_and_when(write: Write) -> None:
    body = "<span itemprop='author'>Ann Lee</span> <time itemprop='datePublished' datetime='2025-03-04'>Tuesday</time>"
    found = article(write("dock.html", page(body=body)))
    assert (found.author, found.published) == ("Ann Lee", "2025-03-04")


def test_json_ld_comes_before_meta_elements(write: Write) -> None:
    node = {
        "@type": "NewsArticle",
        "headline": "Norwick sells its dock",
        "datePublished": "2025-03-05T08:00:00Z",
        "author": [{"@type": "Person", "name": "Ann Lee"}, "Bo Chan"],
        "publisher": {"@type": "Organization", "name": "The Post"},
        "mainEntityOfPage": {"@id": "https://example.org/dock"},
    }
    head = meta(og__title="Other", article__published_time="2020-01-01", og__site_name="Other") + json_ld(node)
    found = article(write("dock.html", page(head)))
    assert (found.title, found.author, found.source) == ("Norwick sells its dock", "Ann Lee, Bo Chan", "The Post")
    assert (found.published, found.url) == ("2025-03-05", "https://example.org/dock")


def test_json_ld_may_name_people_and_publishers_elsewhere_in_its_graph(write: Write) -> None:
    graph = [
        {"@type": "WebSite", "name": "Site", "datePublished": "1999-01-01"},
        {"@type": ["Article", "Thing"], "headline": "Dock", "author": {"@id": "#a"}, "publisher": {"@id": "#p"}},
        {"@type": "Person", "@id": "#a", "name": "Ann Lee"},
        {"@type": "Organization", "@id": "#p", "name": "The Post"},
    ]
    found = article(write("dock.html", page(json_ld({"@graph": graph}))))
    assert (found.title, found.author, found.source, found.published) == ("Dock", "Ann Lee", "The Post", "")


def test_json_ld_of_something_that_is_no_article_says_nothing(write: Write) -> None:
    nodes = [{"@type": "BreadcrumbList", "name": "Trail"}, {"@type": "VideoObject", "uploadDate": "2020-01-01"}]
    found = article(write("dock.html", page(json_ld(*nodes))))
    assert (found.title, found.published) == ("Dock sold", "")


@pytest.mark.parametrize(
    "script",
    ["{broken", "[" * 100_000, "", '"text"', '{"@type": "Article", "author": 5, "headline": {"a": []}, "url": 7}'],
)
def test_json_ld_that_is_broken_or_odd_breaks_nothing(write: Write, script: str) -> None:
    head = f'<script type="application/ld+json">{script}</script>'
    assert article(write("dock.html", page(head))).title == "Dock sold"


def test_a_date_that_is_none_leaves_the_page_undated_and_is_told(write: Write) -> None:
    found = reading(write("dock.html", page("<meta name='date' content='yesterday'>")))
    assert found.article.published == ""
    (note,) = found.notes
    assert "undated" in note and "'yesterday'" in note


@pytest.mark.parametrize("charset", ["iso-8859-1", "windows-1252", "us-ascii"])
def test_a_page_that_says_latin_1_is_read_as_browsers_read_it(write: Write, charset: str) -> None:
    markup = page(f"<meta charset='{charset}'>", "<p>Zürich said “no” — and paid 5 € for the whole of the dock.</p>")
    assert "Zürich said “no” — and paid 5 €" in article(write("dock.html", markup.encode("cp1252"))).text


def test_a_page_that_declares_an_encoding_that_there_is_not_is_read_by_its_bytes(write: Write) -> None:
    found = reading(write("a.html", page("<meta charset='no-such'>", "<p>Jörg Maier führte schöne Gründe an.</p>")))
    assert "Jörg Maier führte schöne Gründe an." in found.article.text
    assert found.notes == ()


def test_xhtml_with_a_declaration_of_its_encoding_is_read(write: Write) -> None:
    markup = '<?xml version="1.0" encoding="UTF-8"?>\n' + page().replace("<html>", '<html lang="en">')
    assert article(write("dock.xhtml", markup)).title == "Dock sold"


def test_a_page_of_a_few_words_is_all_article(write: Write) -> None:
    markup = "<html><head><title>Dock</title></head><body><p>Sold.</p></body></html>"
    found = article(write("dock.html", markup))
    assert (found.title, found.text) == ("Dock", "Sold.\n")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is not HTML"),
        (b"<html></html>", "holds no article that could be found"),
        (b"<html><body><script>let text = 1</script></body></html>", "holds no article that could be found"),
        (b"<html>\0</html>", "NUL"),
    ],
)
def test_a_page_without_an_article_is_a_problem_that_says_why(write: Write, content: bytes, told: str) -> None:
    assert told in problem(write("dock.html", content)).message
