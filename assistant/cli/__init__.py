"""The command line: the root group, its lazily imported commands and the global options.

Knows the names of the commands and no more of them: a command's module is imported when it is
called, so `assistant --help` imports nothing but click. A command is a plain click command or
group whose callback takes `Settings` with `@click.pass_obj`; loading it through the root adds the
global options to it and to everything below it, so they are accepted before or after its name.
"""

import sys
from collections.abc import Callable
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any, Final, cast

import click

from assistant import __version__
from assistant.cli.settings import Settings, set_colour

# name -> (module:attribute, the line that `assistant --help` shows)
COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "ask": ("assistant.cli.ask:ask", "Ask one question and print the answer."),
    "batch": ("assistant.cli.batch:batch", "Answer the rows of a JSONL file; resumable."),
    "chats": ("assistant.cli.chats:chats", "List, search, show, rename, delete, export chats."),
    "memory": ("assistant.cli.memory:memory", "See, edit, forget and erase what is remembered."),
    "models": ("assistant.cli.models:models", "List, download, add and choose models."),
    "config": ("assistant.cli.config:config", "Read and change settings."),
    "doctor": ("assistant.cli.doctor:doctor", "Check the installation and the data."),
    "bench": ("assistant.bench:command", "Measure speed and recall on this machine."),
    "completion": ("assistant.cli.completion:completion", "Print shell completion."),
}


def _setter(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    """A callback that writes a given option into the one `Settings` of this run."""

    def store(context: click.Context, parameter: click.Parameter, value: Any) -> None:
        settings = context.find_root().ensure_object(Settings)
        if value is not None and value is not False and value != 0:
            setattr(settings, name, value)

    return store


def _option(*flags: str, name: str, help: str, hidden: bool, **attributes: Any) -> click.Option:
    return click.Option(
        [*flags, f"global_{name}"],
        expose_value=False,
        is_eager=True,  # so that an error in another option already knows of --json
        callback=_setter(name),
        help=help,
        hidden=hidden,
        **attributes,
    )


def global_options(*, hidden: bool) -> list[click.Parameter]:
    """The options that every command takes, as fresh click parameters."""
    flag: dict[str, Any] = {"is_flag": True, "hidden": hidden}
    folder = click.Path(file_okay=False, path_type=Path)
    return [
        _option(
            "--data-dir",
            name="data_dir",
            type=folder,
            metavar="DIR",
            help="Where everything is kept (also ASSISTANT_DATA_DIR).",
            hidden=hidden,
        ),
        _option("--json", name="json", help="Print JSON.", **flag),
        _option("--quiet", "-q", name="quiet", help="No progress, no notices.", **flag),
        _option("--verbose", "-v", name="verbose", help="Show a traceback with an error.", **flag),
        _option("--no-input", name="no_input", help="Never ask; fail with exit 9.", **flag),
        _option("--yes", "-y", name="yes", help="Say yes to what would be asked.", **flag),
        _option(
            "--color",
            name="color",
            type=click.Choice(["auto", "always", "never"]),
            help="Colours; NO_COLOR is honoured.",
            hidden=hidden,
        ),
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_print_version,
            help="Print the version.",
            hidden=hidden,
        ),
    ]


def _print_version(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        click.echo(f"assistant {__version__}")
        context.exit()


def adopt(command: click.Command) -> click.Command:
    """Give `command` and everything below it the global options, once."""
    if getattr(command, "has_global_options", False):
        return command
    command.has_global_options = True  # type: ignore[attr-defined]  # our mark on a click object
    command.params.extend(global_options(hidden=True))
    command.context_settings.setdefault("help_option_names", ["-h", "--help"])
    if command.epilog is None:
        command.epilog = "The global options of `assistant --help` work here too."
    if isinstance(command, click.Group):
        for below in command.commands.values():
            adopt(below)
    return command


class ClosedPipe(BaseException):
    """Nobody reads stdout any more. No OSError, because click would end that in exit 1."""


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports one when it is called."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise ClosedPipe from error

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command = adopt(cast(click.Command, getattr(import_module(module), attribute)))
        command.name = cmd_name
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS:
            near = get_close_matches(args[0], COMMANDS, n=1)
            hint = f"Did you mean `{near[0]}`?" if near else 'To ask: assistant ask "...".'
            ctx.fail(f"No such command {args[0]!r}. {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Bare `assistant` opens the terminal app; with piped input it answers it.",
)
@click.option("--plain", is_flag=True, help="Chat line by line: no screen is drawn.")
@click.pass_context
def root(context: click.Context, plain: bool) -> None:
    """An on-device assistant that remembers what you tell it. Nothing leaves this machine."""
    settings = context.ensure_object(Settings)
    set_colour(context, settings)
    if context.invoked_subcommand is None:
        context.exit(_start(context, settings, plain=plain))


root.params.extend(global_options(hidden=False))


def _start(context: click.Context, settings: Settings, *, plain: bool) -> int:
    """Bare `assistant`: the terminal app, the plain REPL, or `ask -` for piped input."""
    if sys.stdin is None:
        context.fail("There is no input to read. To ask: assistant ask TEXT")
    if not plain and not settings.stdin_is_terminal:
        root.main(["ask", "-"], standalone_mode=False, obj=settings)
        return 0
    if not plain and not settings.stdout_is_terminal:
        context.fail("The output is not a terminal. To ask: assistant ask TEXT")
    # Textual draws on stderr: in a file it would fill the file and leave the terminal blank.
    if plain or settings.terminal_is_dumb or not settings.stderr_is_terminal:
        return int(import_module("assistant.cli.plain").chat(settings))
    return int(import_module("assistant.tui.app").run(settings))
