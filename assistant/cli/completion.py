"""`assistant completion`: the shell's completion script.

The script asks this program at each Tab, so what it offers comes from the same command tree as
`--help` and cannot fall behind it. Knows no command.
"""

from typing import Final

import click

SHELLS: Final = ("bash", "zsh", "fish")
COMPLETE_VARIABLE: Final = "_ASSISTANT_COMPLETE"


@click.command(epilog='For this shell alone: eval "$(assistant completion bash)"')
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the completion script of SHELL.

    \b
    bash: assistant completion bash > ~/.local/share/bash-completion/completions/assistant
    zsh:  assistant completion zsh > a file _assistant in a folder of $fpath
    fish: assistant completion fish > ~/.config/fish/completions/assistant.fish
    """
    click.echo(completion_script(shell))


def completion_script(shell: str) -> str:
    """The script, without starting the shell to ask for its version as click's bash class does."""
    from click.shell_completion import ShellComplete, get_completion_class

    from assistant.cli import root

    kind = get_completion_class(shell)
    assert kind is not None  # `click.Choice` let only known shells pass
    return ShellComplete.source(kind(root, {}, "assistant", COMPLETE_VARIABLE))
