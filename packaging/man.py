"""Write the man page assistant(1) to stdout, from the same click tree that `--help` prints.

Exit codes come from the error tree and settings from their table; only the section titles and a
few sentences are the page's own.
"""

import sys
from collections.abc import Iterator

import click

from assistant import __version__
from assistant.cli import adopt, root
from assistant.config import SETTINGS
from assistant.errors import EXIT_SIGINT, EXIT_SIGPIPE, EXIT_SIGTERM, AssistantError

GLOBAL_NAMES = {option.name for option in root.params} | {"help"}
SHARED_EPILOG = adopt(click.Command("any")).epilog  # what every command says at its end


def page() -> str:
    """The whole page as roff."""
    with click.Context(root, info_name="assistant", **root.context_settings) as context:
        lines = [
            f'.TH ASSISTANT 1 "" "assistant {__version__}" "User Commands"',
            ".SH NAME",
            f"assistant \\- {roff(first_line(root.help).partition('.')[0])}",
            ".SH SYNOPSIS",
            ".B assistant",
            "[\\fIOPTIONS\\fR] [\\fICOMMAND\\fR [\\fIARGUMENTS\\fR]]",
            ".SH DESCRIPTION",
            *paragraphs(root),
            ".SH OPTIONS",
            "They are accepted before or after a command.",
            *options(root, context, shared=True),
            ".SH COMMANDS",
            *commands(root, context, "assistant"),
        ]
    lines += [*settings(), *environment(), *exit_codes()]
    return "\n".join(lines) + "\n"


def commands(group: click.Group, context: click.Context, path: str) -> Iterator[str]:
    """Each command below `group`, depth first: usage, text, options."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        with click.Context(command, info_name=name, parent=context) as inner:
            usage = " ".join(command.collect_usage_pieces(inner))
            yield ".SS " + roff(f"{path} {name} {usage}")
            yield from paragraphs(command)
            yield from options(command, inner, shared=False)
            if isinstance(command, click.Group):
                yield from commands(command, inner, f"{path} {name}")


def paragraphs(command: click.Command) -> Iterator[str]:
    """The help text; click's mark for text that keeps its lines becomes roff's."""
    epilog = "" if command.epilog == SHARED_EPILOG else command.epilog
    for block in f"{command.help or ''}\n\n{epilog or ''}".split("\n\n"):
        lines = [line.strip() for line in block.strip().splitlines()]
        if lines and lines[0] == "\b":
            yield from (".PP", ".nf", *map(roff, lines[1:]), ".fi")
        elif lines:
            yield from (".PP", *map(roff, lines))


def options(command: click.Command, context: click.Context, *, shared: bool) -> Iterator[str]:
    """The options of `command`: its own, and the global ones only where `shared` asks for them."""
    for parameter in command.get_params(context):
        if isinstance(parameter, click.Argument):  # the usage names it
            continue
        if parameter.name in GLOBAL_NAMES and not shared:
            continue
        if record := parameter.get_help_record(context):
            yield from (".TP", f"\\fB{roff(record[0])}\\fR", roff(record[1]) or "\\&")


def settings() -> Iterator[str]:
    yield ".SH SETTINGS"
    yield "Set with \\fBassistant config set\\fR \\fINAME VALUE\\fR, or in the environment."
    for setting in SETTINGS.values():
        default = "" if setting.default in ("", ()) else f" Default: {setting.default}."
        yield from (".TP", f"\\fB{roff(setting.name)}\\fR", roff(f"{setting.meaning}.{default}"))


def environment() -> Iterator[str]:
    yield ".SH ENVIRONMENT"
    yield from (".TP", "\\fBASSISTANT_DATA_DIR\\fR", "Where everything is kept.")
    yield from (".TP", "\\fBNO_COLOR\\fR", "When set, no colours are printed.")
    yield from (".TP", "\\fBASSISTANT_\\fR\\fISETTING\\fR")
    yield "A setting, in capitals and with _ for a dot, as ASSISTANT_RUNTIME_N_CTX."


def exit_meanings() -> dict[int, str]:
    """Each exit code once, in the words of the error class that owns it."""
    meanings = {0: "It was done."}
    for kind in AssistantError.__subclasses__():
        meanings.setdefault(kind.exit_code, first_line(kind.__doc__))
    meanings[1] = "It failed while it ran."
    return meanings | {
        EXIT_SIGINT: "It was interrupted.",
        EXIT_SIGPIPE: "Nobody read its output any more.",
        EXIT_SIGTERM: "It was terminated.",
    }


def exit_codes() -> Iterator[str]:
    """The section on exit codes."""
    yield ".SH EXIT STATUS"
    for code, meaning in sorted(exit_meanings().items()):
        yield from (".TP", f"\\fB{code}\\fR", roff(meaning))


def first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]


def roff(text: str) -> str:
    """`text` as itself: no roff escape, no request, and hyphens that can be searched for."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("\n", " ")
    return "\\&" + escaped if escaped.startswith((".", "'")) else escaped


if __name__ == "__main__":
    sys.stdout.write(page())
