"""The report of a run made by hand: twelve questions, of which each failed in its own way, or not at all."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from evals.compare import Comparison, Difference, Flip
from evals.record import Item, Record
from evals.report import to_html, to_markdown, verdict
from evals.wording import interval, percent

HOSTILE = (
    '</script><script>alert(1)</script><img src=x onerror=alert(2)> " onmouseover="alert(3) '
    + "<!--`_**[x](http://x.y)**"
)
OVERRIDE = "\u202eevil\u2066\x07\ud800"
HARBOUR = "The harbour opened in 2007. It cost 15 million rupees, the mayor said. It burned in 2011."
OPENED, COST, BURNED = ((HARBOUR.index(s), HARBOUR.index(s) + len(s)) for s in re.findall(r"[^.]+\.", HARBOUR))


def place(span: tuple[int, int], article: str = "harbour") -> dict[str, Any]:
    return {"article": article, "start": span[0], "end": span[1]}


def gold(span: tuple[int, int]) -> dict[str, Any]:
    return {**place(span), "quote": HARBOUR[slice(*span)]}


def hit(article: str, score: float, span: tuple[int, int] = (0, len(HARBOUR))) -> dict[str, Any]:
    return {**place(span, article), "title": article.capitalize(), "score": score, "cosine": 0.5}


def citation(number: int, span: tuple[int, int], **fields: Any) -> dict[str, Any]:
    about = {"title": "The harbour", "source": "Gazette", "author": "", "published": "2011-03-05"}
    return {"number": number, **about, "url": "https://gazette.example/harbour", **gold(span)} | fields


def sentence(words: str, *citations: dict[str, Any], support: str = "supported") -> dict[str, Any]:
    return {"text": words, "support": support, "citations": list(citations), "sentence_ids": []}


def answer(*sentences: dict[str, Any], declined: bool = False, **fields: Any) -> dict[str, Any]:
    words = "The articles do not say." if declined else " ".join(each["text"] for each in sentences)
    return {
        "question": "",
        "answer": words,
        "declined": declined,
        "confidence": 0.9,
        "sentences": list(sentences),
        "evidence": [
            *({**place(span), "text": HARBOUR[slice(*span)]} for span in (OPENED, COST)),
            {**place(OPENED, "bridge"), "text": "A bridge opened in 1990."},
        ],
        "timings": {"retrieve_ms": 40.0, "evidence_ms": 90.0, "first_word_ms": 1090.0, "total_ms": 3090.0},
        "usage": {"prompt_tokens": 800, "cached_tokens": 300, "completion_tokens": 40},
        "models": {"llm": "small", "embedder": "mini"},
        "prompt": "abc",
        "standalone": "When did it open?",
        "invented_markers": 0,
    } | fields


RIGHT = answer(sentence("It opened in 2007.", citation(1, OPENED)))
HITS = (hit("harbour", 0.031), hit("bridge", 0.02))


def item(name: str, **fields: Any) -> Item:
    values: dict[str, Any] = {
        "id": name,
        "kind": "fact",
        "tags": (),
        "question": f"When did it open, {name}?",
        "history": (),
        "asked": "",
        "answerable": True,
        "answers": ("2007",),
        "must": (),
        "gold": (gold(OPENED),),
        "gold_articles": ("harbour",),
        "reference": "",
        "standalone": "",
        "hits": HITS,
        "answer": RIGHT,
        "scores": {"hit@1": 1.0, "right": 1.0, "citation_exact": 1.0, "false_refusal": 0.0, "total_ms": 3090.0},
        "unscored": {"rouge_l": "the question has no reference answer"},
        "failure": None,
        "error": None,
        "cached": False,
    }
    return Item(**values | fields)


def unanswerable(name: str, **fields: Any) -> Item:
    values = {
        "kind": "unanswerable",
        "answerable": False,
        "answers": (),
        "gold": (),
        "gold_articles": (),
        "unscored": {},
    }
    return item(name, **values | fields)


WRONG = {"hit@1": 1.0, "right": 0.0, "citation_exact": 1.0, "false_refusal": 0.0}
ITEMS = (
    item("good", tags=("date", "two words")),
    item("lost", failure="retrieval", hits=(hit("bridge", 0.02),), scores={**WRONG, "hit@1": 0.0}),
    item("unread", failure="evidence", scores=WRONG),
    item("refused", failure="declining", answer=answer(declined=True), scores={"right": 0.0, "false_refusal": 1.0}),
    item(
        "misread",
        failure="reading",
        answer=answer(sentence("It opened in 2011.", support="unsupported")),
        scores={"right": 0.0},
    ),
    item("altered", failure="citing", scores={"right": 1.0, "citation_exact": 0.5}, tags=("date",)),
    unanswerable("silent", answer=answer(declined=True), scores={"right": 1.0, "declined": 1.0}),
    unanswerable("talkative", failure="declining", scores={"right": 0.0, "declined": 0.0}),
    item("broken", failure="error", answer=None, error=f"ModelError: {HOSTILE}", hits=(), scores={}, unscored={}),
    item(
        HOSTILE,
        kind=HOSTILE,
        tags=(HOSTILE,),
        question=HOSTILE + OVERRIDE,
        answers=(HOSTILE,),
        reference=HOSTILE,
        history=({"role": HOSTILE, "content": HOSTILE},),
        hits=(hit(HOSTILE, 0.01),),
        answer=answer(
            sentence(HOSTILE, citation(1, OPENED, title=HOSTILE, quote=HOSTILE, url="javascript:alert(4)")),
            standalone=HOSTILE,
            evidence=[{**place(OPENED, HOSTILE), "text": HOSTILE}],
        ),
        unscored={"rouge_l": HOSTILE},
    ),
    item(
        "later",
        kind="follow-up",
        history=({"role": "user", "content": "Tell me of the harbour."}, {"role": "assistant", "content": "Gladly."}),
        must=(("mayor", "mayoress"),),
    ),
    item("open", kind="contrast", answers=(), scores={}, unscored={"right": "the question has no gold answers"}),
)


def make_record(*items: Item, **fields: Any) -> Record:
    values: dict[str, Any] = {
        "name": "harbour-run",
        "gold": {"name": "harbour.jsonl", "digest": "d1", "questions": 20, "asked": len(items), "broken": []},
        "corpus": {"name": "articles", "articles": 2, "digest": "d2"},
        "settings": {"evidence_tokens": 480},
        "prompts": {"answer": "5f2d"},
        "models": {"llm": "small.gguf"},
        "judge": None,
        "versions": {"python": "3.11"},
        "code": "c0de",
        "commit": "a88bb4c",
        "dirty": True,
        "machine": {"cores": 2},
        "seeds": {"bootstrap": 0},
        "started": "2026-11-21T23:30:00Z",
        "finished": "2026-11-21T23:42:00Z",
        "items": items,
    }
    return Record(**values | fields)


RECORD = make_record(*ITEMS)
MANY = make_record(*(replace(each, id=f"{each.id}-{n}") for n in range(3) for each in ITEMS))


@dataclass
class Parsed(HTMLParser):
    """Every element of a page with its attributes, and its texts by the element that they stand in."""

    source: str
    elements: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.texts.append((self.elements[-1][0] if self.elements else "", data))

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)


# What the figures say.


def test_the_verdict_says_the_run_in_one_sentence() -> None:
    # Right: 4 of the 8 answerable that can be judged; Wilson 1927: 0.5 ± 1.96 / 1.480 · √(0.03125 + 0.01501) = 0.285.
    assert verdict(RECORD) == (
        "4 of 8 answerable questions answered rightly (50%, 22–78%); 1 of 2 unanswerable ones declined; "
        "1 answer with an altered quotation; 1 question ended in an error; 1 question could not be judged."
    )
    assert verdict(make_record(ITEMS[0])) == (
        "1 of 1 answerable question answered rightly (100%, 21–100%); every quotation is the article's text."
    )


def test_a_share_is_all_or_none_only_if_it_is() -> None:
    assert [percent(value) for value in (0.0, 0.004, 0.5, 0.996, 1 - 1e-12)] == ["0%", "1%", "50%", "99%", "100%"]


def test_the_page_escapes_everything_and_loads_nothing() -> None:
    page = Parsed(to_html(RECORD, comparison()))
    assert page.count("script") == page.count("style") == 1
    assert not {"img", "iframe", "link", "base", "object", "embed"} & {tag for tag, _ in page.elements}
    for tag, attributes in page.elements:
        assert not any(name.startswith("on") or name in ("style", "src", "action") for name in attributes), tag
        assert attributes.get("href", "#").startswith("#")
    shown = "".join(data for tag, data in page.texts if tag not in ("script", "style"))
    assert shown.count(HOSTILE) > 10
    assert "https://gazette.example/harbour" in shown


def test_nothing_that_turns_or_hides_text_is_left() -> None:
    record = make_record(replace(ITEMS[9], failure="reading"))
    for page in (to_html(record), to_markdown(record)):
        assert "\ufffdevil\ufffd\ufffd\ufffd" in page
        assert not re.search("[\x00-\x08\x0e-\x1f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", page)
        page.encode()


def test_the_policy_allows_the_pages_own_style_and_script_only() -> None:
    page = to_html(RECORD)
    hashes = {
        tag: b64encode(hashlib.sha256(re.findall(f"<{tag}>(.*?)</{tag}>", page, re.S)[0].encode()).digest()).decode()
        for tag in ("style", "script")
    }
    policies = [each["content"] for _, each in Parsed(page).elements if "http-equiv" in each]
    assert policies == [
        f"default-src 'none'; style-src 'sha256-{hashes['style']}'; script-src 'sha256-{hashes['script']}'; "
        "base-uri 'none'; form-action 'none'"
    ]


# In a browser.


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Iterator[Any]:
    """Opens a record's page from its file, offline; fails on any error, broken policy, dialog or request."""
    contexts, alarms = [], []

    def show(record: Record, compared: Comparison | None = None, **options: Any) -> Page:
        path = tmp_path / "report.html"
        path.write_text(to_html(record, compared), encoding="utf-8")
        contexts.append(browser.new_context(offline=True, **options))
        page = contexts[-1].new_page()
        page.on("request", lambda request: alarms.append(request.url) if request.url != path.as_uri() else None)
        page.on("dialog", lambda dialog: (alarms.append(dialog.message), dialog.dismiss()))
        page.on("pageerror", lambda error: alarms.append(str(error)))
        page.on("console", lambda said: alarms.append(said.text) if said.type in ("error", "warning") else None)
        page.goto(path.as_uri())
        return page

    yield show
    for context in contexts:
        context.close()
    assert [url for url in alarms if not url.startswith(f"{(tmp_path / 'report.html').as_uri()}#")] == []


def cells(page: Page, table: str) -> dict[str, list[str]]:
    """The rows of a table by their heading."""
    rows = page.locator(f"table.{table} tbody tr:has(td)").all()
    texts = [row.locator("th, td").all_inner_texts() for row in rows]
    return {row[0].replace(" lower is better", ""): row[1:] for row in texts}


def test_the_table_holds_the_figures_of_the_record(show: Any) -> None:
    rows = cells(show(RECORD), "figures")
    figures = RECORD.figures()
    # Right: 5 of the 10 that can be judged.
    assert rows["right"][0] == "50%" == percent(figures["right"].value)
    assert rows["right"][2:4] == [interval(figures["right"]), "10"]
    assert rows["right"][4] == "1: the question has no gold answers"
    assert rows["a gold article first"][0] == percent(figures["hit@1"].value)
    assert rows["ROUGE-L against the reference"][:4] == ["–", "", "", "0"]
    assert rows["ROUGE-L against the reference"][4].startswith("7: the question has no reference answer")
    assert cells(show(RECORD), "costs")["ms to the whole answer"] == ["3,090", "3,090", "3"]


def test_the_funnel_counts_what_fell_and_shows_it_when_asked(show: Any) -> None:
    page = show(RECORD)
    steps = cells(page, "funnel")
    assert {name: row[0] for name, row in steps.items()} == {
        "answerable questions": "9",
        "asked without an error": "8",
        "a gold article retrieved": "7",
        "what is needed in the evidence": "6",
        "answered, not declined": "5",
        "right": "4",
        "cited rightly": "3",
        "unanswerable questions": "2",
        "declined, or the premise set right": "1",
    }
    page.get_by_role("link", name="1 at declining: refused").click()
    expect(page.locator(".item:visible")).to_have_count(1)
    expect(page.locator(".item:visible summary").first).to_contain_text("refused?")
    page.get_by_role("link", name="1 at citing").click()
    expect(page.locator(".item:visible summary").first).to_contain_text("altered?")


def test_questions_are_filtered_by_outcome_kind_tag_and_words(show: Any) -> None:
    page = show(RECORD)
    visible = page.locator(".item:visible")
    expect(page.locator("output")).to_have_text("12 of 12 shown")
    page.get_by_label("Outcome").select_option("wrong")
    expect(visible).to_have_count(5)
    page.get_by_label("Failed at").select_option("reading")
    expect(page.locator("output")).to_have_text("1 of 12 shown")
    page.get_by_role("button", name="Show all").click()
    expect(visible).to_have_count(12)
    page.get_by_label("Tag").select_option(label="date (2)")
    expect(visible).to_have_count(2)
    page.get_by_label("Tag").select_option(label="two words (1)")
    expect(visible).to_have_count(1)
    page.get_by_role("button", name="Show all").click()
    page.get_by_label("Kind").select_option("follow-up")
    expect(visible).to_have_count(1)
    page.get_by_label("Kind").select_option("")
    page.get_by_label("Find").fill("  TELL ME of the harbour ")
    expect(visible).to_have_count(1)


def test_what_is_shown_is_opened_and_closed_at_once(show: Any) -> None:
    page = show(RECORD)
    page.get_by_label("Outcome").select_option("error")
    page.get_by_role("button", name="Open").click()
    expect(page.locator(".item[open]")).to_have_count(1)
    expect(page.get_by_text("ModelError").locator("visible=true")).to_have_count(1)
    page.get_by_role("button", name="Close").click()
    expect(page.locator(".item[open]")).to_have_count(0)


def test_an_item_shows_what_was_cited_and_what_is_gold(show: Any) -> None:
    page = show(RECORD)
    good, altered = page.locator("#item-1"), page.locator("#item-5")
    good.locator("summary").first.click()
    expect(good.locator(".given mark")).to_have_text(["The harbour opened in 2007."])
    expect(good.locator(".given u.gold")).to_have_text(["The harbour opened in 2007."])
    expect(good.locator(".given li").nth(1)).to_contain_text("It cost 15 million rupees")
    expect(good.get_by_text("retrieved ✓")).to_be_visible()
    expect(good.locator("ol.quotes li")).to_contain_text("Gazette · 5 March 2011")
    expect(good.locator(".is-gold")).to_have_count(1)
    good.get_by_role("link", name="quotation 1").click()
    expect(good.locator("ol.quotes li")).to_be_in_viewport()
    altered.locator("summary").first.click()
    expect(altered.get_by_role("img", name="not carried by any evidence")).to_be_visible()
    expect(altered.get_by_text("not cited")).to_be_visible()
    expect(altered.get_by_text("Reading: what is needed is in the evidence")).to_be_visible()


def test_a_part_of_an_evidence_sentence_can_be_cited(show: Any) -> None:
    half = (COST[0], COST[0] + 25)
    said = answer(sentence("15 million.", citation(1, half)))
    page = show(make_record(item("half", answer=said, gold=(gold(COST),))))
    page.locator("#item-1 summary").first.click()
    expect(page.locator(".given mark")).to_have_text([HARBOUR[slice(*half)].strip()])
    assert "".join(page.locator(".given u.gold").all_text_contents()) == HARBOUR[slice(*COST)]


def test_an_address_opens_its_item(show: Any) -> None:
    page = show(RECORD)
    page.goto(page.url + "#item-11")
    expect(page.locator("#item-11")).to_have_attribute("open", "")
    expect(page.locator("#item-11").get_by_text("mayor or mayoress")).to_be_in_viewport()


def test_the_keyboard_is_enough_and_its_place_can_be_seen(show: Any) -> None:
    page = show(RECORD)
    page.get_by_label("Find").focus()
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('.item > summary')"):
            break
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect(page.locator("#item-1")).to_have_attribute("open", "")


def test_without_scripts_everything_can_be_read(show: Any) -> None:
    page = show(RECORD, java_script_enabled=False)
    expect(page.locator(".item")).to_have_count(12)
    expect(page.locator(".filters")).to_be_hidden()
    page.locator("#item-1 > summary").click()
    expect(page.locator("#item-1 .given")).to_be_visible()


def test_on_paper_stand_the_verdict_the_figures_the_plots_and_what_failed(show: Any) -> None:
    page = show(MANY)
    page.emulate_media(media="print")
    for visible in (".verdict", "table.figures", "table.funnel", ".plot >> nth=0", ".bar >> nth=0", "#failures"):
        expect(page.locator(visible)).to_be_visible()
    expect(page.locator("#failures tbody tr")).to_have_count(21)
    for hidden in (".filters", "#items", ".about"):
        expect(page.locator(hidden)).to_be_hidden()
    assert page.pdf().startswith(b"%PDF")


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_fits_the_window(show: Any, width: int) -> None:
    page = show(MANY, comparison(), viewport={"width": width, "height": 800})
    page.get_by_role("button", name="Open").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


# Plots.


def test_too_few_answers_draw_no_curves_and_say_so(show: Any) -> None:
    page = show(RECORD)
    expect(page.get_by_text("8 answers with a confidence that can be judged: below 10")).to_have_count(2)
    expect(page.locator(".plot")).to_have_count(1)


def test_plots_hold_the_figures_and_can_be_read_aloud(show: Any) -> None:
    page = show(MANY)
    # 24 answers of confidence 0.9, right: good, altered, hostile and later; wrong: lost, unread, misread, talkative.
    for name in ("Share wrong by share of answers kept", "Share right by confidence"):
        expect(page.get_by_role("img", name=name)).to_be_visible()
    assert "confidence 90%, 50% right, n = 24" in page.locator(".plot desc").all_text_contents()[1]
    assert "Area under it 0.50" in page.content()
    assert "Expected calibration error 0.40" in page.content()
    # Gold articles among the first: all but of "lost" and of the hostile one, 9 answered questions of 3 runs.
    assert "first 1: 78% (" in "".join(page.locator(".plot title").all_text_contents())
    times = cells(page, "times")
    assert times["until the first word"] == ["1.0 s", "1.0 s", "33"]
    assert times["the whole answer"] == ["3.1 s", "3.1 s", "33"]
    assert cells(page, "groups")["follow-up"] == ["100%", "", "44–100%", "3"]
    assert cells(page, "groups")["date"] == ["100%", "", "61–100%", "6"]


# The ends of the range.


def test_a_run_of_nothing_and_a_run_of_one_have_pages(show: Any) -> None:
    page = show(make_record())
    expect(page.locator(".verdict")).to_have_text("Nothing was asked.")
    for each in ITEMS:
        page = show(make_record(each))
        expect(page.locator(".item")).to_have_count(1)
        assert to_markdown(make_record(each))
    assert "Nothing." in to_markdown(make_record())


def test_gold_rows_that_were_left_out_are_told(show: Any) -> None:
    broken = {**RECORD.gold, "broken": [{"line": 3, "problem": f"no question {HOSTILE}"}]}
    page = show(replace(RECORD, gold=broken))
    expect(page.get_by_text("1 row of the gold file could not be used.")).to_be_visible()
    page.locator(".about summary").click()
    expect(page.get_by_text("line 3")).to_be_visible()
    expect(page.get_by_text("a88bb4c, with changes that are not committed")).to_be_visible()


# Two runs.


def comparison() -> Comparison:
    return Comparison(
        a="before",
        b=HOSTILE,
        n=10,
        differences=(
            Difference("right", 10, 0.4, 0.9, 0.5, 0.2, 0.8, 0.031, "McNemar", "b"),
            Difference("total_ms", 10, 4000.0, 3090.0, -910.0, -2000.0, 180.0, 0.4, "permutation", None),
        ),
        changed={"prompts.answer": ("5f2d", HOSTILE)},
        flips=(Flip("misread", ITEMS[4], replace(ITEMS[4], answer=RIGHT, scores={"right": 1.0}, failure=None)),),
        verdict="B is better on right (p = .03); no evidence of a difference elsewhere at n = 10",
    )


def test_a_comparison_stands_first_with_verdict_differences_and_flips(show: Any) -> None:
    page = show(RECORD, comparison())
    expect(page.locator("main > section").first.locator(".verdict")).to_have_text(
        "B is better on right (p = .03); no evidence of a difference elsewhere at n = 10."
    )
    expect(page.locator(".changed")).to_contain_text("prompts.answer")
    rows = cells(page, "differences")
    assert rows["right"] == ["40%", "90%", "+50", "+20 to +80", "0.031", "10", "B"]
    assert rows["ms to the whole answer"] == ["4,000", "3,090", "−910", "−2,000 to +180", "0.400", "10", "–"]
    page.get_by_text("1 question flipped: 1 right only in B, 0 only in A").click()
    expect(page.locator(".flip .side")).to_contain_text(["It opened in 2011.", "It opened in 2007."])


# Markdown.


def test_markdown_holds_the_table_the_funnel_and_what_failed() -> None:
    page = to_markdown(RECORD)
    assert verdict(RECORD) in page
    assert "| answer: right | 50% | 24–76% | 10 | 1 |" in page
    assert "| declining: answerable questions refused (lower is better) |" in page
    assert "  - a gold article retrieved: 7 (−1)" in page
    assert "### What failed: 7 of 12" in page
    assert "- `misread` **reading** `When did it open, misread?`\n  wanted `2007`, got `It opened in 2011.`" in page


def test_markdown_keeps_hostile_text_in_code() -> None:
    page = to_markdown(make_record(*(replace(each, failure="reading") for each in ITEMS)))
    assert page.count("alert") > 10
    # Outside code spans, whatever the number of backticks that fence them, nothing of the text is left.
    outside = re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", page, flags=re.S)
    assert "<" not in outside
    assert "alert" not in outside
    assert "](" not in outside
