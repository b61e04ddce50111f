"""`assistant models plan`: a plan for any GGUF, and what refuses one. Random weights, no catalogue."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from assistant.cli.plan import plan
from assistant.cli.settings import Settings
from assistant.errors import OutOfMemory, SettingError
from random_models import Shape, write_model

pytestmark = pytest.mark.native


def run(file: Path, *arguments: str, as_json: bool = False) -> str:
    done = CliRunner().invoke(
        plan, [str(file), *arguments], obj=Settings(json=as_json), catch_exceptions=True
    )
    if done.exception:
        raise done.exception
    return done.stdout


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model"), Shape())


def test_a_plan_is_a_table_with_a_prediction(data_dir: Path, file: Path) -> None:
    said = run(file, "--budget", "50%")
    assert "streamed" in said
    assert "tokens per second" in said


def test_a_plan_as_json_keeps_to_its_budget(data_dir: Path, file: Path) -> None:
    made = json.loads(run(file, "--budget", "50%", as_json=True))["plan"]
    assert 0 < made["ram_bytes"] <= made["budget_bytes"]
    assert made["bytes_per_token"] == made["streamed_bytes"] > 0
    assert made["tokens_per_second"] > 0


def test_without_a_budget_a_small_model_is_all_in_ram(data_dir: Path, file: Path) -> None:
    assert json.loads(run(file, as_json=True))["plan"]["bytes_per_token"] == 0


def test_budgets_that_make_no_sense_are_refused(data_dir: Path, file: Path) -> None:
    with pytest.raises(SettingError):
        run(file, "--budget", "lots")
    with pytest.raises(OutOfMemory):
        run(file, "--budget", "1k")
