"""`bench forgetting`: a year of messages with a known pattern of need, with and without forgetting.

10 000 messages are recorded over 365 days in a real store. Needs arise by two laws: nine in ten fall
on facts by how useful they are and how lately they were used (the power law of recency and frequency
in Anderson and Schooler 1991, "Reflections of the environment in memory"), one in ten uniformly on
facts that were never needed before, which no policy can foresee. A need is a question that shares some
words with its fact and brings one of its own; recall@10 is whether the fact comes back. What comes back
is used, so it is strengthened.

Words are made up and drawn by Zipf's law, some of them from the conversation's topic; a text's vector
is the sum of its words' random vectors, the rarer the longer, so meaning is shared words. Nothing here
knows how a policy decides: it calls `policy(memory, now)` once a week.
"""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click
import numpy as np

from assistant.bench.report import Settings, print_report
from assistant.memory.memory import Memory
from assistant.records import EncodedText, FloatArray

DAYS: Final = 365
N_MESSAGES: Final = 10_000
N_NEEDS: Final = 300
FIRST_NEED_DAY: Final = 60  # before, little has had time to fade
UNIFORM_SHARE: Final = 0.1  # of the needs, drawn uniformly from never-reused facts
USEFUL_SHARE: Final = 0.15  # of the facts; another fact is needed USELESS times as often
USELESS: Final = 0.02
DECAY: Final = 0.5  # need falls with age ** -DECAY
N_WORDS: Final = 1_500
FACT_WORDS: Final = (5, 10)
QUERY_WORDS: Final = 2  # shared with the fact
MESSAGES_A_CONVERSATION: Final = 40
TOPIC_WORDS: Final = 12  # of a conversation; a message takes about a third of its words from them
TOPIC_SHARE: Final = 0.33
DIMENSION: Final = 384
START: Final = datetime(2023, 1, 1, tzinfo=UTC)
K: Final = 10

Policy = Callable[[Memory, datetime], object]


def remember_everything(memory: Memory, now: datetime) -> None:
    """No forgetting: the arm the others are compared with."""


def hide_the_old(memory: Memory, now: datetime) -> None:
    """A crude arm that the simulator must punish: what is older than 90 days is forgotten."""
    with memory.store.write() as connection:
        connection.execute(
            "UPDATE memories SET state = 'forgotten' WHERE state = 'active' AND created < ?",
            ((now - timedelta(days=90)).isoformat(timespec="microseconds"),),
        )


def fade(memory: Memory, now: datetime) -> None:
    """The product's own policy, as the idle worker calls it."""
    memory.fade(now)


POLICIES: Final[dict[str, Policy]] = {
    "none": remember_everything,
    "age": hide_the_old,
    "fade": fade,
}


@dataclass(slots=True)
class Year:
    """One seed's messages and their latent usefulness; the same for every policy."""

    texts: list[str]
    created: list[float]  # days since START, ascending
    usefulness: np.ndarray[Any, np.dtype[np.float64]]  # (n,)
    words: list[str]
    rng: np.random.Generator = field(repr=False)
    vectors: dict[str, FloatArray] = field(repr=False)  # word -> (DIMENSION,)

    @classmethod
    def make(cls, seed: int, n_messages: int) -> "Year":
        rng = np.random.default_rng(seed)
        words = _words(rng)
        weights = 1 / np.arange(10, N_WORDS + 10)
        weights /= weights.sum()
        drawn_from = np.array(words)  # once, not at each draw
        created = np.sort(rng.uniform(0, DAYS, n_messages))
        texts, topic = [], words[:TOPIC_WORDS]
        for at in range(n_messages):
            if at % MESSAGES_A_CONVERSATION == 0:
                topic = rng.choice(drawn_from, TOPIC_WORDS, replace=False, p=weights).tolist()
            n = int(rng.integers(*FACT_WORDS))
            n_topic = int(rng.binomial(n, TOPIC_SHARE))
            own = rng.choice(drawn_from, n - n_topic, replace=False, p=weights)
            texts.append(" ".join([*rng.choice(topic, n_topic, replace=False), *own]))
        usefulness = np.where(rng.random(n_messages) < USEFUL_SHARE, 1.0, USELESS)
        length = np.sqrt(np.log(1 / weights))[:, None]  # rare words weigh more, as in idf
        vectors = rng.standard_normal((N_WORDS, DIMENSION)).astype(np.float32) * length
        by_word = dict(zip(words, vectors.astype(np.float32), strict=True))
        return cls(texts, created.tolist(), usefulness, words, rng, by_word)

    def embed(self, text: str) -> FloatArray:
        """(DIMENSION,), norm 1."""
        total = np.sum([self.vectors[word] for word in text.split()], axis=0)
        return np.asarray(total / np.linalg.norm(total), np.float32)

    def question(self, fact: int) -> str:
        said = self.texts[fact].split()
        shared = self.rng.choice(said, min(QUERY_WORDS, len(said)), replace=False)
        return " ".join([*shared, str(self.rng.choice(self.words))])


def _words(rng: np.random.Generator) -> list[str]:
    """N_WORDS made-up words, by frequency; consonants and vowels alternate, so no stop words."""
    consonants, vowels = list("bdfgklmnprtvz"), list("aiou")
    words: dict[str, None] = {}
    while len(words) < N_WORDS:
        syllables = rng.choice(consonants, 3), rng.choice(vowels, 3)
        words["".join(c + v for c, v in zip(*syllables, strict=True))] = None
    return list(words)


@dataclass(slots=True)
class Outcome:
    """What one year under one policy gave."""

    recall_at_10: float
    recall_of_unforeseen: float
    n_active: int


def live(year: Year, policy: Policy, n_needs: int) -> Outcome:
    """Record the year's messages day by day, let needs arise, and call the policy each week."""
    rng = np.random.default_rng(len(year.texts))
    need_days = np.sort(rng.uniform(FIRST_NEED_DAY, DAYS, n_needs)).tolist()
    hits, unforeseen = [], []
    with tempfile.TemporaryDirectory() as folder:
        memory = Memory.open(Path(folder) / "memory.db", now=START)
        with memory:
            life = _Life(year, memory)
            for day in range(DAYS):
                life.record_until(day + 1)
                while need_days and need_days[0] < day + 1:
                    fact, is_new = life.next_need(rng, need_days.pop(0))
                    hits.append(life.ask(fact))
                    if is_new:
                        unforeseen.append(hits[-1])
                if day % 7 == 6:
                    policy(memory, START + timedelta(days=day + 1))
            n_active = memory.store.value("SELECT count(*) FROM memories WHERE state = 'active'")
    return Outcome(float(np.mean(hits)), float(np.mean(unforeseen)), int(n_active))


class _Life:
    """The person: says things, needs things, uses what comes back."""

    def __init__(self, year: Year, memory: Memory) -> None:
        self.year = year
        self.memory = memory
        self.memory_ids: list[int] = []
        self.n_uses = np.zeros(len(year.texts))
        self.last_used = np.array(year.created)
        self.day = 0.0
        self._conversation = 0
        memory.use_embedder("simulated", DIMENSION)

    def record_until(self, day: float) -> None:
        """Record what is said before `day`, in one transaction."""
        created, texts = self.year.created, self.year.texts
        with self.memory.store.write():
            while len(self.memory_ids) < len(texts) and created[len(self.memory_ids)] < day:
                at = len(self.memory_ids)
                now = START + timedelta(days=created[at])
                if at % MESSAGES_A_CONVERSATION == 0:
                    self._conversation = self.memory.new_conversation("", now)
                before = texts[at - 1] if at % MESSAGES_A_CONVERSATION else ""
                encoded = EncodedText(
                    texts[at],
                    texts[at],
                    self.year.embed(texts[at]),
                    context_vector=self.year.embed(f"{before} {texts[at]}"),
                )
                message_id = self.memory.record_message(
                    encoded, now, conversation_id=self._conversation
                )
                self.memory_ids.append(
                    self.memory.store.value(
                        "SELECT id FROM memories WHERE message_id = ? AND kind = 'message'",
                        (message_id,),
                    )
                )
        self.day = day

    def next_need(self, rng: np.random.Generator, day: float) -> tuple[int, bool]:
        """The fact needed on `day`, and whether it was drawn uniformly from the never needed."""
        self.day = day
        n = int(np.searchsorted(self.year.created[: len(self.memory_ids)], day))
        if rng.random() < UNIFORM_SHARE:
            return int(rng.choice(np.flatnonzero(self.n_uses[:n] == 0))), True
        age = np.maximum(day - self.last_used[:n], 0.1)
        weight = self.year.usefulness[:n] * (1 + self.n_uses[:n]) * age**-DECAY
        return int(rng.choice(n, p=weight / weight.sum())), False

    def ask(self, fact: int) -> bool:
        """Ask for a fact; what was needed and came back is used, which strengthens it."""
        now = START + timedelta(days=self.day)
        question = self.year.question(fact)
        found = self.memory.recall(question, self.year.embed(question), now, k=K)
        self.n_uses[fact] += 1
        self.last_used[fact] = self.day
        wanted = self.memory_ids[fact]
        hit = any(memory.id == wanted for memory in found.memories)
        if hit:
            self.memory.strengthen([wanted], now)
        return hit


def run(
    policy: str,
    seeds: Sequence[int],
    *,
    n_messages: int = N_MESSAGES,
    n_needs: int = N_NEEDS,
    on_progress: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """The policy against no forgetting, on the same years; means over the seeds."""
    rows = []
    for seed in seeds:
        kept = live(Year.make(seed, n_messages), remember_everything, n_needs)
        faded = live(Year.make(seed, n_messages), POLICIES[policy], n_needs)
        row = {
            "seed": seed,
            "recall_at_10": round(faded.recall_at_10, 4),
            "recall_at_10_without": round(kept.recall_at_10, 4),
            "unforeseen_recall_at_10": round(faded.recall_of_unforeseen, 4),
            "unforeseen_recall_at_10_without": round(kept.recall_of_unforeseen, 4),
            "active": faded.n_active,
            "active_without": kept.n_active,
        }
        rows.append(row)
        on_progress(str(row))
    means = {name: round(float(np.mean([r[name] for r in rows])), 4) for name in rows[0]}
    return {
        "policy": policy,
        "seeds": len(rows),
        "messages": n_messages,
        "needs": n_needs,
        **{name: value for name, value in means.items() if name != "seed"},
        "recall_loss": round(means["recall_at_10_without"] - means["recall_at_10"], 4),
        "active_smaller_by": round(1 - means["active"] / means["active_without"], 4),
        "by_seed": rows,
    }


@click.command("forgetting")
@click.option("--policy", type=click.Choice(list(POLICIES)), default=list(POLICIES)[-1])
@click.option("--seeds", "n_seeds", default=10, show_default=True, help="Seeds 0 to N - 1.")
@click.option("--messages", default=N_MESSAGES, show_default=True)
@click.option("--needs", default=N_NEEDS, show_default=True)
@click.pass_obj
def command(settings: Settings, policy: str, n_seeds: int, messages: int, needs: int) -> None:
    """A simulated year: recall and size of the active set, with and without forgetting."""
    report = run(
        policy,
        range(n_seeds),
        n_messages=messages,
        n_needs=needs,
        on_progress=lambda line: click.echo(line, err=True),
    )
    print_report(report, settings)
