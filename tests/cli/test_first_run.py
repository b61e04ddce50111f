"""What `ask` does where the model or the embedder is missing: --yes, a terminal, neither."""

from pathlib import Path

import pytest

from assistant.catalogue.catalogue import Catalogue
from assistant.cli import first_run
from assistant.cli.settings import Settings
from assistant.errors import SourceUnreachable

MODEL, EMBEDDER = "qwen2.5-coder-0.5b-instruct-q4_k_m", "all-minilm-l6-v2-int8"


@pytest.fixture
def pulled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids that are downloaded."""
    ids: list[str] = []
    monkeypatch.setattr(Catalogue, "pull", lambda self, id, draw=None, **more: ids.append(id))
    return ids


def test_yes_downloads_the_default_model_and_the_embedder(
    data_dir: Path, pulled: list[str]
) -> None:
    first_run.ensure_models(Settings(yes=True, quiet=True))
    assert pulled == [MODEL, EMBEDDER]


def test_what_is_installed_is_not_downloaded_again(
    data_dir: Path, pulled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Catalogue, "is_installed", lambda self, entry: entry.id == MODEL)
    first_run.ensure_models(Settings(yes=True, quiet=True))
    assert pulled == [EMBEDDER]


def test_where_nobody_can_be_asked_nothing_is_downloaded(data_dir: Path, pulled: list[str]) -> None:
    first_run.ensure_models(Settings(no_input=True))
    assert pulled == []


@pytest.mark.parametrize(("answer", "n_pulled"), [(True, 2), (False, 0)])
def test_a_person_is_asked_once_with_names_sizes_and_licences(
    data_dir: Path,
    pulled: list[str],
    monkeypatch: pytest.MonkeyPatch,
    answer: bool,
    n_pulled: int,
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(Settings, "may_ask", True)
    monkeypatch.setattr(
        first_run, "confirm", lambda question, settings: asked.append(question) or answer
    )
    first_run.ensure_models(Settings(quiet=True))
    assert len(pulled) == n_pulled
    [question] = asked
    assert "491 MB" in question
    assert "Apache-2.0" in question


def test_an_embedder_that_cannot_be_had_does_not_stop_the_question(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def pull(self: Catalogue, id: str, draw: object = None) -> None:
        if id == EMBEDDER:
            raise SourceUnreachable("No source answers.", "Try later.")

    monkeypatch.setattr(Catalogue, "pull", pull)
    first_run.ensure_models(Settings(yes=True))
    assert "No source answers." in capsys.readouterr().err


def test_a_model_that_cannot_be_had_does(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def pull(self: Catalogue, id: str, draw: object = None) -> None:
        raise SourceUnreachable("No source answers.", "Try later.")

    monkeypatch.setattr(Catalogue, "pull", pull)
    with pytest.raises(SourceUnreachable):
        first_run.ensure_models(Settings(yes=True, quiet=True))
