"""The catalogue: finding, choosing, adding and removing models, and the published list itself."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from assistant.catalogue.catalogue import Catalogue
from assistant.catalogue.entries import Entry, ModelFile, read_catalogue
from assistant.catalogue.recommend import fits, machine_ram_bytes, recommend
from assistant.catalogue.transfer import TransferStopped
from assistant.errors import ModelMissing, ModelUnreadable, NotFound, SettingError, UsageError
from assistant.paths import resource
from catalogue_fakes import DATA, Server, entry_of, gguf_bytes, hub_file, put_on_hub, sha256

GGUF = gguf_bytes()
LIST = resource("models/catalogue.toml")


def chat(id: str, data: bytes = GGUF, **facts: object) -> Entry:
    file = ModelFile(f"{id}.gguf", len(data), sha256(data))
    return Entry(id, "chat", (file,), **facts)  # type: ignore[arg-type]


EMBEDDER = Entry("embedder", "embedding", (ModelFile("model.onnx", 3, sha256(b"abc")),))


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    entries = [chat("alpha-1b", default=True), chat("beta-2b", gguf_bytes(name="beta")), EMBEDDER]
    return Catalogue(entries, tmp_path / "models")


def install(catalogue: Catalogue, id: str, data: bytes = GGUF) -> Path:
    entry = catalogue.find(id)
    folder = catalogue.models_dir / id
    folder.mkdir(parents=True, exist_ok=True)
    (folder / entry.files[0].name).write_bytes(data[: entry.bytes].ljust(entry.bytes, b"\0"))
    return folder / entry.files[0].name


# -- the published list ----------------------------------------------------------------------------


def test_the_list_can_be_read_and_every_source_is_complete() -> None:
    entries = read_catalogue(LIST)
    assert len(entries) == 59
    for entry in entries:
        assert all(file.sources for file in entry.files), entry.id
        assert entry.licence
        names = [file.name for file in entry.files]
        assert names == ["model.onnx", "tokenizer.json"] if entry.kind != "chat" else names


def test_no_host_is_named_in_the_list() -> None:
    text = LIST.read_text()
    assert "http" not in text
    assert not [word for word in (".com", ".org", ".co/") if word in text]


def test_the_defaults_are_those_of_the_design() -> None:
    catalogue = Catalogue.load(LIST, Path("/nowhere"))
    assert catalogue.default().id == "qwen2.5-coder-0.5b-instruct-q4_k_m"
    assert catalogue.default("embedding").id == "all-minilm-l6-v2-int8"
    assert catalogue.default().sha256.startswith("1d9614638d18")
    assert [f.sources for f in catalogue.default("embedding").files] == [
        ("index",),
        ("hub", "index"),
    ]


@pytest.mark.parametrize(
    ("ram_gb", "id"),
    [
        (1, "qwen2.5-coder-0.5b-instruct-q4_k_m"),
        (4, "qwen2.5-1.5b-instruct"),
        (16, "qwen3-4b-instruct-2507"),
        (64, "qwen3-30b-a3b-instruct-2507"),
    ],
)
def test_the_recommended_model_follows_from_the_ram(ram_gb: int, id: str) -> None:
    assert Catalogue.load(LIST, Path("/nowhere")).recommended(ram_gb * 10**9).id == id


def test_a_fast_disk_brings_a_mixture_of_experts_within_reach() -> None:
    catalogue = Catalogue.load(LIST, Path("/nowhere"))
    slow = catalogue.recommended(16 * 10**9, disk_bytes_per_s=0.5e9)
    assert slow.id == "qwen3-4b-instruct-2507"
    assert catalogue.recommended(16 * 10**9, 7e9).id == "qwen3-30b-a3b-instruct-2507"


def test_what_is_recommended_fits() -> None:
    entries = read_catalogue(LIST)
    for gigabytes in range(1, 130):
        found = recommend(entries, gigabytes * 10**9)
        assert found is None or fits(found, gigabytes * 10**9)
    assert machine_ram_bytes() > 10**8


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("sha256 = ", "sha256 = 5 #"), "TypeError"),
        (('kind = "chat"', 'kind = "other"'), "kind 'other'"),
        (('name = "', 'name = "../'), "name '../"),
        (("part_bytes = 89128960", "part_bytes = 89128961"), "do not add up"),
        (("[[model]]", "[[modal]]"), "TypeError"),
        (("[[model]]", "[[model"), "Expected"),
    ],
)
def test_a_damaged_list_is_named(tmp_path: Path, change: tuple[str, str], reason: str) -> None:
    file = tmp_path / "catalogue.toml"
    text = LIST.read_text()
    file.write_text(text.replace(*change) if change[0] == "[[model]]" else text.replace(*change, 1))
    with pytest.raises(SettingError, match="cannot be read") as caught:
        read_catalogue(file)
    assert reason in caught.value.what


def test_two_entries_cannot_share_an_id(tmp_path: Path) -> None:
    file = tmp_path / "catalogue.toml"
    text = LIST.read_text()
    first = text.split("[[model]]")[1]
    file.write_text(f"{text}\n[[model]]{first}")
    with pytest.raises(SettingError, match="two entries have one id"):
        read_catalogue(file)


# -- finding and choosing --------------------------------------------------------------------------


def test_an_id_is_found_by_its_only_beginning(catalogue: Catalogue) -> None:
    assert catalogue.find("alpha").id == "alpha-1b"


def test_an_unknown_id_brings_the_nearest_one(catalogue: Catalogue) -> None:
    with pytest.raises(NotFound, match="Did you mean alpha-1b"):
        catalogue.find("alhpa-1b")
    with pytest.raises(NotFound, match="models list"):
        catalogue.find("zzzzz")


def test_nothing_installed_says_what_to_do(catalogue: Catalogue) -> None:
    with pytest.raises(ModelMissing, match="models pull alpha-1b"):
        catalogue.chosen()
    with pytest.raises(ModelMissing, match="models pull beta-2b"):
        catalogue.path_of("beta-2b")


def test_the_chosen_model_is_configured_or_used_or_default_or_any(catalogue: Catalogue) -> None:
    install(catalogue, "beta-2b")
    assert catalogue.chosen().id == "beta-2b"
    install(catalogue, "alpha-1b")
    assert catalogue.chosen().id == "alpha-1b"
    catalogue.use("beta-2b")
    assert catalogue.chosen().id == "beta-2b"
    assert catalogue.chosen("alpha-1b").id == "alpha-1b"


def test_only_an_installed_chat_model_can_be_used(catalogue: Catalogue) -> None:
    with pytest.raises(ModelMissing):
        catalogue.use("beta-2b")
    with pytest.raises(UsageError, match="no chat model"):
        catalogue.use("embedder")


def test_a_file_that_lost_bytes_is_called_damaged(catalogue: Catalogue) -> None:
    path = install(catalogue, "alpha-1b")
    path.write_bytes(GGUF[:100])
    with pytest.raises(ModelUnreadable, match="damaged: it has 100 of"):
        catalogue.path_of("alpha-1b")


def test_the_path_of_an_embedder_is_its_folder(catalogue: Catalogue) -> None:
    install(catalogue, "embedder", b"abc")
    assert catalogue.path_of("embedder") == catalogue.models_dir / "embedder"


# -- the person's own files ------------------------------------------------------------------------


def test_an_own_file_stays_where_it_is_and_works_like_any_other(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    mine = tmp_path / "My Model.Q4.gguf"
    mine.write_bytes(gguf_bytes(name="mine"))
    entry = catalogue.add(mine)
    assert entry.id == "my-model.q4"
    assert catalogue.use("my-model.q4").path == mine
    again = Catalogue([], catalogue.models_dir)
    assert again.path_of(again.chosen()) == mine
    assert again.sha256(again.chosen()) == sha256(mine.read_bytes())
    assert again.remove("my-model.q4").path == mine
    assert mine.exists()
    with pytest.raises(ModelMissing):
        again.chosen()


def test_an_own_file_with_published_bytes_takes_the_published_name(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    mine = tmp_path / "renamed.gguf"
    mine.write_bytes(GGUF)
    assert catalogue.add(mine).id == "alpha-1b"
    assert catalogue.path_of("alpha-1b") == mine
    assert [entry.id for entry in catalogue.entries].count("alpha-1b") == 1


def test_a_copy_of_an_installed_model_may_go_away_again(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    here = install(catalogue, "alpha-1b")
    copy = tmp_path / "copy.gguf"
    copy.write_bytes(GGUF)
    assert catalogue.add(copy).id == "alpha-1b"
    copy.unlink()
    assert catalogue.path_of("alpha-1b") == here


def test_two_own_files_of_one_name_get_two_ids(catalogue: Catalogue, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "m.gguf").write_bytes(gguf_bytes(name=folder))
    ids = [catalogue.add(tmp_path / folder / "m.gguf").id for folder in ("one", "two", "one")]
    assert ids == ["m", "m-2", "m"]


def test_an_own_file_that_moved_away_is_named(catalogue: Catalogue, tmp_path: Path) -> None:
    mine = tmp_path / "mine.gguf"
    mine.write_bytes(gguf_bytes(name="mine"))
    entry = catalogue.add(mine)
    mine.unlink()
    with pytest.raises(ModelMissing, match=r"mine\.gguf is gone"):
        catalogue.path_of(entry)


def test_a_path_can_be_given_in_place_of_an_id(catalogue: Catalogue, small_gguf: Path) -> None:
    entry = catalogue.chosen(str(small_gguf))
    assert catalogue.path_of(entry) == small_gguf
    assert entry.context == 2048
    assert catalogue.sha256(entry) == sha256(small_gguf.read_bytes())
    assert (catalogue.models_dir / "hashes.json").exists()


def test_what_cannot_chat_is_not_added(catalogue: Catalogue, tmp_path: Path) -> None:
    text = tmp_path / "text.gguf"
    text.write_text("no model at all, though it is called one")
    with pytest.raises(ModelUnreadable, match="no GGUF file"):
        catalogue.add(text)
    text.write_bytes(gguf_bytes("nomic-bert"))
    with pytest.raises(ModelUnreadable, match="cannot chat"):
        catalogue.add(text)
    with pytest.raises(ModelMissing):
        catalogue.add(tmp_path / "absent.gguf")


def test_a_split_model_is_added_whole(catalogue: Catalogue, tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / f"s-0000{number}-of-00002.gguf").write_bytes(gguf_bytes(name=f"part {number}"))
    entry = catalogue.add(tmp_path / "s-00002-of-00002.gguf")
    assert len(entry.files) == 2
    assert catalogue.path_of(entry).name == "s-00001-of-00002.gguf"


def test_a_damaged_register_counts_as_empty(catalogue: Catalogue) -> None:
    catalogue.models_dir.mkdir()
    for content in ("{", "[]", '{"models": [{"id": 1}]}', '{"models": 5}', "\0"):
        (catalogue.models_dir / "added.json").write_text(content)
        assert len(catalogue.entries) == 3


# -- downloading and removing ----------------------------------------------------------------------


@pytest.mark.download
def test_a_pulled_model_is_ready_and_can_be_removed(server: Server, tmp_path: Path) -> None:
    put_on_hub(server, hub_file(), DATA)
    catalogue = Catalogue([replace(entry_of(hub_file()), default=True)], tmp_path)
    assert catalogue.pull("thing").read_bytes() == DATA
    catalogue.use("thing")
    catalogue.remove("thing")
    assert not (tmp_path / "thing").exists()
    with pytest.raises(ModelMissing):
        catalogue.remove("thing")


@pytest.mark.download
def test_a_pull_can_be_paused_and_resumed(server: Server, tmp_path: Path) -> None:
    served = put_on_hub(server, hub_file(), DATA, "truncates")
    catalogue = Catalogue([entry_of(hub_file())], tmp_path)
    stop = threading.Event()
    with pytest.raises(TransferStopped):
        catalogue.pull("thing", lambda p: stop.set() if p.done >= 100_000 else None, stop=stop)
    served.behaviour = "normal"
    stop.clear()
    assert catalogue.pull("thing", stop=stop).read_bytes() == DATA
    assert served.ranges[-1].startswith("bytes=")
