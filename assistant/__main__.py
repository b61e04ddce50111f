"""The program's edge: every way a command can end, as an exit code and one line.

Knows the error tree and nothing of what a command does.
"""

import logging
import os
import signal
import sys
from types import FrameType
from typing import TYPE_CHECKING, Never

import click

from assistant.catalogue.network import install_network_guard, log_network_to
from assistant.cli import ClosedPipe, root
from assistant.cli.settings import Settings
from assistant.errors import EXIT_OK, EXIT_SIGINT, EXIT_SIGPIPE, EXIT_SIGTERM, AssistantError

if TYPE_CHECKING:
    from collections.abc import Sequence


class Terminated(BaseException):
    """SIGTERM arrived; open files and transactions are closed on the way out."""


def main(arguments: "Sequence[str] | None" = None) -> int:
    """Run one command and return the exit code. Never raises."""
    signal.signal(signal.SIGTERM, _terminate)
    settings = Settings()
    logging.getLogger("assistant").addHandler(logging.NullHandler())  # stderr is the person's
    install_network_guard()
    log_network_to(lambda: settings.paths.network_log)
    code = run(settings, arguments)
    try:
        sys.stdout.flush()
    except (BrokenPipeError, AttributeError, ValueError):
        _drop_stdout()
    return code


def run(settings: Settings, arguments: "Sequence[str] | None" = None) -> int:
    """The table of endings: an exception in, an exit code out."""
    try:
        return (
            root.main(
                None if arguments is None else list(arguments),
                prog_name="assistant",
                standalone_mode=False,
                obj=settings,
            )
            or EXIT_OK
        )
    except AssistantError as error:
        return report(error, settings)
    except click.ClickException as error:
        return _report_usage(error, settings)
    except (KeyboardInterrupt, click.Abort):
        return EXIT_SIGINT
    except Terminated:
        return EXIT_SIGTERM
    except (BrokenPipeError, ClosedPipe):
        _drop_stdout()
        return EXIT_SIGPIPE
    except MemoryError:
        from assistant.errors import OutOfMemory

        remedy = "Use a smaller model (`assistant models list`) or lower runtime.n_ctx."
        return report(OutOfMemory("There is not enough RAM.", remedy), settings)
    except Exception as error:  # noqa: BLE001 - the last line: a person never sees a traceback
        return report(_unforeseen(error, settings), settings, cause=error)


def report(error: AssistantError, settings: Settings, cause: Exception | None = None) -> int:
    """Say it in one line on stderr, with --json also as JSON on stdout; returns the exit code."""
    from assistant.cli.output import print_error

    if settings.verbose:
        import traceback

        traceback.print_exception(cause or error)
    print_error(error, settings)
    return error.exit_code


def _report_usage(error: click.ClickException, settings: Settings) -> int:
    from assistant.errors import UsageError

    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()  # the help of a group called without a command
        return error.exit_code
    command = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else ""
    remedy = f"Run `{command or 'assistant'} --help`."
    what = error.format_message().rstrip(".?") + "."
    return report(UsageError(what, remedy), settings)


def _unforeseen(error: Exception, settings: Settings) -> AssistantError:
    """An OSError is the disk's word to the person; anything else is a fault of this program."""
    if isinstance(error, OSError) and error.strerror:
        name = f"{error.filename}: " if error.filename else ""
        return AssistantError(
            f"{name}{error.strerror}.", f"Check the data directory {settings.paths.data_dir}."
        )
    what = f"Unexpected {type(error).__name__}: {error}".rstrip(".: ")
    return AssistantError(f"{what}.", "Run it again with -v and report the traceback.")


def _terminate(number: int, frame: FrameType | None) -> Never:
    raise Terminated


def _drop_stdout() -> None:
    """Nobody reads our output any more: keep the interpreter's last flush from complaining."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (AttributeError, OSError, ValueError):
        sys.stdout = None  # closed from the start


if __name__ == "__main__":
    sys.exit(main())
