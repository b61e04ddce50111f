"""The TUI's pure parts: filters, history, mailbox, threads, keys, imports."""

import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.conversation.events import Event, Phase, TokenText
from assistant.errors import SettingError
from assistant.records import Message
from assistant.tui.app import KEY_PLACES
from assistant.tui.history import MAXIMUM, PromptHistory
from assistant.tui.keys import keys_of, read_keymap
from assistant.tui.memory_filter import parse_filter
from assistant.tui.memory_text import spark
from assistant.tui.power import on_battery
from assistant.tui.screens.models import progress_text, size_text
from assistant.tui.session import Download, pair_turns
from assistant.tui.text import ago
from assistant.tui.worker import JobThread, Mailbox, join_texts
from assistant.wording import count

NOW = datetime(2026, 3, 14, 9, 26, tzinfo=UTC)
HEAVY = (
    "llama_cpp", "onnxruntime", "sqlite_utils", "sqlite3", "huggingface_hub", "tokenizers", "hnswlib",
    "jinja2",
)  # fmt: skip


def test_importing_the_app_loads_no_library_of_the_model_or_the_store() -> None:
    code = (
        f"import sys, assistant.tui.app\nprint([name for name in {HEAVY!r} if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_a_filter_is_read_with_kinds_dates_phrases_and_words() -> None:
    wanted, problem = parse_filter(
        'kind:thought before:2026-01 "fresh cilantro" anna by:me pinned:'
    )
    assert problem == ""
    assert wanted.kinds == ("thought",)
    assert wanted.before == datetime(2026, 1, 1, tzinfo=UTC)
    assert (wanted.phrases, wanted.words) == (("fresh cilantro",), ("anna",))
    assert (wanted.roles, wanted.pinned) == (("user",), True)


def test_a_filter_knows_its_words_in_capitals_and_says_what_it_does_not_know() -> None:
    wanted, problem = parse_filter("Kind:Thought pinned:NO Anna")
    assert (wanted.kinds, wanted.pinned, wanted.words) == (("thought",), False, ("Anna",))
    assert problem == ""
    assert parse_filter("pinned:maybe")[1] == "pinned: is yes or no."
    assert parse_filter("before:2026-13")[1].startswith("before: takes a date")


@given(st.text(max_size=60))
def test_no_filter_text_raises(text: str) -> None:
    parse_filter(text)


def test_dates_read_as_a_person_says_them() -> None:
    assert [ago(NOW - timedelta(minutes=m), NOW) for m in (0, 5, 130, 60 * 24)] == [
        "now", "5 min", "2 h", "yesterday",
    ]  # fmt: skip
    assert ago(NOW - timedelta(days=20), NOW) == "22 Feb"
    assert ago(NOW - timedelta(days=400), NOW) == "7 Feb 2025"
    assert [count(1, "memory"), count(2, "memory"), count(2, "near-miss")] == [
        "1 memory", "2 memories", "2 near-misses",
    ]  # fmt: skip


def test_history_keeps_what_was_sent_and_gives_the_draft_back(tmp_path: Path) -> None:
    history = PromptHistory(tmp_path / "h")
    for prompt in ("one", "two", "two"):
        history.add(prompt)
    assert [history.step(-1, "draft"), history.step(-1, "two"), history.step(-1, "one")] == [
        "two", "one", None,
    ]  # fmt: skip
    assert [history.step(1, "one"), history.step(1, "two")] == ["two", "draft"]
    (tmp_path / "h").write_text('"one"\n')  # as erasing "two" leaves it
    history.reload()
    assert history.step(-1, "") == "one"


def test_a_prompt_that_is_not_kept_stays_out_of_the_file_for_good(tmp_path: Path) -> None:
    history = PromptHistory(tmp_path / "h")
    history.add("of a temporary chat", keep=False)
    history.add("hello", keep=False)
    history.add("hello")
    assert history.step(-2, "") == "of a temporary chat"
    assert (tmp_path / "h").read_text() == '"hello"\n'


def test_what_another_program_erases_or_adds_meanwhile_is_so_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "h"
    first, second = PromptHistory(file), PromptHistory(file)
    first.add("the shed code is tulip")
    second.add("hello")
    file.write_text('"hello"\n')  # as `erase` does
    first.add("and now?")
    assert PromptHistory(file).step(-2, "") == "hello"
    assert "tulip" not in file.read_text()


def test_a_long_file_is_cut_when_it_is_opened(tmp_path: Path) -> None:
    file = tmp_path / "h"
    file.write_text("".join(f'"{n}"\n' for n in range(2 * MAXIMUM + 1)))
    PromptHistory(file)
    assert len(file.read_text().splitlines()) == MAXIMUM
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_prompt_that_is_changed_on_the_way_through_the_history_comes_back_changed() -> None:
    history = PromptHistory()
    for prompt in ("one", "two"):
        history.add(prompt)
    assert history.step(-1, "draft") == "two"
    assert history.step(-1, "two and more") == "one"
    assert [history.step(1, "one"), history.step(1, "two and more")] == ["two and more", "draft"]
    history.add("three")
    assert [history.step(-1, ""), history.step(-1, "three")] == ["three", "two"]


def test_a_history_that_cannot_be_read_or_written_costs_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "h").write_bytes(b"\xff\xfe not json\n")
    history = PromptHistory(tmp_path / "h")
    assert history.step(-1, "") is None
    history.add("zero")
    assert PromptHistory(tmp_path / "h").step(-1, "") == "zero"
    nowhere = PromptHistory(tmp_path / "missing" / "h")
    nowhere.add("one")
    assert nowhere.step(-1, "") == "one"


def test_texts_in_a_row_are_joined_and_the_order_of_events_is_kept() -> None:
    events: list[Event] = [TokenText("a"), TokenText("b"), Phase("writing"), TokenText("c")]
    assert join_texts(events) == [TokenText("ab"), Phase("writing"), TokenText("c")]


def test_a_mailbox_wakes_its_reader_once_for_each_burst_and_loses_nothing() -> None:
    box, woken, read = Mailbox(), threading.Semaphore(0), []

    def write() -> None:
        for number in range(2000):
            if box.put(TokenText(f"{number} ")):
                woken.release()

    writer = threading.Thread(target=write)
    writer.start()
    while writer.is_alive() or woken.acquire(blocking=False):
        while events := box.take():
            read += events
    while events := box.take():
        read += events
    writer.join()
    text = "".join(event.text for event in read if isinstance(event, TokenText))
    assert text == "".join(f"{number} " for number in range(2000))


def test_a_job_thread_carries_results_and_errors_and_outlives_both() -> None:
    thread = JobThread("test")
    assert thread.submit(lambda: 7).result(5) == 7
    with pytest.raises(ZeroDivisionError):
        thread.submit(lambda: 1 / 0).result(5)
    assert thread.submit(lambda: 8).result(5) == 8
    assert thread.close()


def test_messages_pair_into_turns_also_where_a_reply_is_missing() -> None:
    def message(number: int, turn: int, role: str, partial: bool = False) -> Message:
        return Message(number, 1, turn, role, f"{role} {turn}", "", NOW, partial=partial)  # type: ignore[arg-type]

    turns = pair_turns(
        [message(1, 5, "user"), message(2, 5, "assistant", True), message(3, 6, "user")]
    )
    assert [(turn.number, turn.prompt, turn.reply, turn.partial) for turn in turns] == [
        (1, "user 5", "assistant 5", True),
        (2, "user 6", "", False),
    ]


def test_own_keys_are_read_and_unknown_ones_named() -> None:
    keys = keys_of(KEY_PLACES)
    assert read_keymap(["prompt.send=ctrl+s|f5"], keys) == {"prompt.send": "ctrl+s,f5"}
    with pytest.raises(SettingError, match="names no key"):
        read_keymap(["prompt.fly=ctrl+s"], keys)


def test_a_draining_battery_is_seen(tmp_path: Path) -> None:
    assert not on_battery(tmp_path)
    (tmp_path / "BAT0").mkdir()
    (tmp_path / "BAT0" / "status").write_text("Discharging\n")
    assert on_battery(tmp_path)
    assert not on_battery(tmp_path / "nowhere")


def test_numbers_are_drawn_as_people_read_them() -> None:
    assert spark([0.0, 0.5, 1.0, 7.0]) == "▁▅██"
    assert [size_text(n) for n in (999, 491_400_064, 1_117_320_768)] == ["1 kB", "491 MB", "1.1 GB"]
    assert progress_text(Download("m", 50_000_000, 0)) == "m: downloading 50 MB"
