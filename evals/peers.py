"""Where others stand on the benchmark sets: published figures, to be printed beside ours.

None of them was measured by us. `remark` says what keeps a figure from being compared as it stands, and is never empty
where the questions, the measure or the conditions are not the same.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Peer:
    """A published figure of another system: on which data, who, what, from where."""

    on: str
    system: str
    figure: str
    source: str
    remark: str


_REALTIMEQA = "RealTimeQA (Kasai et al. 2023), predictions published with it"
_LATER = "the same kind of quiz of a later year; searched the live web"
_MTRAG_UN = "Rosenthal et al. 2026, MTRAG-UN"
_WICE = "Kamoi et al. 2023, WiCE"
_CLAPNQ = "Rosenthal et al. 2025, CLAPNQ; not re-checked"
_ALL_OF_CLAPNQ = "the passage is given; more questions than here"
_LIU = Peer(
    "generative search engines",
    "mean of four engines",
    "sentences fully supported .515, citations that support .745",
    "Liu et al. 2023, Evaluating Verifiability in Generative Search Engines",
    "other questions, judged by people; ours is our own check of support",
)
_NEWS = (
    Peer("RealTimeQA 2026, n = 88", "Llama-4-Scout + Google search", "contains .57", _REALTIMEQA, _LATER),
    Peer("RealTimeQA 2026, n = 88", "Llama-4-Maverick + Google search", "contains .57", _REALTIMEQA, _LATER),
    Peer("RealTimeQA 2026, n = 53", "GPT-5.4 + Google search", "contains .74", _REALTIMEQA, _LATER),
    Peer(
        "RealTimeQA 2022",
        "GPT-3 + Google search",
        "EM .375, F1 .493",
        "Kasai et al. 2023, RealTime QA",
        "quizzes of another year; answers of a word or two, which EM asks for",
    ),
    _LIU,
)

PEERS: dict[str, tuple[Peer, ...]] = {
    "news-2025": _NEWS,
    "news-2024": _NEWS,
    "clapnq": (
        Peer("CLAPNQ", "GPT-4", "unanswerable refused .18", _CLAPNQ, _ALL_OF_CLAPNQ),
        Peer("CLAPNQ", "GPT-3.5", "unanswerable refused .37", _CLAPNQ, _ALL_OF_CLAPNQ),
        Peer("CLAPNQ", "FLAN-T5, fine-tuned on it", "unanswerable refused .89", _CLAPNQ, _ALL_OF_CLAPNQ),
        _LIU,
    ),
    "mtrag-un": (
        *(
            Peer("MTRAG-UN, all 666", system, f"RB_alg {figure}", _MTRAG_UN, "another measure, over more questions")
            for system, figure in (("gpt-oss-120b", ".46"), ("qwen3-8B", ".41"), ("granite-4-tiny", ".35"))
        ),
        Peer(
            "MTRAG",
            "haiku.rag",
            "refusal precision .23–.33, recall .31–.44",
            "the project's own benchmarks",
            "the set before this one, over whole corpora",
        ),
    ),
    "wice": tuple(
        Peer("WiCE test, claims", system, f"F1 {f1}, accuracy {accuracy}", _WICE, "the test split; ours is dev")
        for system, f1, accuracy in (
            ("T5-3B trained on ANLI", ".618", ".74"),
            ("GPT-3.5", ".393", ".32"),
            ("GPT-4", ".610", ".77"),
        )
    ),
}
