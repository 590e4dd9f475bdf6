from __future__ import annotations

from email.message import EmailMessage

import pytest

from tests.index.reading.results import FLOWING, WRAPPED, Write, article, articles, problem, reading, readings

TEXT = "The mill burned down on Sunday.\n"


def mail(text: str = TEXT, subtype: str = "plain", **headers: str) -> EmailMessage:
    message = EmailMessage()
    for name, value in headers.items():
        message[name] = value
    message.set_content(text, subtype=subtype)
    return message


def test_the_header_says_title_author_and_date(write: Write) -> None:
    message = mail(Subject="Mill burned", From="Ann Lee <ann@example.org>", Date="Tue, 04 Mar 2025 23:30:00 -0500")
    found = article(write("mill.eml", message.as_bytes()))
    assert (found.id, found.title, found.author) == ("mill", "Mill burned", "Ann Lee")
    assert (found.published, found.text) == ("2025-03-04", TEXT)


@pytest.mark.parametrize("subject", ["Re: Mill burned", "Fwd: Re: Mill burned", "AW: WG: Mill burned"])
def test_marks_of_answers_and_forwarding_are_no_part_of_the_title(write: Write, subject: str) -> None:
    assert article(write("a.eml", mail(Subject=subject).as_bytes())).title == "Mill burned"


def test_several_senders_are_named_and_one_without_a_name_by_the_address(write: Write) -> None:
    message = mail(Subject="S", From="Ann Lee <a@example.org>, bo@example.org")
    assert article(write("a.eml", message.as_bytes())).author == "Ann Lee, bo@example.org"


def test_encoded_words_and_another_charset_are_decoded(write: Write) -> None:
    raw = (
        b"Subject: =?iso-8859-1?q?M=FChle_brennt?=\r\nFrom: =?utf-8?b?SsO2cmc=?= <j@example.org>\r\n"
        b"Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
        b"Die M=FChle brennt seit Sonntag, =\r\nsagt J=F6rg.\r\n"
    )
    found = reading(write("a.eml", raw))
    assert (found.article.title, found.article.author) == ("Mühle brennt", "Jörg")
    assert (found.article.text, found.notes) == ("Die Mühle brennt seit Sonntag, sagt Jörg.\n", ())


def test_a_wrapped_mail_becomes_paragraphs_and_quotations_keep_their_mark(write: Write) -> None:
    quoted = "".join(f"> {line}\n" for line in WRAPPED.splitlines())
    found = article(write("a.eml", mail(f"{WRAPPED}\n{quoted}", Subject="S").as_bytes()))
    assert found.text == f"{FLOWING}\n> {FLOWING}"


@pytest.mark.parametrize(
    ("parameters", "body", "text"),
    [
        ("format=flowed", "The mill burned \ndown.\nNobody died.\n", "The mill burned down.\nNobody died.\n"),
        ("format=flowed; delsp=yes", "The mi \nll burned.\n", "The mill burned.\n"),
        ("format=flowed", " From the mill \nit came.\n\n-- \nAnn\n", "From the mill it came.\n\n--\nAnn\n"),
    ],
)
def test_flowed_text_is_joined_where_its_lines_go_on(write: Write, parameters: str, body: str, text: str) -> None:
    raw = f"Subject: S\nContent-Type: text/plain; {parameters}\n\n{body}"
    assert article(write("a.eml", raw)).text == text


def test_of_plain_text_and_html_the_plain_text_is_read(write: Write) -> None:
    message = mail(Subject="S")
    message.add_alternative("<html><body><p>The HTML of it.</p></body></html>", subtype="html")
    assert article(write("a.eml", message.as_bytes())).text == TEXT


def test_a_mail_in_html_alone_is_read_as_a_page(write: Write) -> None:
    message = mail("<html><body><p>The mill burned.</p><p>Nobody died.</p></body></html>", "html", Subject="S")
    found = article(write("a.eml", message.as_bytes()))
    assert found.title == "S"
    assert found.text.split("\n\n") == ["The mill burned.", "Nobody died.\n"]


def test_what_is_attached_is_named_and_passed_over(write: Write) -> None:
    message = mail(Subject="S")
    message.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="report.pdf")
    message.add_attachment(b"x", maintype="image", subtype="png")
    found = reading(write("a.eml", message.as_bytes()))
    assert found.article.text == TEXT
    assert found.notes == ("passed over what is attached: report.pdf, image/png",)


def test_an_attached_mail_is_an_article_of_its_own(write: Write) -> None:
    outer = mail("Please read this.", Subject="Look", From="Bo <b@example.org>")
    inner = mail(Subject="Mill burned", From="Ann <a@example.org>", Date="Tue, 04 Mar 2025 12:00:00 +0000")
    outer.add_attachment(inner)
    found = {each.article.id: each.article for each in readings(write("a.eml", outer.as_bytes()))}
    assert (found["a"].title, found["a"].author, found["a"].published) == ("Look", "Bo", "")
    assert (found["a-2"].title, found["a-2"].author, found["a-2"].published) == ("Mill burned", "Ann", "2025-03-04")


def test_a_mail_that_only_passes_another_on_is_no_article(write: Write) -> None:
    outer = mail("\n", Subject="Fwd: Mill burned")
    outer.add_attachment(mail(Subject="Mill burned"))
    assert [each.text for each in articles(write("a.eml", outer.as_bytes()))] == [TEXT]


@pytest.mark.parametrize("date", ["whenever", "Tue, 31 Feb 2025 10:00:00 +0000"])
def test_a_date_that_is_none_leaves_the_mail_undated_and_is_told(write: Write, date: str) -> None:
    found = reading(write("a.eml", f"Subject: S\nDate: {date}\n\n{TEXT}"))
    assert found.article.published == ""
    assert repr(date) in found.notes[0]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is no mail"),
        (b"Just a text without a header.\n", "is no mail"),
        (b"Subject: S\n\n \n", "is empty"),
        (b"Subject: S\nContent-Type: image/png\nContent-Transfer-Encoding: base64\n\neA==\n", "holds no text"),
    ],
)
def test_a_mail_without_text_is_a_problem_that_says_why(write: Write, content: bytes, told: str) -> None:
    assert told in problem(write("a.eml", content)).message
