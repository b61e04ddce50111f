"""The benchmarks of the runtime run and report what they promise; their figures are not asserted."""

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

from assistant import bench
from assistant.bench import batch, decode, prefix, stop, typing
from assistant.config import load_config
from assistant.tui.widgets.prompt import PAUSE_SECONDS
from conftest import MODELS_DIR, model_file

SMALL = "smollm2-135m-instruct-q4_1"


def test_every_benchmark_in_the_table_is_a_command_with_help():
    context = click.Context(bench.command)
    for name in bench.command.list_commands(context):
        command = bench.command.get_command(context, name)
        assert isinstance(command, click.Command), name
        assert command.get_short_help_str(), name


def test_an_unknown_benchmark_is_no_command():
    assert bench.command.get_command(click.Context(bench.command), "nonsense") is None


def test_the_group_itself_imports_nothing_heavy():
    code = "import sys, json, assistant.bench; print(json.dumps(sorted(sys.modules)))"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    heavy = {"llama_cpp", "numpy", "onnxruntime", "textual", "sqlite_utils", "hnswlib"}
    assert not heavy & set(json.loads(output))


@pytest.mark.model
def test_decode_reports_both_speeds_and_the_same_tokens():
    report = decode.run(model_file(SMALL), n_runs=1, n_tokens=8)
    assert report.keys() >= {"assistant_tps", "llama_tps", "ratio", "runs"}
    assert report["same_tokens"]
    assert report["ratio"] > 0


@pytest.mark.model
def test_stop_reports_both_phases():
    report = stop.run(model_file(SMALL), n_runs=1)
    assert report["bound_ms"] == 300
    assert report["writing"]["stopped"] == 1
    assert report["writing"]["max_ms"] >= report["writing"]["p50_ms"] > 0


@pytest.mark.model
def test_batch_reports_the_gain_of_both():
    report = batch.run(model_file(SMALL), n_parallel=2, n_runs=1, n_tokens=4)
    assert report.keys() >= {"assistant_tps", "llama_tps", "gain", "llama_gain", "ratio"}


@pytest.mark.model
def test_a_turn_evaluates_its_message_its_notes_and_little_more(tmp_path: Path):
    model_file("all-minilm-l6-v2-int8", "model.onnx")
    flags = {"model": str(model_file(SMALL)), "sampling.max_tokens": 8, "sampling.temperature": 0}
    config = load_config(tmp_path / "none.toml", flags, environment={})
    report = prefix.run(MODELS_DIR, config, n_turns=3, n_tokens=100)
    assert report["within_bound"], report
    assert report["turns"][-1]["notes"] > 0
    assert report["reopen"]["tokens"] == 100
    assert report["reopen"]["same_token"]


@pytest.mark.model
def test_typing_reports_both_ways_with_the_same_recall(tmp_path: Path):
    model_file("all-minilm-l6-v2-int8", "model.onnx")
    flags = {"model": str(model_file(SMALL)), "sampling.max_tokens": 2, "sampling.temperature": 0}
    config = load_config(tmp_path / "none.toml", flags, environment={})
    report = typing.run(MODELS_DIR, config, pause_s=1.0)
    assert any(report["recall_unchanged"]), report
    assert min(report["memories"]) > 1
    assert len(report["at_once_ms"]) == len(report["after_pause_ms"]) == report["questions"]


def test_typing_waits_for_the_last_key_as_the_app_does():
    assert typing.KEYS_S == PAUSE_SECONDS
