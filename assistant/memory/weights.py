"""What each signal of recall is worth: the one place, and where the numbers come from.

Fitted by `assistant bench recall FILE... --fit` (listwise softmax over every message of a
conversation, L2 0.01), judged by leaving out one conversation at a time, and rounded. Every signal
is absolute (a cosine, a share, a yes or no), so a weight means the same in a store of any size.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Weight:
    """`prior`: turned off by `--no-priors` (length, question mark, speaker's name)."""

    value: float
    meaning: str
    prior: bool = False


WEIGHTS: Final = {
    "meaning": Weight(2.9, "cosine of the text and the query"),
    "context": Weight(2.6, "cosine of the text after the message before it, and the query"),
    "neighbours": Weight(5.3, "the better of the two neighbours' contexts (EM-LLM's contiguity)"),
    "words": Weight(1.5, "share of the query's terms in the text, by their rarity"),
    "window": Weight(1.5, "the same in the text and its two neighbours"),
    "episode": Weight(0.0, "the best cosine of a text of the episode (HCAM, EM-LLM)"),
    "session": Weight(2.1, "BM25 of the session, as a share of the query's terms' rarity"),
    "time": Weight(4.0, "said in the stretch of days that the query names"),
    "answer": Weight(1.2, "holds the sort of answer asked for: a date, a number, a name"),
    "dated": Weight(0.25, "holds a date"),
    "named": Weight(0.3, "holds a name"),
    "graph": Weight(0.0, "personalised PageRank over entities, as a share of the best"),
    "retention": Weight(0.05, "how well it is retained (MemoryBank)"),
    "speaker": Weight(2.3, "said by the one whom the query names", prior=True),
    "length": Weight(0.12, "standard deviations of log length over the mean", prior=True),
    "question": Weight(-0.65, "asks, and so does not tell", prior=True),
    "reply_words": Weight(0.5, "`words` of the question that it answers", prior=True),
    "reply_meaning": Weight(0.8, "`meaning` of the question that it answers", prior=True),
}


def active_weights(priors: bool = True) -> dict[str, float]:
    return {name: w.value for name, w in WEIGHTS.items() if priors or not w.prior}
