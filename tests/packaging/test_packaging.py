"""What surrounds the program: man page, completions, menu entry, units, scripts."""

import configparser
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import click
import pytest

from assistant.cli import COMMANDS, root
from assistant.config import SETTINGS

FOLDER = Path(__file__).parents[2] / "packaging"
PROGRAM = Path(sys.executable).with_name("assistant")


@pytest.fixture(scope="module")
def man() -> ModuleType:
    spec = importlib.util.spec_from_file_location("man", FOLDER / "man.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def every_command(group: click.Group, path: str = "assistant") -> list[tuple[str, click.Command]]:
    context = click.Context(group)
    found = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        found.append((f"{path} {name}", command))
        if isinstance(command, click.Group):
            found += every_command(command, f"{path} {name}")
    return found


def test_the_man_page_has_every_command_option_setting_and_exit_code(man: ModuleType) -> None:
    page = man.page().replace("\\-", "-").replace("\\&", "")
    for path, command in every_command(root):
        assert f".SS {path}" in page
        for parameter in command.params:
            hidden = getattr(parameter, "hidden", False)
            if isinstance(parameter, click.Option) and not hidden:
                assert parameter.opts[0] in page, (path, parameter.opts)
    assert all(name in page for name in SETTINGS)
    codes = re.findall(r"\\fB(\d+)\\fR", page.partition(".SH EXIT STATUS")[2])
    assert codes == [str(code) for code in (*range(10), 130, 141, 143)]


def test_the_man_page_is_without_fault(man: ModuleType) -> None:
    if not shutil.which("groff"):
        pytest.skip("groff is not installed")
    checked = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", "-z"],
        input=man.page().encode(),
        capture_output=True,
        check=True,
    )
    assert checked.stderr.decode() == ""


def test_text_cannot_become_a_request_or_an_escape(man: ModuleType) -> None:
    assert man.roff(".SH hidden") == "\\&.SH hidden"
    assert man.roff("a\\fB-b") == "a\\efB\\-b"


def complete(*words: str) -> list[str]:
    """What a real bash offers at the last word, through the printed script."""
    script = (
        f'PATH="{PROGRAM.parent}:$PATH"; source <(assistant completion bash);'
        'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _assistant_completion assistant;'
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-c", script, "bash", *words], capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_bash_completes_commands_options_and_models() -> None:
    assert set(complete("assistant", "")) >= set(COMMANDS)
    assert complete("assistant", "models", "pu") == ["pull"]
    assert "--data-dir" in complete("assistant", "--d")
    assert "qwen3.5-4b" in complete("assistant", "models", "pull", "qwen3.5")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script_that_it_accepts(shell: str) -> None:
    done = subprocess.run(
        [PROGRAM, "completion", shell], capture_output=True, text=True, check=True
    )
    assert "_ASSISTANT_COMPLETE" in done.stdout
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=done.stdout, text=True, check=True)


def read(file: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[method-assign,assignment]  # keys keep their case
    parser.read_string(file.read_text())
    return parser


def test_the_menu_entry_is_valid() -> None:
    entry = read(FOLDER / "assistant.desktop")["Desktop Entry"]
    assert (entry["Type"], entry["Exec"], entry["Terminal"]) == ("Application", "assistant", "true")
    if shutil.which("desktop-file-validate"):
        command = ["desktop-file-validate", FOLDER / "assistant.desktop"]
        subprocess.run(command, check=True)


def test_the_idle_unit_has_no_network_and_a_command_that_exists() -> None:
    service = read(FOLDER / "assistant-think.service")["Service"]
    assert service["PrivateNetwork"] == "true"
    assert service["Nice"] == "19"
    program, *arguments = service["ExecStart"].split()
    assert program == "@ASSISTANT@"
    words = [word for word in arguments if not word.startswith("-")]
    assert f"assistant {' '.join(words)}" in dict(every_command(root))
    assert read(FOLDER / "assistant-think.timer")["Install"]["WantedBy"] == "timers.target"


def test_everything_is_installed_below_a_prefix(tmp_path: Path) -> None:
    command = [FOLDER / "install.sh", sys.executable, tmp_path / "a prefix"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/")
    share = tmp_path / "a prefix" / "share"
    assert "systemctl --user enable" in done.stdout
    assert (share / "man/man1/assistant.1").read_text().startswith(".TH ASSISTANT 1")
    for place in (
        "bash-completion/completions/assistant",
        "zsh/site-functions/_assistant",
        "fish/vendor_completions.d/assistant.fish",
    ):
        assert "_ASSISTANT_COMPLETE" in (share / place).read_text()
    exec_line = read(share / "applications/assistant.desktop")["Desktop Entry"]["Exec"]
    assert exec_line == f'"{PROGRAM}"'
    service = read(share / "systemd/user/assistant-think.service")["Service"]["ExecStart"]
    assert service.startswith(f'"{PROGRAM}" ')


@pytest.mark.parametrize("script", ["install.sh", "smoke.sh"])
def test_the_scripts_are_executable_and_parse(script: str) -> None:
    assert os.access(FOLDER / script, os.X_OK)
    subprocess.run(["bash", "-n", FOLDER / script], check=True)
