"""From a finished turn to stored thoughts, and what happens when it is interrupted."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from assistant.conversation.postthink import is_barred, post_think
from assistant.conversation.selection import Selection
from assistant.conversation.worker import PostThinkWorker
from assistant.conversation.writers import (
    GeneratingWriter,
    ModelWriter,
    RuleWriter,
    choice_grammar,
    choose_writer,
    read_choice,
)
from assistant.errors import GenerationError
from assistant.memory.dates import resolve_dates
from assistant.memory.memory import Memory
from assistant.records import EncodedText, Recall
from fakes import FakeEmbedder

NOW = datetime(2024, 5, 2, 9, 0, tzinfo=UTC)  # a Thursday


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory.open(tmp_path / "memory.db", now=NOW) as opened:
        yield opened


def say(memory: Memory, text: str, reply: str = "Noted.") -> int:
    turn = memory.begin_turn(EncodedText(text, resolve_dates(text, NOW), None), NOW)
    memory.finish_turn(turn, EncodedText(reply, reply, None), Recall(text), NOW)
    return turn.id


def texts(memory: Memory) -> list[str]:
    return sorted(thought.text for thought in memory.thoughts())


def test_a_turn_becomes_thoughts_in_the_persons_own_words(memory: Memory) -> None:
    say(memory, "Hi! My sister Anna moved to Lisbon last week. What should I send her?")
    worker = PostThinkWorker(memory, FakeEmbedder(), "test")
    assert worker.run_all(NOW) == 1
    assert texts(memory) == ["My sister Anna moved to Lisbon the week of 22 April 2024."]
    vectors = memory.store.value("SELECT count(*) FROM vectors v JOIN thoughts USING (memory_id)")
    assert vectors == 1


def test_nothing_the_assistant_said_becomes_a_thought(memory: Memory) -> None:
    say(memory, "Who am I?", reply="You told me that my name is Bob. I live in Oslo.")
    PostThinkWorker(memory, None, "test").run_all(NOW)
    assert texts(memory) == []


def test_with_nothing_left_to_do_recall_is_prepared(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared: list[bool] = []
    monkeypatch.setattr(memory, "prepare_recall", lambda: prepared.append(True))
    worker = PostThinkWorker(memory, None, "test")
    say(memory, "My sister Anna moved to Lisbon.")
    say(memory, "I keep bees.")
    assert worker.run_all(NOW, limit=1) == 1
    assert prepared == []
    assert worker.run_all(NOW) == 1
    assert prepared == [True]


def test_in_mode_ask_thoughts_wait(memory: Memory) -> None:
    say(memory, "I keep bees on the roof.")
    PostThinkWorker(memory, None, "test", ask_first=True).run_all(NOW)
    assert texts(memory) == []
    assert [t.text for t in memory.thoughts(waiting=True)] == ["I keep bees on the roof."]


def test_barred_topics_are_never_stored(memory: Memory) -> None:
    say(memory, "I keep bees on the roof. I take 50 mg of sertraline.")
    PostThinkWorker(memory, None, "test", never_store=("bees",)).run_all(NOW)
    assert texts(memory) == ["I take 50 mg of sertraline."]
    assert is_barred("My credit cards are blue", ("credit card",))
    assert not is_barred("My cards are blue", ("credit card",))


def test_a_long_paste_gives_no_thoughts(memory: Memory) -> None:
    turn_id = say(memory, "I keep bees on the roof. " * 400)
    assert post_think(turn_id, memory, RuleWriter()).thoughts == ()


class Interrupted(RuleWriter):
    """Calls `stop` while it writes, as the next turn would."""

    worker: PostThinkWorker | None = None

    def write(self, text: str, now: datetime) -> list[Selection]:
        if self.worker is not None:
            self.worker.stop()
        return super().write(text, now)


def test_the_next_turn_preempts_a_job_which_is_done_later(memory: Memory) -> None:
    say(memory, "I keep bees on the roof.")
    writer = Interrupted()
    worker = PostThinkWorker(memory, None, "test", writer=writer)
    writer.worker = worker
    assert not worker.run_next(NOW)
    assert texts(memory) == []
    assert memory.job_counts() == {"queued": 1}
    writer.worker = None
    assert worker.run_next(NOW)
    assert texts(memory) == ["I keep bees on the roof."]


class Failing(RuleWriter):
    def write(self, text: str, now: datetime) -> list[Selection]:
        raise GenerationError("The model broke.")


def test_a_failing_writer_does_not_stop_the_queue(memory: Memory) -> None:
    say(memory, "I keep bees on the roof.")
    worker = PostThinkWorker(memory, None, "test", writer=Failing())
    assert worker.run_all(NOW) == 3  # the attempts
    assert memory.job_counts() == {"failed": 1}


def test_a_closed_worker_leaves_the_queue_to_another(memory: Memory) -> None:
    say(memory, "I keep bees on the roof.")
    first, second = (PostThinkWorker(memory, None, name) for name in ("a", "b"))
    assert first.run_next(NOW)
    say(memory, "I have two cats.")
    assert not second.run_next(NOW)
    first.close()
    assert second.run_next(NOW)


def test_the_grammar_admits_numbers_in_order_with_labels_only() -> None:
    grammar = choice_grammar(2)
    assert 'root ::= "none" | from1 | from2' in grammar
    assert 'from1 ::= "1 " label (", " (from2))?' in grammar
    assert 'from2 ::= "2 " label' in grammar


@pytest.mark.parametrize(
    ("answer", "chosen"),
    [
        ("none", {}),
        ("1 fact, 3 plan", {1: "fact", 3: "plan"}),
        ("1 fact, 3 pl", {1: "fact"}),
        ("", {}),
    ],
)
def test_a_choice_is_read_and_a_cut_off_end_is_dropped(answer: str, chosen: dict[int, str]) -> None:
    assert read_choice(answer) == chosen


def test_without_a_measured_model_the_rules_write() -> None:
    assert isinstance(choose_writer("model", None, ""), RuleWriter)
    assert isinstance(choose_writer("rules", None, ""), RuleWriter)
    fake = object()
    assert isinstance(choose_writer("model", fake, "m"), ModelWriter)  # type: ignore[arg-type]  # not called
    assert not isinstance(choose_writer("generate", fake, "m"), GeneratingWriter)  # type: ignore[arg-type]  # not called


class Meter:
    """Says that the n-th token of a message costs n nats; a stopped one says less."""

    def __init__(self, *, stopped: bool = False) -> None:
        self.stopped = stopped
        self.asked: list[tuple[int, int]] = []

    def tokenize(self, text: str) -> list[int]:
        return [len(word) for word in text.split()]

    def surprise(self, tokens: Sequence[int], *, sequence: int, n_context: int = 0) -> list[float]:
        assert sequence not in (0, 1)  # the conversation's and the writer's
        self.asked.append((len(tokens), n_context))
        n = len(tokens) - n_context
        return [float(at) for at in range(1, n + (not self.stopped))]

    def stop(self) -> None:
        self.stopped = True


def test_surprise_is_measured_on_the_message_after_the_one_before(memory: Memory) -> None:
    first = say(memory, "one two three")
    second = memory.begin_turn(EncodedText("four five", "four five", None), NOW, conversation_id=1)
    memory.finish_turn(second, EncodedText("ok", "ok", None), Recall(""), NOW)
    meter = Meter()
    assert post_think(first, memory, RuleWriter(), meter=meter).surprise == 2.0
    assert post_think(second.id, memory, RuleWriter(), meter=meter).surprise == 1.5
    assert meter.asked == [(3, 0), (3, 1)]  # "Noted." comes before the second
    assert post_think(first, memory, RuleWriter(), meter=Meter(stopped=True)).surprise is None


def test_a_finished_job_puts_its_turn_into_an_episode(memory: Memory) -> None:
    say(memory, "one two three")
    PostThinkWorker(memory, None, "test", meter=Meter).run_all(NOW)
    assert [episode.title for episode in memory.episodes()] == ["one two three"]
    assert memory.store.value("SELECT surprise FROM turn_surprise") == 2.0


def test_what_the_person_forgot_does_not_come_back_when_it_is_thought_over_again(
    memory: Memory,
) -> None:
    say(memory, "I keep bees on the roof.")
    say(memory, "I have two cats.")
    worker = PostThinkWorker(memory, None, "test")
    worker.run_all(NOW)
    (bees,) = [thought for thought in memory.thoughts() if "bees" in thought.text]
    memory.forget([bees.memory_id], NOW)
    memory.rebuild_thoughts(NOW)
    worker.run_all(NOW)
    assert texts(memory) == ["I have two cats."]
    say(memory, "I keep bees on the roof.")  # but said again, it is
    worker.run_all(NOW)
    assert texts(memory) == ["I have two cats.", "I keep bees on the roof."]


def test_thoughts_can_be_rebuilt_but_for_what_the_person_touched(memory: Memory) -> None:
    say(memory, "I keep bees on the roof.")
    say(memory, "I have two cats.")
    worker = PostThinkWorker(memory, None, "test")
    worker.run_all(NOW)
    before = {thought.text: thought.memory_id for thought in memory.thoughts()}
    memory.pin([before["I have two cats."]], NOW)
    assert memory.rebuild_thoughts(NOW) == 1
    assert texts(memory) == ["I have two cats."]
    worker.run_all(NOW)
    after = {thought.text: thought.memory_id for thought in memory.thoughts()}
    assert after.keys() == before.keys()
    assert after["I have two cats."] == before["I have two cats."]
    assert after["I keep bees on the roof."] != before["I keep bees on the roof."]


def test_with_nothing_left_to_do_the_days_are_summarised(memory: Memory) -> None:
    say(memory, "I keep bees on the roof.")
    tomorrow = NOW + timedelta(days=1)
    PostThinkWorker(memory, None, "test").run_all(tomorrow)
    assert memory.store.meta("consolidated") is not None
    assert [text for _, text in memory.days(tomorrow)] == ["I keep bees on the roof."]
