"""The benchmark of answers over fakes: which questions, which prompts, and what is counted."""

import json
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from assistant.__main__ import main
from assistant.bench.answer import INSTRUCTION, Asking, choose_questions, run
from assistant.bench.answer_reader import Tokens
from assistant.bench.answer_report import lines_of
from assistant.bench.locomo import load_dialogues
from assistant.errors import InputError
from assistant.records import SamplingParameters
from fakes import FakeEmbedder, FakeModel

ASKING = Asking("Be brief.", n_memories=3, memory_tokens=200, max_tokens=8)
MESSAGES = (
    "I bought a green bicycle in April.",
    "Nice! My cello lessons begin on Tuesday.",
    "The bicycle was stolen from the station.",
    "I am sorry. I could lend you a bicycle.",
    "Thank you, the insurance paid for a red bicycle.",
)
QUESTIONS = (
    ("What happened to the bicycle?", "stolen, replaced", 1, ["D1:3", "D1:5"]),
    ("When do the cello lessons begin?", "Tuesday", 2, ["D1:2"]),
    ("Would Ada like music?", "yes", 3, ["D1:2"]),
    ("What colour was the bicycle?", "green", 4, ["D1:1"]),
    ("What was lent?", "a bicycle", 4, ["D1:4"]),
)


@dataclass
class FakeReader(FakeModel):
    """Answers with `reply` of the last message."""

    n_ctx: int = 4096
    asked: list[str] = field(default_factory=list)

    def answer(self, prompts: Sequence[Tokens]) -> Iterator[tuple[Tokens, str]]:
        for tokens in prompts:
            pieces = self.stream(tokens, SamplingParameters(max_tokens=99))
            answer = "".join(piece.text for piece in pieces)
            self.asked.append(self.prompts[-1])
            yield tokens, answer


@pytest.fixture
def file(tmp_path: Path) -> Path:
    session = [
        {"dia_id": f"D1:{n}", "speaker": ("Ada", "Bob")[n % 2], "text": text}
        for n, text in enumerate(MESSAGES, 1)
    ]
    asked = [
        {"question": text, "answer": answer, "category": category, "evidence": evidence}
        for text, answer, category, evidence in QUESTIONS
    ]
    made = tmp_path / "one.json"
    content = {
        "speaker_a": "Bob",
        "speaker_b": "Ada",
        "session_1": session,
        "session_1_date_time": "1:56 pm on 8 May, 2023",
        "qa": asked,
    }
    made.write_text(json.dumps(content), "utf-8")
    return made


def measure(file: Path, reader: FakeReader, **options: Any) -> dict[str, Any]:
    def open_reader(name: str) -> AbstractContextManager[FakeReader]:
        return nullcontext(reader)

    return run([file], FakeEmbedder(), open_reader, ASKING, models=["fake"], **options)


def notes_of(prompt: str) -> list[int]:
    """The numbers of the messages in a prompt, in the order in which it shows them."""
    return sorted(
        (n for n, text in enumerate(MESSAGES, 1) if text in prompt),
        key=lambda n: prompt.index(MESSAGES[n - 1]),
    )


def test_the_first_questions_of_each_counted_category_are_chosen(file: Path) -> None:
    dialogues = load_dialogues([file])
    assert [q.category for _, q in choose_questions(dialogues, 3)] == [1, 2, 4]
    assert [q.category for _, q in choose_questions(dialogues, 120)] == [1, 2, 4, 4]
    with pytest.raises(InputError):
        choose_questions(dialogues, 2)


def test_the_evidence_stands_in_the_prompt_of_the_second_condition(file: Path) -> None:
    reader = FakeReader()
    report = measure(file, reader, n_questions=3)
    noted = [sorted(notes_of(prompt)) for prompt in reader.asked]
    assert [3, 5] in noted
    assert [2] in noted
    assert all(INSTRUCTION in prompt for prompt in reader.asked)
    assert report["questions"] == 3


def test_a_reader_that_reads_only_the_evidence_shows_in_the_ratio(file: Path) -> None:
    def reply(question: str) -> str:
        return "Tuesday" if question.count(" 2023, ") == 1 and "cello" in question else "unknown"

    figures = measure(file, FakeReader(reply=reply), n_questions=3)["models"]["fake"]
    total = figures["orders"]["relevance"]
    assert (total["f1_recalled"], total["f1_gold"]) == (0, pytest.approx(1 / 3, abs=1e-3))
    assert total["ratio"] == 0
    assert total["by_category"]["2"]["f1_gold"] == 1
    assert total["by_category"]["1"]["ratio"] is None


def test_orders_show_the_same_notes_in_another_order(file: Path) -> None:
    reader = FakeReader()
    report = measure(file, reader, n_questions=3, orders=("relevance", "time", "first"))
    assert set(report["models"]["fake"]["against_relevance"]) == {"time", "first"}
    orders = [notes_of(prompt) for prompt in reader.asked if "What happened" in prompt]
    by_relevance = next(order for order in orders if len(order) == 3)
    assert sorted(by_relevance) in orders  # by time
    assert by_relevance[::-1] in orders  # the best first


def test_an_answer_that_is_kept_is_not_asked_for_again(file: Path, tmp_path: Path) -> None:
    kept = tmp_path / "answers.jsonl"
    first, second = FakeReader(), FakeReader()
    report = measure(file, first, n_questions=3, answers=kept)
    again = measure(file, second, n_questions=3, answers=kept)
    assert first.asked
    assert not second.asked
    orders = [each["models"]["fake"]["orders"] for each in (report, again)]
    assert orders[0] == orders[1]
    assert len(kept.read_text("utf-8").splitlines()) == len(first.asked)


def test_a_prompt_is_answered_once_however_many_orders_share_it(file: Path) -> None:
    reader = FakeReader()
    measure(file, reader, n_questions=3, orders=("relevance", "time", "first"))
    assert len(reader.asked) == len(set(reader.asked))


def test_the_report_prints_a_line_for_every_category_and_order(file: Path) -> None:
    report = measure(file, FakeReader(), n_questions=3, orders=("relevance", "time"))
    text = "\n".join(lines_of(report))
    assert text.count("n=1 ") == 6
    assert "time - relevance" in text


@pytest.mark.model
def test_the_command_answers_with_the_installed_model(
    file: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = "qwen2.5-coder-0.5b-instruct-q4_k_m"
    asked = ["bench", "answer", str(file), "-m", model, "--questions", "3"]
    assert main([*asked, "--max-tokens", "8", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["models"][model]["orders"]["relevance"]["questions"] == 3
