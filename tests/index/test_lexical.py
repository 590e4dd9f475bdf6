"""The lexical index: what stands in a text is found by its words, in any script and however it is written."""

from __future__ import annotations

import sqlite3
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from index import lexical
from index.ledger import Ledger
from index.lexical import Entry
from index.words import content_tokens, tokens

Made = Callable[..., Any]

TEXTS = {
    "Latin": "Türkiye’nin İzmir kenti, ISPARTA ve Łódź; naïve façade, straße, ŒUVRE, Þingvellir, “co-operate”.",
    "Greek": "Η Αθήνα και ο ΟΔΥΣΣΕΥΣ· η θάλασσα, οδός Ἑρμοῦ.",
    "Cyrillic": "Москва и Київ: ёлка, объявление, ЗАВОД, їжак.",
    "Arabic": "افتتح الرئيس الجِسْر الجديد في كراتشي، العـــربية ٢٠٢٤.",
    "Hebrew": "הגשר החדש נפתח ביום שני בְּתֵל אָבִיב.",
    "Devanagari": "कराची में नया पुल खोला गया, हिन्दी और संस्कृत १२३।",
    "Bengali": "ঢাকায় নতুন সেতু খোলা হয়েছে।",
    "Tamil": "சென்னையில் புதிய பாலம் திறக்கப்பட்டது.",
    "Thai": "สะพานใหม่เปิดใช้งานแล้วที่กรุงเทพฯ",
    "Chinese": "新桥星期一在上海开放，使用了Windows系统和5G基站。",
    "Japanese": "新しい橋が東京で開通した。コンピューターとiPhonesの話。",
    "Korean": "서울에서 새 다리가 월요일에 개통되었다.",
    "Georgian": "თბილისში ახალი ხიდი გაიხსნა.",
    "Armenian": "Երևանում նոր կամուրջ և մետրո։",
    "Amharic": "አዲስ አበባ አዲስ ድልድይ ተከፈተ።",
    "Khmer": "ស្ពានថ្មីត្រូវបានបើក",
    "Burmese": "တံတားအသစ်ဖွင့်လှစ်ခဲ့သည်",
    "Mixed": "GPT-3.5 “costs” 1.5-2.5 cents; the 737-8.5, F-16s, B2B, 10km, 3.5mm, €1,200, ₹12,00,000 in 2½ hours.",
}  # fmt: skip


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path / "home" / "ledger.sqlite3", "made-up")
    yield ledger
    ledger.close()


@pytest.fixture
def holds(ledger: Ledger, made: Made) -> Callable[[str, str], bool]:
    """Whether an article with a text is found by a question, and none of the question's words is unheard."""

    def holds(text: str, question: str) -> bool:
        ledger.publish(
            [made("a", text, title="Own"), made("other", "Quite another thing was written by nobody.", title="Other")]
        )
        asked = tokens(question)
        found = ledger.match_articles(asked, 10)
        assert ledger.key("other") not in found
        return ledger.key("a") in found and not ledger.unheard(asked)

    return holds


@pytest.mark.parametrize("script", TEXTS)
def test_every_word_as_it_stands_in_a_text_is_found_and_never_unheard(ledger: Ledger, made: Made, script: str) -> None:
    text = TEXTS[script]
    ledger.publish([made("a", text)])
    key = ledger.key("a")
    written = [word.strip("“”,;:.·、，。।։።") for word in text.split()]
    for word in [w for w in written if any(c.isalnum() for c in w)]:
        for typed in (word, word.upper(), word.lower(), unicodedata.normalize("NFD", word), f"  {word}?"):
            asked = tokens(typed)
            assert asked, typed
            assert ledger.match_articles(asked, 5).keys() == {key}, typed
            assert ledger.unheard(asked) == set(), typed


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("Die Müller AG zahlt.", "Mueller"),
        ("Die Mueller AG zahlt.", "Müller"),
        ("Die Müller AG zahlt.", "muller"),
        ("Ærø and Århus are in Denmark.", "Aarhus"),
        ("In Łódź, Poland.", "Lodz"),
        ("Die Straße ist zu.", "STRASSE"),
        ("Die Strasse ist zu.", "Straße"),
        ("A cease-fire was signed.", "ceasefire"),
        ("A ceasefire was signed.", "cease-fire"),
        ("A cease‑fire was signed.", "cease-fire"),
        ("A cease-fire was signed.", "fire"),
        ("COVID-19 spread.", "covid19"),
        ("Covid19 spread.", "COVID-19"),
        ("It cost 1,200 rupees.", "1200"),
        ("It cost 1200 rupees.", "1,200"),
        ("It cost 1\u00a0200 rupees.", "1200"),
        ("It cost 1\u202f200 rupees.", "1,200"),
        ("Es kostete 1.200 Euro.", "1200"),
        ("It cost 1’200 francs.", "1,200"),
        ("It cost 1,234,567.89 rupees.", "1234567.89"),
        ("It cost 12,00,000 rupees.", "1200000"),
        ("Es kostete 1.234.567,89 Euro.", "1234567,89"),
        ("It is 10km long.", "10 km"),
        ("It is 10km long.", "km"),
        ("The 3.5mm film.", "3.5 mm"),
        ("It has 5 km² of land.", "km2"),
        ("CO₂ rose.", "co2"),
        ("The ﬁrst ofﬁce.", "first office"),
        ("The first office.", "ﬁrst ofﬁce"),
        ("A cup of ½ litre.", "1/2"),
        ("Half: 1/2.", "½"),
        ("2½ hours passed.", "2½"),
        ("Louis ⅩⅣ reigned.", "XIV"),
        ("٢٠٢٤ was dry.", "2024"),
        ("In the year 2024.", "２０２４"),
        ("Ｆｕｌｌｗｉｄｔｈ letters.", "fullwidth"),
        ("O’Brien resigned.", "O'Brien"),
        ("O'Brien resigned.", "obrien"),
        ("She didn’t resign.", "didn't"),
        ("In the 1990’s it rained.", "1990's"),
        ("Agreements were signed.", "agreement signing"),
        ("“GPT-3.5” was used.", "GPT-3.5"),
        ("Between 1.5-2.5 °C.", "1.5-2.5"),
        ("我用Windows系统。", "Windows"),
        ("我用Windows系统。", "系统"),
        ("اشترى iPhones جديدة", "iPhones"),
        ("ﾃﾚﾋﾞ was on.", "テレビ"),
        ("한국 news.", unicodedata.normalize("NFD", "한국")),
        ("Ἑρμῆς spoke.", "ερμης"),
        ("Ёлка stands.", "елка"),
        ("The word العـــربية.", "العربية"),
        ("کراچی\u200cها grew.", "کراچی\u200cها"),
        ("AT&T paid.", "AT&T"),
        ("The U.S.A. voted.", "U.S.A."),
        ("C++ and C#.", "C++"),
    ],
)
def test_a_word_is_found_however_it_is_spelled(holds: Callable[[str, str], bool], text: str, question: str) -> None:
    assert holds(text, question)


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("2½ hours passed.", "21"),
        ("It cost 1,200 rupees.", "200"),
        ("It cost 3.5 rupees.", "35"),
        ("In 2024-25.", "202425"),
        ("A cease-fire was signed.", "easef"),
    ],
)
def test_a_word_that_does_not_stand_there_is_not_found(
    holds: Callable[[str, str], bool], text: str, question: str
) -> None:
    assert not holds(text, question)


def test_the_words_that_no_article_holds_are_the_unheard_ones(ledger: Ledger, made: Made) -> None:
    ledger.publish([made("a", "Der Zürcher Bahnhof öffnete 1871; cease-fire talks failed.")])
    asked = content_tokens("Did the Zuercher Bahnhof of Quokkaville open in 1,871 after the ceasefire-talks, Zoë?")
    assert ledger.unheard(asked) == {"quokkaville", "zoë"} | ({"open"} if "open" in ledger.unheard(["open"]) else set())


def test_a_word_of_two_characters_is_unheard_though_each_of_them_stands_somewhere(ledger: Ledger, made: Made) -> None:
    ledger.publish([made("a", "上山。海上。")])
    assert ledger.unheard(["上海"]) == {"上海"}
    assert ledger.unheard(["海上"]) == set()


def test_words_of_the_title_count_too(ledger: Ledger, made: Made) -> None:
    ledger.publish([made("a", "It was opened.", title="Brücke-Neubau 2.0")])
    assert ledger.unheard(["brücke-neubau", "2.0", "bruecke"]) == set()
    assert ledger.match_chunks(["bruecke"], 5)


@pytest.mark.parametrize("script", TEXTS)
def test_deleting_an_article_leaves_no_term_of_it_behind(
    ledger: Ledger, made: Made, tmp_path: Path, script: str
) -> None:
    ledger.publish([made("kept", "Lions were seen.")])

    def terms() -> dict[str, list[str]]:
        with closing(sqlite3.connect(tmp_path / "home" / "ledger.sqlite3")) as database:
            return {
                table: [row[0] for row in database.execute(f"SELECT term FROM {table}_terms ORDER BY term")]
                for table in lexical.TABLES
            }

    before = terms()
    ledger.publish([made("a", TEXTS[script], title=TEXTS[script][:40])])
    assert terms() != before
    ledger.remove(["a"])
    assert terms() == before
    assert ledger.differences().trouble == ""


def test_a_row_whose_words_were_deleted_with_other_words_is_told_as_trouble(ledger: Ledger, made: Made) -> None:
    ledger.publish([made("a", "Lions were seen."), made("b", "Tigers were seen.")])
    with ledger._engine.begin() as connection:
        lexical.delete(connection, "whole", [Entry(ledger.key("a"), "T", "Zebras were seen.")])
    found = ledger.differences()
    assert found.missing == 1


def test_no_words_find_nothing(ledger: Ledger, made: Made) -> None:
    ledger.publish([made("a", "Lions were seen.")])
    assert ledger.match_articles([], 5) == {}
    assert ledger.match_articles(["…", "", '"', "\u200b"], 5) == {}
    assert ledger.unheard(["…", "", '"']) == set()
