"""`assistant models plan`: a plan for any GGUF, and what refuses one. Random weights, no catalogue."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from assistant.__main__ import main
from assistant.cli.plan import plan
from assistant.cli.settings import Settings
from assistant.errors import OutOfMemory, SettingError
from assistant.runtime.plan import Rates
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


def test_show_tells_how_the_weights_would_be_held(
    data_dir: Path, file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def show() -> dict[str, Any]:
        assert main(["models", "show", str(file), "--json"]) == 0
        weights: dict[str, Any] = json.loads(capsys.readouterr().out)["model"]["weights"]
        return weights

    assert show()["mode"] == "mapped"
    monkeypatch.setenv("ASSISTANT_RUNTIME_WEIGHT_WINDOW", "50%")
    weights = show()
    assert weights["mode"] == "window"
    assert 0.2 < weights["resident_share"] < 0.6
    assert weights["bytes_per_token"] == pytest.approx(
        (1 - weights["resident_share"]) * file.stat().st_size, rel=0.05
    )
    monkeypatch.setenv("ASSISTANT_RUNTIME_WEIGHT_WINDOW", "100k")
    assert "too small" in show()["reason"]


def test_a_speed_under_two_tokens_a_second_is_warned_of(
    data_dir: Path, file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        "assistant.runtime.weight_window.measure_rates", lambda handle: Rates(1e6, 1e10)
    )
    assert main(["models", "plan", str(file), "--budget", "50%"]) == 0
    said = capsys.readouterr().err
    assert "larger than the RAM for it: about 0.3 tokens per second." in said
    assert "smaller one" not in said  # no chat model of the catalogue is smaller than this file


def test_budgets_that_make_no_sense_are_refused(data_dir: Path, file: Path) -> None:
    with pytest.raises(SettingError):
        run(file, "--budget", "lots")
    with pytest.raises(OutOfMemory):
        run(file, "--budget", "1k")
