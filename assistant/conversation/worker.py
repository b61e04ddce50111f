"""The post-think worker: takes jobs off the queue while nobody is waiting for an answer.

One job at a time, first in first out, under the store's lease. `stop`, from any thread, pre-empts the
running job, which goes back on the queue; a job left behind by a crash is taken up again. Knows the
stages and their order, no thread and no clock: whoever is idle calls `run_next`.
"""

from collections.abc import Callable, Collection
from datetime import datetime
from threading import Event as Flag

from assistant.conversation.ports import TextEmbedder
from assistant.conversation.postthink import SurpriseMeter, post_think
from assistant.conversation.store import Lease, store
from assistant.conversation.writers import RuleWriter, ThoughtWriter
from assistant.errors import AssistantError, StoreError
from assistant.memory.memory import Memory
from assistant.records import Job


class PostThinkWorker:
    """Runs one store's queue. Use it on one thread, with a `Memory` of that thread's."""

    def __init__(
        self,
        memory: Memory,
        embedder: TextEmbedder | None,
        owner: str,
        *,
        writer: ThoughtWriter | None = None,
        ask_first: bool = False,
        never_store: Collection[str] = (),
        meter: Callable[[], SurpriseMeter | None] | None = None,
    ) -> None:
        self._memory = memory
        self._embedder = embedder
        self._owner = owner  # unique to this worker, as "host:process:thread"
        self._writer = writer or RuleWriter()
        self._ask_first = ask_first  # mode `ask`: thoughts wait for the person
        self._never_store = never_store
        self._meter = meter  # gives the model if it is loaded, to measure surprise with
        self._stopping = Flag()

    def run_next(self, now: datetime) -> bool:
        """Do one job. False where there was none, it was pre-empted, or another owner is at work."""
        self._stopping.clear()
        job = self._memory.next_job(self._owner, now)
        if job is None:
            return False
        try:
            return self._run(job, now)
        except StoreError:
            raise
        except AssistantError as error:
            self._memory.complete_job(job, now, str(error))
            return True

    def _run(self, job: Job, now: datetime) -> bool:
        if job.turn_id is None:
            self._memory.complete_job(job, now)
            return True
        derived = post_think(  # 1
            job.turn_id,
            self._memory,
            self._writer,
            never_store=self._never_store,
            meter=self._meter() if self._meter else None,
        )
        if self._stopping.is_set():
            self._memory.put_back(job)
            return False
        confirmed = not self._ask_first
        store(  # 2
            derived.thoughts,
            derived.quoted,
            Lease(job, self._owner),
            self._memory,
            self._embedder,
            now,
            confirmed=confirmed,
            surprise=derived.surprise,
        )
        return True

    def run_all(self, now: datetime, limit: int = 1000) -> int:
        """Do jobs until the queue is empty, `limit` is reached or `stop` is called.

        With nothing left to do, brings recall's files up to date and, twice a day, lets old memories
        fade and summarises the days; the portrait follows the thoughts each time.
        """
        n_done = 0
        while n_done < limit and self.run_next(now):
            n_done += 1
        idle = n_done < limit and not self._stopping.is_set()
        if idle and self._memory.take_lease(self._owner, now):
            self._memory.prepare_recall()
            self._memory.consolidate(now)
            if n_done:
                self._memory.portrait(now)
        return n_done

    def stop(self) -> None:
        """Pre-empt the running job; safe from any thread. The next call starts anew."""
        self._stopping.set()
        self._writer.stop()
        model = self._meter() if self._meter else None
        if model is not None:
            model.stop()

    def close(self) -> None:
        """Give the lease back, so that another process need not wait for it to run out."""
        self._memory.release_lease(self._owner)
