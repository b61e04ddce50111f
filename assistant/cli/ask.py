"""`assistant ask`: one question, one answer, on stdout as it is written.

Draws the engine's events; knows nothing of how they come about.
"""

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from assistant.cli.input import read_file, read_text
from assistant.cli.output import note, print_json, print_text
from assistant.cli.progress import StatusLine
from assistant.cli.settings import Settings
from assistant.errors import AssistantError
from assistant.wording import one_line

if TYPE_CHECKING:
    from assistant.cli.foreground import Foreground
    from assistant.conversation.consent import Agreement
    from assistant.conversation.engine import AskOptions, Mode
    from assistant.conversation.events import Consent, Event
    from assistant.records import Recall, RecalledMemory, Reply, Turn


N_JOBS_AT_ONCE = 20  # post-think jobs done after an answer; what is left waits for the next time


@click.command()
@click.argument("text")
@click.option("--no-memory", is_flag=True, help="Recall nothing and record nothing.")
@click.option("--incognito", is_flag=True, help="Recall, but record nothing.")
@click.option("--show-sources", is_flag=True, help="List the memories given to the model.")
@click.option("-m", "--model", metavar="ID|PATH", help="The model to ask.")
@click.option("-c", "--conversation", type=int, metavar="ID", help="Continue a conversation.")
@click.option("--system", type=click.Path(path_type=Path), metavar="FILE", help="System prompt.")
@click.option(
    "--schema", type=click.Path(path_type=Path), metavar="FILE", help="JSON schema of the answer."
)
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS")
@click.option("--max-tokens", type=int, metavar="N", help="Longest answer.")
@click.option("--temperature", type=float, metavar="T", help="0 is greedy.")
@click.option("--seed", type=int, metavar="N", help="The same answer again.")
@click.pass_obj
def ask(settings: Settings, /, text: str, **chosen: Any) -> None:
    """Answer TEXT, or what stands on stdin where TEXT is "-"."""
    text = read_text(text, "prompt", 'assistant ask "Hello"')
    settings.override(
        {
            "model": chosen["model"],
            "sampling.max_tokens": chosen["max_tokens"],
            "sampling.temperature": chosen["temperature"],
            "sampling.seed": chosen["seed"],
        }
    )
    answer(settings, text, chosen)


def answer(settings: Settings, text: str, chosen: dict[str, Any]) -> None:
    """Run one turn in the foreground and print it."""
    from assistant.cli.first_run import ensure_models
    from assistant.cli.foreground import Foreground

    settings.config  # noqa: B018 - a wrong setting is an error before anything is downloaded
    options = _options(settings, chosen)
    ensure_models(settings)
    with StatusLine(settings) as status:
        printer = Printer(settings, status, show_sources=chosen["show_sources"])
        foreground: Foreground[None] = Foreground()
        try:
            foreground.run(
                lambda front: _converse(front, settings, text, options, chosen, printer),
                printer.draw,
            )
        except AssistantError as error:
            printer.fail(error)
            raise
        except KeyboardInterrupt:
            printer.end_line()
            raise


def _converse(
    front: "Foreground[None]",
    settings: Settings,
    text: str,
    options: "AskOptions",
    chosen: dict[str, Any],
    printer: "Printer",
) -> None:
    """In the work's thread: open, one turn, the thoughts that are due, close."""
    from assistant.conversation.assemble import identify_model, open_assistant, open_worker

    now = datetime.now(UTC)
    identity = identify_model(settings.paths, settings.config)
    printer.model = {"name": identity.name, "sha256": identity.sha256}
    mode: Mode = (
        "normal" if options.record else "read-only" if options.recall else "temporary"
    )  # no KV state of what is not recorded is saved either
    engine = open_assistant(
        settings.paths,
        settings.config,
        now=now,
        on_phase=front.emit,
        agreement=agreement(settings),
    )
    with closing(engine.memory), closing(engine):
        engine.open_conversation(chosen["conversation"], mode)
        front.on_stop(engine.stop)
        if front.interrupted:
            return
        for event in engine.ask(text, now, options):
            front.emit(event)
        worker = open_worker(engine, settings.config) if options.record else None
        if worker is not None and not front.interrupted:
            front.on_stop(worker.stop)
            with closing(worker):
                worker.run_all(now, limit=N_JOBS_AT_ONCE)


def _options(settings: Settings, chosen: dict[str, Any]) -> "AskOptions":
    from assistant.conversation.engine import AskOptions

    sampling = settings.config.sampling()
    if chosen["schema"]:
        sampling = replace(sampling, grammar=_grammar(chosen["schema"]))
    return AskOptions(
        record=not (chosen["no_memory"] or chosen["incognito"]),
        recall=not chosen["no_memory"],
        system=read_file(chosen["system"]).strip() if chosen["system"] else None,
        sampling=sampling,
        timeout_s=chosen["timeout"],
    )


def _grammar(file: Path) -> str:
    """The GBNF of a JSON schema. Raises InputError."""
    from assistant.runtime.grammar import grammar_of_schema

    return grammar_of_schema(read_file(file))


class Printer:
    """Draws the events of one turn: text as it comes, or one JSON object at the end."""

    def __init__(self, settings: Settings, status: StatusLine, *, show_sources: bool) -> None:
        self.model: dict[str, str] = {"name": "", "sha256": ""}
        self._settings, self._status, self._show_sources = settings, status, show_sources
        self._turn: Turn | None = None
        self._recall: Recall | None = None
        self._pieces: list[str] = []

    def draw(self, event: "Event") -> None:
        from assistant.conversation import events

        match event:
            case events.Phase(name="writing"):
                self._status.clear()
            case events.Phase(name=name, share=share):
                self._status.show(name, share)
            case events.Recorded(turn=turn):
                self._turn = turn
            case events.RecallAsked(question=question):
                self._status.clear()
                ask_consent(question)
            case events.RecallDone(recall=recall):
                self._recall = recall
            case events.Notice(text=text):
                self._status.clear()
                note(text, self._settings)
            case events.TokenText(text=text):
                self._pieces.append(text)
                if not self._settings.json:
                    print_text(text, newline=False)
            case events.Replied(reply=reply):
                self._end(reply)

    def end_line(self) -> None:
        """An answer that was broken off must not run into what the shell prints next."""
        self._status.clear()
        if self._pieces and not self._settings.json:
            print_text()

    def fail(self, error: AssistantError) -> None:
        """With --json the answer's own shape, with what came and the error in it."""
        self.end_line()
        if self._settings.json:
            from assistant.records import Reply, Usage

            self._print_json(Reply("".join(self._pieces), "error", Usage(0, 0)), error)
            self._settings.json_is_told = True

    def _end(self, reply: "Reply") -> None:
        self._status.clear()
        if self._settings.json:
            self._print_json(reply, None)
            return
        print_text()
        if self._show_sources and self._recall is not None:
            print_sources(self._recall)

    def _print_json(self, reply: "Reply", error: AssistantError | None) -> None:
        from assistant.conversation.answer import answer_shape
        from assistant.records import Recall

        turn = self._turn
        meta = {"conversation": turn.conversation_id} if turn else {}
        recall = self._recall or Recall("")
        print_json(
            answer_shape(turn and turn.id, reply, recall, self.model, error=error, meta=meta)
        )


def agreement(settings: Settings) -> "Agreement":
    """What a terminal can offer in memory.mode ask: --yes agrees, else the person is asked."""
    return "given" if settings.yes else "asked" if settings.may_ask else "withheld"


def ask_consent(question: "Consent") -> None:
    """May these be given to the model? On stderr, as every question. Raises KeyboardInterrupt."""
    click.echo("Recalled:", err=True)
    for memory in question.memories:
        click.echo(_source_line(memory), err=True)
    try:
        if click.confirm("Give them to the model?", default=True, err=True):
            question.agree()
        else:
            question.answer(())
    except click.Abort:
        raise KeyboardInterrupt from None


def print_sources(recall: "Recall") -> None:
    """The memories given to the model, one to a line."""
    print_text("\nGiven to the model:" if recall.memories else "\nNo memories were given.")
    for memory in recall.memories:
        print_text(_source_line(memory))


def _source_line(memory: "RecalledMemory") -> str:
    date = f"{memory.created:%Y-%m-%d}"
    return f"  [{memory.id}] {date} {memory.kind}: {one_line(memory.text, 100)}"
