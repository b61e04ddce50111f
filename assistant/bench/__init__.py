"""The command group `bench`: measurements of this program against its peers.

Knows the names of the benchmarks and nothing else: each is a module that offers `command` (click)
and is imported when it is run. A benchmark module also offers `run(...) -> dict`, which tests and
other benchmarks call.
"""

from importlib import import_module
from types import MappingProxyType
from typing import Final

import click

# Subcommand -> the module that defines it; a module that is not built yet is not listed.
BENCHMARKS: Final = MappingProxyType(
    {
        "answer": "assistant.bench.answer",
        "batch": "assistant.bench.batch",
        "cuda": "assistant.bench.cuda",
        "decode": "assistant.bench.decode",
        "forgetting": "assistant.bench.forgetting",
        "graph": "assistant.bench.graph",
        "index": "assistant.bench.index",
        "prefix": "assistant.bench.prefix",
        "recall": "assistant.bench.recall",
        "stop": "assistant.bench.stop",
        "store": "assistant.bench.store",
        "thoughts": "assistant.bench.thoughts",
        "tui": "assistant.bench.tui",
        "typing": "assistant.bench.typing",
        "window": "assistant.bench.window",
    }
)


class LazyGroup(click.Group):
    """A group that imports a subcommand's module only when that subcommand is asked for.

    The options that the command line gave this group (--json, --data-dir, ...) it hands down.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(BENCHMARKS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in BENCHMARKS:
            return None
        command = import_module(BENCHMARKS[cmd_name]).command
        assert isinstance(command, click.Command)
        command.params.extend(param for param in self.params if param not in command.params)
        return command


@click.group("bench", cls=LazyGroup)
def command() -> None:
    """Measure speed and recall on this machine."""
