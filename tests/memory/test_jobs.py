"""The queue survives its owner: one at a time, in order, never lost, never for ever."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from assistant.memory.jobs import LEASE_SECONDS, MAX_ATTEMPTS
from assistant.memory.memory import Memory
from assistant.records import EncodedText, NewThought, Recall, RecalledMemory

NOW = datetime(2024, 5, 1, 9, 0, tzinfo=UTC)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory.open(tmp_path / "memory.db", now=NOW) as opened:
        yield opened


def say(memory: Memory, text: str) -> int:
    encoded = EncodedText(text, text, None)
    turn = memory.begin_turn(encoded, NOW)
    memory.finish_turn(turn, EncodedText("Noted.", "Noted.", None), Recall(text), NOW)
    return turn.id


def test_jobs_come_first_in_first_out_and_end(memory: Memory) -> None:
    first, second = say(memory, "one"), say(memory, "two")
    for turn_id in (first, second):
        job = memory.next_job("a", NOW)
        assert job is not None
        assert job.turn_id == turn_id
        memory.complete_job(job, NOW)
    assert memory.next_job("a", NOW) is None
    assert memory.job_counts() == {"done": 2}


def test_only_one_owner_works_until_its_lease_runs_out(memory: Memory) -> None:
    say(memory, "one")
    job = memory.next_job("a", NOW)
    assert job is not None
    assert memory.next_job("b", NOW) is None
    later = NOW + timedelta(seconds=LEASE_SECONDS)
    taken = memory.next_job("b", later)
    assert taken is not None
    assert taken.id == job.id
    assert memory.finish_job(job, "a", [], later) is None  # the first owner came too late
    assert memory.finish_job(taken, "b", [], later) == []


def test_a_released_lease_is_free_at_once(memory: Memory) -> None:
    say(memory, "one")
    assert memory.next_job("a", NOW) is not None
    memory.release_lease("a")
    assert memory.next_job("b", NOW) is not None


def test_a_preempted_job_is_taken_again_and_counts_no_attempt(memory: Memory) -> None:
    say(memory, "one")
    for _ in range(MAX_ATTEMPTS + 2):
        job = memory.next_job("a", NOW)
        assert job is not None
        memory.put_back(job)


def test_a_job_that_keeps_failing_is_given_up(memory: Memory) -> None:
    say(memory, "one")
    for _ in range(MAX_ATTEMPTS):
        job = memory.next_job("a", NOW)
        assert job is not None
        memory.complete_job(job, NOW, "broken")
    assert memory.next_job("a", NOW) is None
    assert memory.job_counts() == {"failed": 1}


def test_a_job_left_running_by_a_crash_is_taken_again(tmp_path: Path) -> None:
    file = tmp_path / "memory.db"
    with Memory.open(file, now=NOW) as memory:
        say(memory, "one")
        assert memory.next_job("crashed", NOW) is not None
    later = NOW + timedelta(seconds=LEASE_SECONDS + 1)
    with Memory.open(file, now=later) as memory:
        assert memory.next_job("next", later) is not None


def test_a_job_and_its_thoughts_are_one_transaction(memory: Memory) -> None:
    say(memory, "I keep bees.")
    job = memory.next_job("a", NOW)
    assert job is not None
    message_id = memory.messages_of_turn(job.turn_id or 0)[0].id
    good = NewThought("I keep bees.", message_id, "rules", "1")
    bad = NewThought("I keep wasps.", message_id, "rules", "1")
    with pytest.raises(Exception, match="wasps"):
        memory.finish_job(job, "a", [good, bad], NOW)
    assert memory.thoughts() == []
    assert memory.finish_job(job, "a", [good], NOW) is not None
    assert len(memory.thoughts()) == 1


def test_only_a_quoted_memory_grows_stronger(memory: Memory) -> None:
    say(memory, "Anna adopted a dog called Bolo.")
    say(memory, "Anna likes tea.")
    found = memory.recall("What is the name of the dog of Anna?", None, NOW, k=2)
    assert len(found.memories) == 2
    question = "What is the name of the dog of Anna?"
    turn = memory.begin_turn(EncodedText(question, question, None), NOW)
    memory.finish_turn(turn, EncodedText("It is Bolo.", "It is Bolo.", None), found, NOW)
    quoted = memory.quoted_memories(turn.id, uncounted=True)
    (dog,) = [m for m in found.memories if "Bolo" in m.text]
    assert quoted == [dog.id]
    assert isinstance(dog, RecalledMemory)
    while (job := memory.next_job("a", NOW)) and job.turn_id != turn.id:
        memory.complete_job(job, NOW)
    assert job is not None
    memory.finish_job(job, "a", [], NOW, quoted=quoted)
    assert memory.quoted_memories(turn.id, uncounted=True) == []
    assert memory.quoted_memories(turn.id) == quoted
    rows = dict(memory.store.read("SELECT id, use_count FROM memories WHERE use_count > 0"))
    assert rows == {dog.id: 1}
