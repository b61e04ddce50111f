"""Who derives thoughts, in order of trust: rules, a model that refines their choice, a model that words.

`RuleWriter` selects sentences. `ModelWriter` lets a model choose among the sentences the rules leave
open, under a grammar that admits their numbers and a closed list of labels and nothing else; the text
stays the person's. `GeneratingWriter` lets a model word thoughts itself: it is opt-in, and only for a
model whose precision was measured (`assistant bench thoughts`), because models of this size put a
false statement into a third of what they write. Knows the shape of a model, no store.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Protocol

from assistant.conversation.ports import LanguageModel
from assistant.conversation.selection import (
    LABELS,
    NAME,
    VERSION,
    Label,
    Selection,
    Sentence,
    make_selection,
    read_sentences,
    score_sentence,
    select_thoughts,
)
from assistant.memory.dates import resolve_dates
from assistant.records import ChatMessage, SamplingParameters

SEQUENCE_THINK: Final = 1  # of the model's: the conversation's prefix stays where it is
MAX_SENTENCES: Final = 12  # shown to a model at once
MIN_SCORE: Final = 0.5  # a sentence with less evidence than this is not put to the model
GENERATE_PRECISION: Final = 0.9  # a model words thoughts only from here
MAX_GENERATED: Final = 4

# Precision of generated thoughts by `assistant bench thoughts`; a model that is not here is not let.
MEASURED_PRECISION: Final[dict[str, float]] = {}


class ThoughtWriter(Protocol):
    """Derives the thoughts of one message of the person."""

    name: str
    version: str
    generates: bool

    def write(self, text: str, now: datetime) -> list[Selection]: ...

    def stop(self) -> None:
        """End a running `write` soon; what it returns then is not used."""


class RuleWriter:
    """The default: no model, about a millisecond a message."""

    name = NAME
    version = VERSION
    generates = False

    def write(self, text: str, now: datetime) -> list[Selection]:
        return select_thoughts(text, now)

    def stop(self) -> None:
        """Nothing runs long enough."""


_CHOOSE: Final = """\
You help to keep a diary of facts about a person. From the numbered sentences the person said, choose \
those that state something lasting about the person: a fact, a preference, a plan, an event or a \
relation. Leave out questions, moods and remarks about the task at hand.
Answer with the numbers and labels, as in "1 fact, 3 plan", or with "none"."""
_EXAMPLE_ASKED: Final = (
    "1. I have two sons.\n2. That was a nice answer.\n3. We fly to Crete in May."
)
_EXAMPLE_ANSWER: Final = "1 relation, 3 plan"


class ModelWriter:
    """A model chooses among the sentences that the rules do not rule out."""

    generates = False
    version = VERSION

    def __init__(self, model: LanguageModel, model_name: str) -> None:
        self._model = model
        self.name = f"model:{model_name}"

    def write(self, text: str, now: datetime) -> list[Selection]:
        open_to_choice = [s for s in read_sentences(text) if not s.reason][:MAX_SENTENCES]
        scored = [(s, score_sentence(s.text, now)[1]) for s in open_to_choice]
        sentences = [s for s, score in scored if score >= MIN_SCORE]
        if not sentences:
            return []
        chosen = self._choose(sentences)
        ruled = {piece: s for s in select_thoughts(text, now) for piece in s.pieces[-1:]}
        selections = []
        for number, label in chosen.items():
            sentence = sentences[number - 1]
            piece = (sentence.start, sentence.end)
            if piece in ruled:  # the rules know which sentence says who "she" is
                selections.append(ruled[piece])
            else:
                selections.append(make_selection(text, (piece,), label, now))
        return selections

    def stop(self) -> None:
        self._model.stop()

    def _choose(self, sentences: Sequence[Sentence]) -> dict[int, Label]:
        asked = "\n".join(f"{n}. {s.text}" for n, s in enumerate(sentences, 1))
        prompt = [
            ChatMessage("system", _CHOOSE),
            ChatMessage("user", _EXAMPLE_ASKED),
            ChatMessage("assistant", _EXAMPLE_ANSWER),
            ChatMessage("user", asked),
        ]
        grammar = choice_grammar(len(sentences))
        answer = _complete(self._model, prompt, grammar, max_tokens=6 * len(sentences) + 4)
        return read_choice(answer)


def choice_grammar(n: int) -> str:
    """GBNF: "none", or some of the numbers 1 to n in order, each with a label of the closed list."""
    labels = " | ".join(f'"{label}"' for label in LABELS)
    rules = [f"label ::= {labels}"]
    for number in range(n, 0, -1):
        later = " | ".join(f"from{k}" for k in range(number + 1, n + 1))
        tail = f' (", " ({later}))?' if later else ""
        rules.append(f'from{number} ::= "{number} " label{tail}')
    starts = " | ".join(f"from{k}" for k in range(1, n + 1))
    return "\n".join([f'root ::= "none" | {starts}', *rules])


def read_choice(answer: str) -> dict[int, Label]:
    """The numbers chosen and their labels. A cut-off end is left out."""
    chosen: dict[int, Label] = {}
    for part in answer.split(","):
        number, _, label = part.strip().partition(" ")
        if number.isdigit() and label in LABELS:
            chosen[int(number)] = label
    return chosen


_WORD: Final = """\
You keep a diary of facts about a person. From each message, write every lasting fact about the person as \
one short sentence on its own line, with the words of the message only. Do not answer the message. Write \
"none" when it says nothing lasting about the person."""
_WORD_EXAMPLES: Final = (
    (
        "Hi! We moved to Riga in 2019 and I hate mushrooms. Which wine goes with trout?",
        "- They moved to Riga in 2019.\n- The person hates mushrooms.",
    ),
    ("Which wine goes with trout?", "none"),
    (
        "My brother Karl drives a bus. He turns forty on 2 May 2021.",
        "- The person's brother Karl drives a bus.\n- Karl turns forty on 2 May 2021.",
    ),
)
# One sentence a line, or a small model runs on. No length: a bounded repetition of a class costs
# llama.cpp seconds a token.
_GENERATE_GRAMMAR: Final = r"""root ::= "none" | line ("\n" line)? ("\n" line)? ("\n" line)?
line ::= "- " [A-Z] [^\n.!?]+ [.!?]
"""


class GeneratingWriter:
    """A model words the thoughts. Opt-in; see MEASURED_PRECISION."""

    generates = True
    version = VERSION

    def __init__(self, model: LanguageModel, model_name: str) -> None:
        self._model = model
        self.name = f"generate:{model_name}"

    def write(self, text: str, now: datetime) -> list[Selection]:
        prompt = [ChatMessage("system", _WORD)]
        for said, facts in _WORD_EXAMPLES:
            prompt += [ChatMessage("user", _asked(said)), ChatMessage("assistant", facts)]
        prompt.append(ChatMessage("user", _asked(resolve_dates(text, now))))
        answer = _complete(self._model, prompt, _GENERATE_GRAMMAR, max_tokens=24 * MAX_GENERATED)
        whole = ((0, len(text)),)
        lines = [line.removeprefix("- ").strip() for line in answer.splitlines()]
        kept = [line for line in lines if line and line != "none"][:MAX_GENERATED]
        return [Selection(whole, line, "fact", 1.0) for line in kept]

    def stop(self) -> None:
        self._model.stop()


def _asked(message: str) -> str:
    return f'Message: "{message}"\nLasting facts about the person:'


def _complete(
    model: LanguageModel, prompt: Sequence[ChatMessage], grammar: str, max_tokens: int
) -> str:
    """One greedy answer. The think sequence keeps its prefix: every prompt begins alike."""
    parameters = SamplingParameters(temperature=0, max_tokens=max_tokens, grammar=grammar)
    tokens = model.stream(model.render(prompt), parameters, sequence=SEQUENCE_THINK)
    return "".join(token.text for token in tokens)


def choose_writer(kind: str, model: LanguageModel | None, model_name: str) -> ThoughtWriter:
    """The writer the settings ask for, or the most trusted one that can be had.

    Without a model, and for a model not measured at GENERATE_PRECISION, the rules write.
    """
    if kind == "model" and model is not None:
        return ModelWriter(model, model_name)
    trusted = MEASURED_PRECISION.get(model_name, 0.0) >= GENERATE_PRECISION
    if kind == "generate" and model is not None and trusted:
        return GeneratingWriter(model, model_name)
    return RuleWriter()
