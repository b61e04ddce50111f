"""The facade's second half: what is derived from messages. Thoughts, their history, links and jobs.

`Memory` inherits it; it adds no state of its own. Knows which part does what, no model and no clock.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from assistant.errors import InputError, NotFound
from assistant.memory import (
    episodes,
    jobs,
    journal,
    messages,
    summaries,
    thought_rows,
    thoughts,
)
from assistant.memory.ageing import AgeingMemory
from assistant.memory.relating import ungrounded_words
from assistant.memory.schema import from_text, to_text
from assistant.memory.thoughts import Outcome
from assistant.records import (
    EncodedText,
    Job,
    NewThought,
    State,
    Thought,
)


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One operation on a thought."""

    id: int
    thought_id: int
    memory_id: int
    text: str  # of the version it happened to, as it is worded now
    operation: str
    at: datetime
    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class Link:
    """A typed link between two memories. `resolution` is the person's word on a conflict."""

    id: int
    from_memory: int
    to_memory: int
    kind: str
    reason: str
    weight: float
    resolution: str | None


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two thoughts that may not both be true; `a` is the older one."""

    id: int
    a: Thought
    b: Thought
    reason: str


class DerivedMemory(AgeingMemory):
    """What `Memory` offers on derived rows."""

    # --- jobs -------------------------------------------------------------------------------

    def next_job(self, owner: str, now: datetime) -> Job | None:
        """The oldest post-think job, for whoever holds the lease; None where there is nothing."""
        with self.store.write() as connection:
            return jobs.next_job(connection, owner, now)

    def complete_job(self, job: Job, now: datetime, error: str | None = None) -> None:
        with self.store.write() as connection:
            jobs.complete_job(connection, job, now, error)

    def put_back(self, job: Job) -> None:
        """Queue a pre-empted job again."""
        with self.store.write() as connection:
            jobs.put_back(connection, job)

    def take_lease(self, owner: str, now: datetime) -> bool:
        """Whether `owner` may do idle work now; no other owner will until the lease runs out."""
        with self.store.write() as connection:
            return jobs.take_lease(connection, owner, now)

    def release_lease(self, owner: str) -> None:
        with self.store.write() as connection:
            jobs.release_lease(connection, owner)

    def job_counts(self) -> dict[str, int]:
        return jobs.count_jobs(self.store)

    # --- writing thoughts -------------------------------------------------------------------

    def finish_job(
        self,
        job: Job,
        owner: str,
        new: Sequence[NewThought],
        now: datetime,
        *,
        confirmed: bool = True,
        quoted: Sequence[int] = (),
        surprise: float | None = None,
    ) -> list[Outcome] | None:
        """Store what one job derived, strengthen what its reply quoted, and mark it done: one
        transaction. None, and nothing is written, where the lease went to another owner. Of a message
        that is hidden by now nothing is kept; the turn is thought over again when it comes back."""
        with self.store.write() as connection:
            if not jobs.owns(connection, job, owner):
                return None
            new = [thought for thought in new if not thoughts.is_source_hidden(connection, thought)]
            outcomes = [
                thoughts.insert_thought(
                    connection,
                    thought,
                    now,
                    embedder=self._embedder_row(connection, thought.vector),
                    confirmed=confirmed,
                )
                for thought in new
            ]
            connection.executemany(
                "UPDATE memories SET importance = max(importance, ?) WHERE message_id = ?"
                " AND kind IN ('message', 'passage')",
                [(thought.importance, thought.source_message_id) for thought in new],
            )
            for memory_id in quoted:
                thoughts.strengthen(connection, memory_id, now, "post_think", "quoted in a reply")
                connection.execute(
                    "UPDATE recalls SET quoted = 1 WHERE turn_id = ? AND memory_id = ?",
                    (job.turn_id, memory_id),
                )
            if job.turn_id is not None:
                episodes.observe_turn(connection, job.turn_id, surprise, now)
            jobs.complete_job(connection, job, now)
        return outcomes

    def insert_thought(self, new: NewThought, now: datetime, *, confirmed: bool = True) -> Outcome:
        """Store one thought. Raises InputError where it is not grounded, NotFound."""
        with self.store.write() as connection:
            embedder = self._embedder_row(connection, new.vector)
            return thoughts.insert_thought(
                connection, new, now, embedder=embedder, confirmed=confirmed
            )

    def add_thought(
        self,
        encoded: EncodedText,
        now: datetime,
        label: str = "fact",
        slot: tuple[str, str, str] | None = None,
    ) -> Outcome:
        """What the person asks to be remembered: recorded as their message, kept as a thought."""
        with self.store.write(durable=True) as connection:
            conversation_id = messages.insert_conversation(connection, "Added by hand", now)
            turn_id = messages.insert_turn(connection, conversation_id, now)
            embedder = self._embedder_row(connection, encoded.vector)
            message_id = messages.insert_message(
                connection, encoded, now, turn_id=turn_id, role="user", embedder=embedder
            )
            text = " ".join(encoded.resolved_text.split())
            new = NewThought(
                text,
                message_id,
                thought_rows.PERSON,
                "1",
                label,
                slot=slot,
                importance=0.5,
                vector=encoded.vector,
            )
            outcome = thoughts.insert_thought(connection, new, now, embedder=embedder)
            before = journal.undone_add(connection, message_id, outcome)
            journal.enter(connection, "add", now, before, conversation_id)
        return outcome

    def edit_thought(
        self,
        memory_id: int,
        encoded: EncodedText,
        now: datetime,
        slot: tuple[str, str, str] | None = None,
    ) -> Outcome:
        """A new version in the person's words, which supersedes the old one. Raises NotFound."""
        with self.store.write(durable=True) as connection:
            thought_id = thought_rows.thought_of(connection, memory_id)
            states = journal.states_of(connection, [memory_id])
            outcome = thoughts.edit_thought(
                connection,
                thought_id,
                encoded.resolved_text,
                now,
                slot=slot,
                vector=encoded.vector,
                embedder=self._embedder_row(connection, encoded.vector),
            )
            journal.enter(connection, "edit", now, journal.undone(connection, states, outcome))
        return outcome

    def merge_thoughts(
        self,
        memory_ids: Sequence[int],
        encoded: EncodedText,
        now: datetime,
        slot: tuple[str, str, str] | None = None,
    ) -> Outcome:
        """One thought in the person's words for several, which it supersedes. Raises NotFound.

        The first of them is the one that is edited, or stays where the words are its own and it is
        recalled.
        """
        with self.store.write(durable=True) as connection:
            memory_ids = list(dict.fromkeys(memory_ids))
            first, *others = (thought_rows.thought_of(connection, id) for id in memory_ids)
            text = encoded.resolved_text.strip()
            states = journal.states_of(connection, memory_ids)
            row = thought_rows.read_row(connection, first)
            if (row["text"], row["state"], row["confirmed"]) == (text, "active", 1):
                outcome = Outcome("merge", first, memory_ids[0])
            else:
                embedder = self._embedder_row(connection, encoded.vector)
                outcome = thoughts.edit_thought(
                    connection,
                    first,
                    text,
                    now,
                    slot=slot,
                    vector=encoded.vector,
                    embedder=embedder,
                )
            thoughts.merge_thoughts(connection, outcome, others, now)
            journal.enter(connection, "merge", now, journal.undone(connection, states, outcome))
        return outcome

    def confirm_thought(self, memory_id: int, now: datetime) -> None:
        """Mode `ask`: keep a thought that waits. Raises NotFound."""
        with self.store.write(durable=True) as connection:
            thought_id = thought_rows.thought_of(connection, memory_id)
            thoughts.confirm_thought(connection, thought_id, now)

    def rebuild_thoughts(self, now: datetime) -> int:
        """Hide every thought that a writer derived and queue all turns to be thought over again.

        What the person added, edited, confirmed, pinned or kept stays. Returns how many were hidden.
        """
        with self.store.write(durable=True) as connection:
            rows = connection.execute(
                "SELECT t.id, m.id AS memory_id FROM thoughts t JOIN memories m ON m.id = t.memory_id"
                " WHERE m.state IN ('active', 'faded', 'superseded') AND m.pinned = 0"
                " AND NOT EXISTS (SELECT 1 FROM thought_history h WHERE h.thought_id = t.id"
                " AND h.actor = ? AND h.operation <> 'undo')",
                (thought_rows.PERSON,),
            ).fetchall()
            summaries.forget_sources(connection, [row["memory_id"] for row in rows], now)
            for row in rows:
                thoughts.forget_thought(connection, row["id"], now, "post_think", "rebuilt")
            jobs.queue_again(connection)
        return len(rows)

    def pin(self, memory_ids: Collection[int], now: datetime, *, pinned: bool = True) -> None:
        """Keep memories from fading, or let them fade again; one undo takes it back. Raises NotFound."""
        with self.store.write(durable=True) as connection:
            journal.pin(connection, memory_ids, pinned, now)

    def revert(self, history_id: int, now: datetime) -> int:
        """Undo one operation of a thought's history. Returns the thought. Raises NotFound."""
        with self.store.write(durable=True) as connection:
            return journal.revert(connection, history_id, now)

    def is_grounded(self, new: NewThought) -> bool:
        """Whether its source holds every content word of a thought, or a date resolves to it."""
        source = self.store.read(
            "SELECT text || char(10) || coalesce(resolved_text, '') FROM messages WHERE id = ?",
            (new.source_message_id,),
        )
        return bool(source) and not ungrounded_words(new.text, source[0][0], loose=new.generated)

    # --- reading thoughts -------------------------------------------------------------------

    def thoughts(
        self,
        *,
        states: Sequence[State] = ("active", "faded"),
        waiting: bool = False,
        text: str = "",
        message_id: int | None = None,
        limit: int = -1,
        offset: int = 0,
    ) -> list[Thought]:
        """Thoughts, the latest said first. `waiting` lists those that wait for the person."""
        marks = ",".join("?" * len(states))
        where = f"m.state IN ({marks}) AND t.confirmed = ?"
        parameters: list[object] = [*states, int(not waiting)]
        if text:
            where += " AND instr(lower(m.text), lower(?))"
            parameters.append(text)
        if message_id is not None:
            where += " AND t.source_message_id = ?"
            parameters.append(message_id)
        rows = self.store.read(
            f"{thought_rows.SELECT} WHERE {where} ORDER BY m.created DESC, t.id DESC"
            " LIMIT ? OFFSET ?",
            [*parameters, limit, offset],
        )
        return [thought_rows.to_thought(row) for row in rows]

    def thought(self, memory_id: int) -> Thought:
        """The thought whose memory this is. Raises NotFound."""
        rows = self.store.read(f"{thought_rows.SELECT} WHERE t.memory_id = ?", (memory_id,))
        if not rows:
            raise NotFound(f"Memory {memory_id} is no thought.", "Run `assistant memory list`.")
        return thought_rows.to_thought(rows[0])

    def origin(self, memory_id: int) -> dict[str, Any]:
        """Who made a thought and from what: writer, its version, the message it is drawn from with
        its text, and the memory that stands for it now, if any. Raises NotFound."""
        thought = self.thought(memory_id)
        rows = self.store.read(
            "SELECT s.id, s.text, n.memory_id FROM memories s LEFT JOIN thoughts n ON n.id = ?"
            " WHERE s.message_id = ? AND s.kind = 'message'",
            (thought.superseded_by, thought.source_message_id),
        )
        told: dict[str, Any] = {"writer": f"{thought.writer} {thought.writer_version}"}
        if rows:
            told |= {"drawn_from": rows[0][0], "source_text": rows[0][1]}
            if rows[0][2] is not None:
                told["replaced_by"] = rows[0][2]
        return told

    def history(self, memory_id: int) -> list[HistoryEntry]:
        """What happened to a thought and to the versions before it, oldest first."""
        rows = self.store.read(
            "WITH RECURSIVE versions (id) AS (SELECT id FROM thoughts WHERE memory_id = ?"
            " UNION SELECT t.id FROM thoughts t JOIN versions v ON t.superseded_by = v.id)"
            " SELECT h.*, t.memory_id, m.text FROM thought_history h JOIN versions v"
            " ON v.id = h.thought_id JOIN thoughts t ON t.id = h.thought_id"
            " JOIN memories m ON m.id = t.memory_id ORDER BY h.id",
            (memory_id,),
        )
        return [
            HistoryEntry(
                row["id"],
                row["thought_id"],
                row["memory_id"],
                row["text"],
                row["operation"],
                from_text(row["at"]),
                row["actor"],
                row["reason"],
            )
            for row in rows
        ]

    def links(self, memory_id: int) -> list[Link]:
        """Every link of a memory, the heaviest first."""
        rows = self.store.read(
            "SELECT * FROM links WHERE ? IN (from_memory, to_memory) ORDER BY weight DESC, id",
            (memory_id,),
        )
        return [
            Link(
                row["id"],
                row["from_memory"],
                row["to_memory"],
                row["kind"],
                row["reason"],
                row["weight"],
                row["resolution"],
            )
            for row in rows
        ]

    # --- conflicts --------------------------------------------------------------------------

    def conflicts(self) -> list[Conflict]:
        """Pairs that may not both be true and on which the person has not decided."""
        rows = self.store.read(
            "SELECT l.* FROM links l JOIN memories a ON a.id = l.from_memory"
            " JOIN memories b ON b.id = l.to_memory WHERE l.kind = 'conflict'"
            " AND l.resolution IS NULL AND a.state = 'active' AND b.state = 'active' ORDER BY l.id"
        )
        return [
            Conflict(
                row["id"],
                self.thought(row["from_memory"]),
                self.thought(row["to_memory"]),
                row["reason"],
            )
            for row in rows
        ]

    def resolve_conflict(
        self, conflict_id: int, keep: Literal["a", "b", "both"], now: datetime
    ) -> None:
        """The person's decision: the one kept supersedes the other, or both stay. Raises NotFound;
        InputError where it is decided, or one of the two is not recalled any more."""
        with self.store.write(durable=True) as connection:
            row = connection.execute(
                "SELECT * FROM links WHERE id = ? AND kind = 'conflict'", (conflict_id,)
            ).fetchone()
            if row is None:
                raise NotFound(
                    f"There is no conflict {conflict_id}.", "Run `assistant memory conflicts`."
                )
            sides = journal.states_of(connection, [row["from_memory"], row["to_memory"]])
            if row["resolution"] or set(sides.values()) != {"active"}:
                raise InputError(
                    f"Conflict {conflict_id} is not open any more.",
                    "Run `assistant memory undo` to take your last decision back.",
                )
            connection.execute(
                "UPDATE links SET resolution = ?, resolved = ? WHERE id = ?",
                (keep, to_text(now), conflict_id),
            )
            kept, lost = row["from_memory"], row["to_memory"]
            if keep == "both":
                journal.enter(connection, "keep both", now, [(kept, "active"), (lost, "active")])
                return
            if keep == "b":
                kept, lost = lost, kept
            old, new = (thought_rows.thought_of(connection, memory) for memory in (lost, kept))
            reason = "the person kept the other"
            thoughts.supersede(connection, old, new, now, thought_rows.PERSON, reason)
            journal.enter(connection, "supersede", now, [(lost, "active")])
