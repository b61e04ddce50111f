"""What a person may do to a store over some weeks, in any order, and what has to hold all the while.

A machine (hypothesis) drives the `Memory` facade; `store_account` watches. Every text has a word of its
own, so that a trace of it can be told from any other. To run it for minutes, with sequences of its own
each time: ASSISTANT_SOAK_SHARE=1 pytest -m soak tests/memory/test_store_machine.py
"""

import copy
import json
import shutil
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from assistant.errors import InputError
from assistant.memory.memory import Memory
from assistant.memory.transfer import restore
from assistant.records import NewThought, Recall
from conftest import SOAK_SHARE
from store_account import EPISODE, EVERY_STATE, Act, StoreWatch, slot_of, told, words_in

picks = st.integers(0, 10**6)
some = st.lists(picks, min_size=1, max_size=3)


class StoreMachine(StoreWatch):
    # ---- talking ----

    def begin(self, pick: int, conversation_id: int | None, replaces: int | None) -> None:
        self.changed()
        text = self.new_text(pick)
        with self.paths.prompt_history.open("a") as lines:
            lines.write(json.dumps(text) + "\n")
        turn = self.memory.begin_turn(
            self.encode(text), self.now, conversation_id=conversation_id, replaces=replaces
        )
        found = self.memory.recall(
            f"{text} kayak soup exam colour live",
            None,
            self.now,
            exclude_turns=[turn.id],
            conversation_id=turn.conversation_id,
            token_budget=60,
            count_tokens=lambda text: len(text.split()),
        )
        lines_of = self.memory.portrait_memories([turn.id], turn.conversation_id)
        known = {memory.id for memory in found.memories}
        given = (*found.memories, *(line for line in lines_of if line.id not in known))
        history = [m.text for m in self.memory.messages(turn.conversation_id)]
        prompt = json.dumps([*history, *(m.resolved_text for m in given)])
        recall = Recall(text, given, tuple(m for m in found.near_misses if m.id not in known))
        self.account.begun.append((turn, recall, prompt))

    def finish(self, pick: int) -> None:
        self.changed()
        turn, recall, prompt = self.account.begun.pop()
        if not self.rows("SELECT 1 FROM messages WHERE id = ?", turn.message_id):
            return  # erased meanwhile
        reply = "Noted."
        if pick % 4 == 0 and recall.memories:
            reply = f"You said: {recall.memories[0].text}"
        self.said(reply)
        self.memory.finish_turn(turn, self.encode(reply), recall, self.now, prompt=prompt)

    def open_conversations(self) -> list[int]:
        return sorted(c.id for c in self.memory.conversations())

    @rule(pick=picks, same=st.booleans())
    def say(self, pick: int, same: bool) -> None:
        chats = self.open_conversations()
        self.begin(pick, chats[pick % len(chats)] if same and chats else None, None)
        self.finish(pick // 7)

    @rule(pick=picks)
    def say_and_wait(self, pick: int) -> None:
        chats = self.open_conversations()
        self.begin(pick, chats[pick % len(chats)] if pick % 2 and chats else None, None)

    @precondition(lambda self: self.account.begun)
    @rule(pick=picks)
    def get_the_reply(self, pick: int) -> None:
        self.finish(pick)

    @rule(pick=picks)
    def say_it_otherwise(self, pick: int) -> None:
        """Another branch of a turn."""
        turns = self.rows(
            "SELECT t.id, t.conversation_id FROM turns t JOIN conversations c"
            " ON c.id = t.conversation_id WHERE t.active AND NOT c.hidden ORDER BY t.id"
        )
        if turns:
            turn_id, conversation_id = turns[pick % len(turns)]
            self.begin(pick // 3, conversation_id, turn_id)
            self.finish(pick // 7)

    @rule(pick=picks)
    def choose_branch(self, pick: int) -> None:
        if turns := self.ids("SELECT id FROM turns WHERE active = 0 ORDER BY id"):
            self.changed()
            self.memory.choose_branch(turns[pick % len(turns)])

    @rule(pick=picks, confirmed=st.sampled_from([True, True, False]))
    def think(self, pick: int, confirmed: bool) -> None:
        """Post-think of the oldest turn that waits for it."""
        self.changed()
        job = self.memory.next_job("worker", self.now)
        if job is None or job.turn_id is None:
            return
        new = [
            self.to_thought(m.text, m.id)
            for m in self.memory.messages_of_turn(job.turn_id)
            if m.role == "user"
        ]
        quoted = self.memory.quoted_memories(job.turn_id, uncounted=True)
        surprise = [None, 1.0, 9.0][pick % 3]
        self.memory.finish_job(
            job, "worker", new, self.now, confirmed=confirmed, quoted=quoted, surprise=surprise
        )

    def to_thought(self, text: str, message_id: int) -> NewThought:
        sentence = text.split(". ")[0].strip()
        sentence = sentence if sentence.endswith(".") else f"{sentence}."
        vector = self.embedder.embed([sentence])[0]
        label = "preference" if "soup" in text else "fact"
        return NewThought(
            sentence, message_id, "rules", "1", label, slot_of(sentence), vector=vector
        )

    @rule(days=st.sampled_from([0.01, 1, 1, 3, 40, 200]))
    def wait(self, days: float) -> None:
        self.changed()
        self.now += timedelta(days=days)

    @rule()
    def idle(self) -> None:
        self.changed()
        self.memory.fade(self.now)
        self.memory.days(self.now)
        self.memory.portrait(self.now)
        self.memory.prepare_recall()

    # ---- what can be undone ----

    @rule(pick=picks)
    def add(self, pick: int) -> None:
        def do() -> Act:
            text = self.new_text(pick)
            outcome = self.memory.add_thought(self.encode(text), self.now, slot=slot_of(text))
            last = self.ids("SELECT max(id) FROM messages")[0]
            came = self.ids("SELECT id FROM memories WHERE message_id = ?", last)
            assert outcome.memory_id in self.recallable(self.thought_ids()), text
            return Act(undo_hides=set(came))

        self.act(do)

    def recallable(self, memory_ids: Iterable[int]) -> set[int]:
        found = {memory.id for memory in self.ask(self.memory)}
        return found & set(memory_ids)

    @rule(pick=picks, state=st.sampled_from(EVERY_STATE))
    def edit(self, pick: int, state: str) -> None:
        ids = self.thought_ids(f"m.state = '{state}'")
        if not ids:
            return

        def do() -> Act:
            text = self.new_text(pick)
            outcome = self.memory.edit_thought(
                ids[pick % len(ids)], self.encode(text), self.now, slot_of(text)
            )
            self.account.reverted.add(outcome.memory_id)  # the person's word, wherever it is from
            edited = {ids[pick % len(ids)]} if state in ("active", "faded") else set()
            return Act(undo_hides={outcome.memory_id}, undo_shows=edited)

        self.act(do)

    @rule(chosen=st.lists(picks, min_size=2, max_size=3), new=st.booleans())
    def merge(self, chosen: list[int], new: bool) -> None:
        ids = self.thought_ids("m.state <> 'forgotten' AND t.confirmed")
        wanted = list(dict.fromkeys(ids[pick % len(ids)] for pick in chosen)) if ids else []
        if len(wanted) < 2:
            return

        shown = [i for i in wanted if self.memory.details(i).state in ("active", "faded")]

        def do() -> Act:
            text = self.new_text(chosen[0]) if new else self.memory.thought(wanted[0]).text
            outcome = self.memory.merge_thoughts(wanted, self.encode(text), self.now, slot_of(text))
            assert self.memory.details(outcome.memory_id).state == "active"
            self.account.reverted.add(outcome.memory_id)
            hides = {outcome.memory_id} - set(wanted)
            return Act(undo_hides=hides, undo_shows=set(shown))

        self.act(do)

    @rule(chosen=some, pinned=st.booleans())
    def pin(self, chosen: list[int], pinned: bool) -> None:
        if ids := self.ids("SELECT id FROM memories WHERE kind <> 'summary' ORDER BY id"):

            def do() -> Act:
                self.memory.pin({ids[p % len(ids)] for p in chosen}, self.now, pinned=pinned)
                return Act()

            self.act(do)

    @rule(chosen=some, everything=st.booleans())
    def forget(self, chosen: list[int], everything: bool) -> None:
        where = f"kind <> 'summary' OR {EPISODE}" if everything else "kind = 'thought'"
        if ids := self.ids(f"SELECT id FROM memories WHERE {where} ORDER BY id"):

            def do() -> Act:
                wanted = {ids[p % len(ids)] for p in chosen}
                hides = {
                    i
                    for i in self.same_message(wanted)
                    if self.memory.details(i).state != "forgotten"
                }
                self.memory.forget(wanted, self.now)
                self.account.forgotten |= hides
                reverted = self.account.reverted & hides
                self.account.reverted -= hides
                return Act(hides=hides, reverted=reverted)

            self.act(do)

    @rule(pick=picks)
    def delete_conversation(self, pick: int) -> None:
        if chats := self.open_conversations():

            def do() -> Act:
                chat = chats[pick % len(chats)]
                self.memory.delete_conversation(chat, self.now)
                self.account.deleted.add(chat)
                reverted = self.account.reverted & set(
                    self.ids("SELECT id FROM memories WHERE conversation_id = ?", chat)
                )
                self.account.reverted -= reverted
                return Act(conversation=chat, reverted=reverted)

            self.act(do)

    @rule(pick=picks, keep=st.sampled_from(["a", "b", "both"]), again=st.booleans())
    def decide(self, pick: int, keep: Literal["a", "b", "both"], again: bool) -> None:
        ids = [c.id for c in self.memory.conflicts()]
        if again:  # one that was decided, perhaps
            ids = self.ids("SELECT id FROM links WHERE kind = 'conflict' ORDER BY id")
        if not ids:
            return

        def do() -> Act:
            chosen = ids[pick % len(ids)]
            try:
                self.memory.resolve_conflict(chosen, keep, self.now)
            except InputError:
                assert again
                return Act()
            (row,) = self.rows("SELECT * FROM links WHERE id = ?", chosen)
            kept = {"a": ["from_memory"], "b": ["to_memory"]}.get(
                keep, ["from_memory", "to_memory"]
            )
            for side in kept:
                assert self.memory.details(row[side]).state == "active"
            return Act()

        self.act(do)

    @rule(times=st.sampled_from([1, 1, 1, 3, 9]))
    def undo(self, times: int) -> None:
        for _ in range(times):
            operation = self.last_operation()
            if not operation:
                return
            act = self.account.acts.pop(operation)
            self.memory.undo(self.now)
            self.account.forgotten -= act.hides
            self.account.forgotten -= act.undo_shows
            self.account.forgotten |= act.undo_hides
            self.account.reverted |= act.reverted
            self.account.reverted -= act.undo_hides
            self.account.deleted.discard(act.conversation or 0)
            if act.view is not None:
                seen = self.view()
                # A summary is made anew from all that has faded into it by now.
                assert seen["summaries"] >= act.view.pop("summaries"), seen["summaries"]
                for name, value in act.view.items():
                    assert seen[name] == value, (name, value, seen[name])
            else:
                self.changed()

    # ---- what cannot ----

    @rule(pick=picks)
    def confirm(self, pick: int) -> None:
        if ids := self.thought_ids("NOT t.confirmed"):
            self.changed()
            self.memory.confirm_thought(ids[pick % len(ids)], self.now)

    @rule(pick=picks)
    def revert(self, pick: int) -> None:
        if entries := self.rows(
            "SELECT h.id, t.memory_id FROM thought_history h JOIN thoughts t"
            " ON t.id = h.thought_id ORDER BY h.id"
        ):
            self.changed()
            history_id, memory_id = entries[pick % len(entries)]
            before = self.memory.details(memory_id).state
            self.memory.revert(history_id, self.now)
            now = self.memory.details(memory_id).state
            if now == before:
                return
            (self.account.reverted.discard if now == "forgotten" else self.account.reverted.add)(
                memory_id
            )
            (self.account.forgotten.add if now == "forgotten" else self.account.forgotten.discard)(
                memory_id
            )

    @rule()
    def rebuild(self) -> None:
        self.changed()
        before = set(self.thought_ids("m.state <> 'forgotten'"))
        self.memory.rebuild_thoughts(self.now)
        self.account.forgotten |= before & set(self.thought_ids("m.state = 'forgotten'"))

    @rule(pick=picks, back=st.booleans())
    def exclude(self, pick: int, back: bool) -> None:
        ids, chats = (
            self.ids("SELECT id FROM memories WHERE kind <> 'summary'"),
            self.open_conversations(),
        )
        if back and self.account.excluded:
            self.changed()
            memory_id, chat = sorted(self.account.excluded)[pick % len(self.account.excluded)]
            self.memory.include(memory_id, chat)
            (message,) = self.ids("SELECT message_id FROM memories WHERE id = ?", memory_id)
            same = set(self.ids("SELECT id FROM memories WHERE message_id = ?", message))
            self.account.excluded -= {(other, chat) for other in same}
        elif ids and chats:
            self.changed()
            memory_id, chat = ids[pick % len(ids)], chats[pick % len(chats)]
            self.memory.exclude(memory_id, chat, self.now)
            self.account.excluded.add((memory_id, chat))

    @rule(chosen=some)
    def erase(self, chosen: list[int]) -> None:
        if ids := self.ids("SELECT id FROM memories WHERE kind <> 'summary' ORDER BY id"):
            wanted = sorted({ids[p % len(ids)] for p in chosen})
            self.erase_by(wanted, lambda: self.memory.erase(wanted, self.now))

    @rule(pick=picks)
    def erase_conversation(self, pick: int) -> None:
        if chats := self.ids("SELECT id FROM conversations ORDER BY id"):
            chat = chats[pick % len(chats)]
            wanted = self.ids("SELECT id FROM memories WHERE conversation_id = ?", chat)
            self.erase_by(wanted, lambda: self.memory.erase_conversation(chat, self.now))
            assert not self.rows("SELECT 1 FROM conversations WHERE id = ?", chat)

    def erase_by(self, memory_ids: list[int], do: Callable[[], Any]) -> None:
        self.changed()
        (self.paths.states_dir / "1.state").write_bytes(b"kv")
        marks = json.dumps(memory_ids)
        rows = self.rows(
            "SELECT m.id, m.text, s.text AS said FROM memories m LEFT JOIN messages s ON s.id = m.message_id"
            " WHERE m.kind <> 'summary' AND (m.id IN (SELECT value FROM json_each(?1)) OR m.message_id IN"
            " (SELECT message_id FROM memories WHERE id IN (SELECT value FROM json_each(?1))))",
            marks,
        )
        texts = {text for row in rows for text in (row["text"], row["said"]) if text}
        receipt = do()
        assert receipt.problems == []
        gone = {row["id"] for row in rows}
        account = self.account
        account.forgotten -= gone
        account.reverted -= gone
        account.excluded = {
            pair
            for pair in account.excluded
            if pair[0] not in gone
            and self.rows("SELECT 1 FROM conversations WHERE id = ?", pair[1])
        }
        self.backups = {file: kept for file, kept in self.backups.items() if file.exists()}
        left = [
            str(row[0]).casefold()
            for row in self.rows(
                "SELECT text FROM messages UNION SELECT text FROM memories WHERE kind <> 'summary'"
            )
        ]
        for text in texts:
            if not any(text.casefold() in other for other in left):
                assert self.memory.find_traces(text) == [], text
                if words_in([text], self.words):  # no text without a word of its own: "Noted."
                    self.erased_texts.add(text)
        self.erased |= words_in(texts, self.words) - words_in(left, self.words)
        self.words = [word for word in self.words if word not in self.erased]
        self.check_bytes()

    def check_bytes(self) -> None:
        """A word may be in a backup or in the prompt history still, where another text of before a
        restore says it."""
        files = [file for file in self.paths.data_dir.rglob("*") if file.is_file()]
        kept = (self.paths.backups_dir, self.paths.prompt_history.parent)
        live = [f for f in files if f.parent not in kept or f.name.startswith("memory.db")]
        for words, among in ((self.erased, live), (self.erased_texts, files)):
            whole = {file.name: file.read_bytes().lower() for file in among}
            for word in words:
                held = [name for name, data in whole.items() if word.lower().encode() in data]
                assert held == [], (word, held)
        for word in self.erased:
            assert self.memory.find_traces(word) == [], word

    # ---- the whole store ----

    @rule()
    def reopen(self) -> None:
        def look() -> set[int]:
            """In any order: rows that went still count in the mean length until they are read anew."""
            found = self.memory.recall("kayak soup exam colour live copper", None, self.now, k=20)
            return {memory.id for memory in (*found.memories, *found.near_misses)}

        before = look()
        self.memory.close()
        self.memory = self.open()
        assert look() == before

    @rule()
    def back_up(self) -> None:
        file = self.paths.backups_dir / f"{len(self.backups)}.db"
        self.memory.backup(file)
        self.backups[file] = copy.deepcopy(self.account)

    @precondition(lambda self: self.backups)
    @rule(pick=picks)
    def restore(self, pick: int) -> None:
        file = sorted(self.backups)[pick % len(self.backups)]
        self.memory.close()
        restore(self.paths.database, file, self.now, self.paths.backups_dir)
        self.memory = self.open()
        self.account = copy.deepcopy(self.backups[file])
        for row in self.rows("SELECT text FROM memories"):
            self.said(row[0])
        self.check_bytes()

    @rule()
    def take_it_elsewhere(self) -> None:
        export = self.folder / "out.jsonl"
        if not self.memory.export_file(export):
            return  # an empty file is of no format
        other_file = self.folder / "other" / "memory.db"
        with Memory.open(other_file, now=self.now) as other:
            other.import_file(export, self.encode, self.now)
            ours, theirs = told(self.memory), told(other)
            for name in ours:
                odd = sorted(set(ours[name]) ^ set(theirs[name]))
                assert ours[name] == theirs[name], (name, odd)
            found = words_in((m.text for m in self.ask(other)), self.words)
            assert found <= self.shown_words(), found - self.shown_words()
            assert other.check_integrity() == []
            again = other.import_file(export, self.encode, self.now)
            assert (again.n_messages, again.n_thoughts) == (0, 0)
        shutil.rmtree(other_file.parent)
        export.unlink()


class Short(StoreMachine):
    """As CI runs it."""


class Long(StoreMachine):
    """The same for minutes: longer sequences, and at full length (ASSISTANT_SOAK_SHARE=1) others each
    time. What CI runs of it is always the same, so that it tells of a change."""


def of(machine: type[StoreMachine], n_examples: int, n_steps: int, *, same: bool) -> type:
    machine.TestCase.settings = settings(
        max_examples=n_examples,
        stateful_step_count=n_steps,
        deadline=None,
        database=None,
        derandomize=same,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    return machine.TestCase


TestStore = of(Short, 30, 20, same=True)
TestStoreForLong = pytest.mark.soak(
    pytest.mark.timeout(7200)(of(Long, max(1, int(1500 * SOAK_SHARE)), 50, same=SOAK_SHARE < 1))
)
