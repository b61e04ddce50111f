"""The root of the command line: what it imports, its global options, how it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from assistant import __version__, cli, errors
from assistant.__main__ import Terminated, main, run
from assistant.cli import COMMANDS, root
from assistant.cli.settings import Settings

PROGRAM = [sys.executable, "-m", "assistant"]
HEAVY = (
    "textual",
    "onnxruntime",
    "llama_cpp",
    "sqlite_utils",
    "sqlite3",
    "huggingface_hub",
    "tokenizers",
    "hnswlib",
    "jinja2",
    "numpy",
)


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, runpy; sys.argv = ['assistant', '--help']\n"
        "from assistant.__main__ import main\n"
        "main()\n"
        f"print('HEAVY', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "HEAVY []" in done.stdout


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {"bench"}))  # bench imports its own
def test_the_help_of_every_command_imports_nothing_heavy(name: str) -> None:
    code = (
        "import sys\nfrom assistant.__main__ import main\n"
        f"assert main([{name!r}, '--help']) == 0\n"
        f"print('HEAVY', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "HEAVY []" in done.stdout


def test_help_takes_little_cpu_time() -> None:
    best = min(_cpu_seconds([*PROGRAM, "--help"]) for _ in range(5))
    assert best < 0.15


def _cpu_seconds(command: list[str]) -> float:
    before = os.times()
    subprocess.run(command, capture_output=True, check=True)
    after = os.times()
    spent = after.children_user - before.children_user
    return spent + after.children_system - before.children_system


def test_help_lists_every_command(run: object) -> None:
    text = root.get_help(click.Context(root, info_name="assistant"))
    assert all(f"  {name} " in text for name in COMMANDS)


@pytest.mark.parametrize("arguments", [["--version"], ["config", "--version"]])
def test_the_version_is_printed_before_and_after_a_command(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 0
    assert capsys.readouterr().out == f"assistant {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--json", "config", "path"],
        ["config", "--json", "path"],
        ["config", "path", "--json"],
        ["--data-dir", "DIR", "config", "path", "--json"],
        ["config", "path", "--json", "--data-dir", "DIR"],
    ],
)
def test_global_options_work_anywhere(
    arguments: list[str],
    tmp_path: Path,
    data_dir: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    named = tmp_path / "named"
    given = [str(named) if argument == "DIR" else argument for argument in arguments]
    assert main(given) == 0
    folder = named if "DIR" in arguments else data_dir
    told = json.loads(capsys.readouterr().out)
    assert told == {"v": 1, "path": str(folder / "config.toml"), "exists": False}


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_takes_the_global_options(name: str) -> None:
    command = root.get_command(click.Context(root), name)
    assert command is not None
    flags = {flag for option in command.params for flag in option.opts}
    assert {"--json", "--data-dir", "--quiet", "--no-input", "--yes", "--version"} <= flags


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["--nonsense"], ["ask"], ["config", "get"], ["chats", "show", "x"]]
)
def test_a_wrong_call_is_a_usage_error_of_one_line(
    arguments: list[str], data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    told = capsys.readouterr()
    assert told.err.startswith("assistant: ")
    assert told.err.count("\n") == 1
    assert "--help" in told.err
    assert told.out == ""


def test_a_misspelt_command_is_answered_with_the_right_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["memroy"]) == 2
    assert "`memory`" in capsys.readouterr().err


def test_with_json_an_error_is_an_object_on_stdout(
    data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["config", "get", "runtime.n_cxt", "--json"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert told["v"] == 1
    assert told["status"] == "error"
    assert told["error"] == {
        "type": "SettingError",
        "what": "There is no setting 'runtime.n_cxt'.",
        "remedy": "Did you mean runtime.n_ctx?",
        "exit_code": 2,
    }


def ending(
    error: BaseException, monkeypatch: pytest.MonkeyPatch, settings: Settings | None = None
) -> int:
    def fail(*args: object, **more: object) -> None:
        raise error

    monkeypatch.setattr(cli.root, "main", fail)
    return run(settings or Settings())


EXIT_CODES = {
    errors.AssistantError: 1,
    errors.UsageError: 2,
    errors.SettingError: 2,
    errors.InputError: 2,
    errors.ModelError: 3,
    errors.ModelMissing: 3,
    errors.ModelUnreadable: 3,
    errors.HashMismatch: 3,
    errors.NotFound: 4,
    errors.BatchIncomplete: 5,
    errors.StoreError: 6,
    errors.StoreLocked: 6,
    errors.StoreCorrupt: 6,
    errors.StoreNewer: 6,
    errors.OutOfMemory: 7,
    errors.TimedOut: 8,
    errors.ConfirmationNeeded: 9,
    errors.DownloadError: 1,
    errors.SourceUnreachable: 1,
    errors.DiskFull: 1,
    errors.GenerationError: 1,
    errors.WeightReadError: 1,
    errors.EmbeddingError: 1,
    errors.NetworkRefused: 1,
}


def test_the_table_of_exit_codes_names_every_error() -> None:
    declared = {
        error
        for error in vars(errors).values()
        if isinstance(error, type) and issubclass(error, errors.AssistantError)
    }
    assert set(EXIT_CODES) == declared


@pytest.mark.parametrize(("error", "code"), EXIT_CODES.items())
def test_every_error_ends_in_its_exit_code_with_one_line(
    error: type[errors.AssistantError],
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert ending(error("It broke.", "Mend it."), monkeypatch) == code
    assert capsys.readouterr().err == "assistant: It broke. Mend it.\n"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyboardInterrupt(), 130),
        (click.Abort(), 130),
        (Terminated(), 143),
        (BrokenPipeError(), 141),
        (MemoryError(), 7),
        (ZeroDivisionError("oh"), 1),
    ],
)
def test_every_other_ending_has_its_exit_code(
    error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assistant.__main__._drop_stdout", lambda: None)
    assert ending(error, monkeypatch) == code


def test_a_traceback_is_shown_with_v_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ending(ZeroDivisionError("oh"), monkeypatch) == 1
    assert "Traceback" not in capsys.readouterr().err
    assert ending(ZeroDivisionError("oh"), monkeypatch, Settings(verbose=True)) == 1
    assert "Traceback" in capsys.readouterr().err


def test_bare_assistant_with_a_terminal_for_input_only_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Settings, "stdin_is_terminal", True)
    monkeypatch.setattr(Settings, "stdout_is_terminal", False)
    assert main([]) == 2
    assert "not a terminal" in capsys.readouterr().err


def test_the_app_is_drawn_only_where_its_screen_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """`assistant 2>log` is a chat line by line: the app draws on stderr."""
    started = []
    for module, name in (("assistant.cli.plain", "chat"), ("assistant.tui.app", "run")):
        monkeypatch.setattr(f"{module}.{name}", lambda settings, n=name: started.append(n) or 0)
    monkeypatch.setenv("TERM", "xterm")
    for stream in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(Settings, f"{stream}_is_terminal", True)
    assert main([]) == 0
    monkeypatch.setattr(Settings, "stderr_is_terminal", False)
    assert main([]) == 0
    assert started == ["run", "chat"]


@pytest.mark.parametrize("stdin", ["closed", "empty"])
def test_bare_assistant_without_input_says_so_and_does_not_hang(stdin: str, data_dir: Path) -> None:
    command = " ".join([*PROGRAM, "<&-" if stdin == "closed" else "</dev/null"])
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=30)
    assert done.returncode == 2
    assert done.stderr.startswith("assistant: ")
    assert done.stdout == ""


def test_a_closed_pipe_ends_quietly(data_dir: Path) -> None:
    command = f"{' '.join(PROGRAM)} config show; echo $? >&2"
    done = subprocess.run(
        ["sh", "-c", f"({command}) | true"], capture_output=True, text=True, timeout=30
    )
    assert done.stderr.strip() in ("0", "141")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_waiting_for_input_ends_in_its_code(
    number: signal.Signals, code: int, data_dir: Path
) -> None:
    with subprocess.Popen(
        [*PROGRAM, "ask", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        time.sleep(1.0)  # the interpreter starts and waits for the input
        process.send_signal(number)
        _, told = process.communicate(timeout=10)
    assert process.returncode == code
    assert b"Traceback" not in told
