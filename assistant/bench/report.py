"""What every benchmark shares: the run's settings, the model to measure, the report.

Knows nothing of what is measured.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import click

from assistant.config import Config
from assistant.paths import Paths


class Settings(Protocol):
    """The part of the command line's settings (cli/settings.py) that a benchmark reads."""

    json: bool

    @property
    def paths(self) -> Paths: ...

    @property
    def config(self) -> Config: ...


def chosen_model(settings: Settings, path: Path | None) -> Path:
    """`path`, or the chat model that would answer. Raises ModelMissing."""
    if path is not None:
        return path
    from assistant.conversation.assemble import identify_model

    return identify_model(settings.paths, settings.config).path


def print_report(report: Mapping[str, Any], settings: Settings) -> None:
    """One JSON object, or a line for each figure."""
    if settings.json:
        click.echo(json.dumps(report))
        return
    width = max(map(len, report))
    for name, value in report.items():
        click.echo(f"{name:<{width}}  {value}")
