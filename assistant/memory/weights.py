"""What each signal of recall is worth: the one place, and where the numbers come from.

Fitted by `assistant bench recall FILE... --fit` (listwise softmax over every message of a
conversation, L2 0.01), judged by leaving out one conversation at a time, and rounded. Every signal
is absolute (a cosine, a share, a yes or no), so a weight means the same in a store of any size.

Two are not the fit's. `graph` gives candidates alone: it is a share of the best, and fitted it moved no
figure. `retention` is small by design: nothing in those conversations was used or left unused.
`episode` says little that `context` and `neighbours` do not: with one conversation left out, recall@10
is 0.845 with it and 0.842 without, all@20 0.830 and 0.832 (760 questions, `--fit --without episode`).
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
    "meaning": Weight(1.5, "cosine of the text and the query"),
    "context": Weight(3.0, "cosine of the text after the message before it, and the query"),
    "neighbours": Weight(4.6, "the better of the two neighbours' contexts (EM-LLM's contiguity)"),
    "words": Weight(1.4, "share of the query's terms in the text, by their rarity"),
    "window": Weight(1.5, "the same in the text and its two neighbours"),
    "episode": Weight(1.3, "the best cosine of a text of the episode (HCAM, EM-LLM)"),
    "session": Weight(2.0, "BM25 of the session, as a share of the query's terms' rarity"),
    "time": Weight(4.3, "said in the stretch of days that the query names"),
    "answer": Weight(1.3, "holds the sort of answer asked for: a date, a number, a name"),
    "dated": Weight(0.3, "holds a date"),
    "named": Weight(0.2, "holds a name"),
    "graph": Weight(0.0, "personalised PageRank over entities, as a share of the best"),
    "retention": Weight(0.05, "how well it is retained (MemoryBank)"),
    "speaker": Weight(2.3, "said by the one whom the query names", prior=True),
    "length": Weight(0.14, "standard deviations of log length over the mean", prior=True),
    "question": Weight(-0.66, "asks, and so does not tell", prior=True),
    "reply_words": Weight(0.65, "`words` of the question that it answers", prior=True),
    "reply_meaning": Weight(1.2, "`meaning` of the question that it answers", prior=True),
}


def active_weights(priors: bool = True) -> dict[str, float]:
    return {name: w.value for name, w in WEIGHTS.items() if priors or not w.prior}
