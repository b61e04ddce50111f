"""The README's commands are the ones CI runs, and nothing else repeats them."""

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def commands() -> list[str]:
    return re.findall(r"^<!-- command -->\n```sh\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def test_ci_runs_exactly_the_two_commands_of_the_readme() -> None:
    assert len(commands()) == 2
    for number, command in enumerate(commands(), start=1):
        printed = subprocess.run(
            [ROOT / ".ci/readme-command", str(number)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert printed == command


def test_ci_reads_both_commands_and_repeats_neither() -> None:
    script = (ROOT / ".ci/run").read_text("utf-8")
    assert 'bash -euo pipefail -c "$(.ci/readme-command 1)"' in script
    assert 'bash -euo pipefail -c "$(.ci/readme-command 2)"' in script
    own_lines = {line.strip() for line in script.splitlines()}
    assert own_lines.isdisjoint("".join(commands()).splitlines())


def test_the_first_command_installs_the_llama_cpp_that_the_project_pins() -> None:
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    for package in ("llama-cpp-python", "hnswlib"):
        (pin,) = re.findall(rf'"({package}==[0-9.]+)"', project)
        assert f'"{pin}"' in commands()[0]


def test_the_tables_of_the_readme_are_made_from_the_code() -> None:
    script = ROOT / "packaging/readme.py"
    checked = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr


def test_every_file_that_the_readme_shows_exists() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert any(link.endswith(".svg") for link in links)
    for link in links:
        assert (ROOT / unquote(link)).is_file(), link


def test_every_benchmark_is_in_the_readme_and_every_one_in_it_exists() -> None:
    from assistant.bench import BENCHMARKS

    named = set(re.findall(r"^\| `assistant bench (\w+)", README, re.MULTILINE))
    assert named == set(BENCHMARKS)
