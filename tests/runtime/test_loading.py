"""Loading: every bad file has its own words, one model follows another, nothing is left behind."""

import os
import struct
from pathlib import Path
from types import SimpleNamespace

import pytest

from assistant.errors import ModelMissing, ModelUnreadable, OutOfMemory
from assistant.records import ChatMessage, SamplingParameters
from assistant.runtime import loading, machine
from assistant.runtime.model import Model
from conftest import model_file

SMALL = "smollm2-135m-instruct-q4_1"
DEFAULT = "qwen2.5-coder-0.5b-instruct-q4_k_m"


def test_a_missing_file_is_a_missing_model(tmp_path: Path):
    with pytest.raises(ModelMissing, match="does not exist"):
        Model.load(tmp_path / "none.gguf")


def test_a_file_that_is_no_gguf_is_named_so(tmp_path: Path):
    file = tmp_path / "letter.gguf"
    file.write_text("Dear Sir")
    with pytest.raises(ModelUnreadable, match="not a GGUF file"):
        Model.load(file)


def test_a_folder_is_unreadable(tmp_path: Path):
    with pytest.raises(ModelUnreadable, match="cannot be read"):
        Model.load(tmp_path)


def test_a_gguf_header_without_a_model_is_unreadable(tmp_path: Path):
    file = tmp_path / "hollow.gguf"
    file.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 0))
    with pytest.raises(ModelUnreadable, match=r"cannot load .*hollow\.gguf"):
        Model.load(file)


@pytest.mark.model
@pytest.mark.parametrize("share", [0.01, 0.5, 0.999])
def test_a_truncated_model_is_unreadable(tmp_path: Path, share: float):
    whole = model_file(SMALL)
    file = tmp_path / "short.gguf"
    with whole.open("rb") as source:
        file.write_bytes(source.read(int(whole.stat().st_size * share)))
    with pytest.raises(ModelUnreadable):
        Model.load(file)


@pytest.mark.model
@pytest.mark.parametrize("at", [0.0, 1.0])
def test_what_the_progress_raises_ends_the_loading(at: float):
    shares = []

    def interrupt(share: float) -> None:
        shares.append(share)
        if share >= at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Model.load(model_file(SMALL), n_ctx=512, n_threads=1, on_progress=interrupt)
    assert shares[-1] >= at
    assert sum(share >= at for share in shares) == 1, "it is not asked again"


@pytest.mark.model
def test_a_context_that_does_not_fit_says_what_would(monkeypatch: pytest.MonkeyPatch):
    free = model_file(SMALL).stat().st_size + (300 << 20)
    monkeypatch.setattr(loading, "available_bytes", lambda: free)
    with pytest.raises(OutOfMemory, match="8192 tokens does not fit") as caught:
        Model.load(model_file(SMALL), n_ctx=8192, weight_window="off")
    n_ctx = int(caught.value.remedy.rstrip("`.").split()[-1])
    with Model.load(model_file(SMALL), n_ctx=n_ctx, weight_window="off") as model:
        assert model.n_ctx == n_ctx
    with Model.load(model_file(SMALL), n_ctx=0, weight_window="off") as model:
        assert model.n_ctx == n_ctx


@pytest.mark.model
def test_a_kv_cache_that_cannot_be_allocated_is_out_of_memory():
    """A child with a limit on its address space: malloc itself fails there."""
    import subprocess
    import sys

    code = (
        "import resource, sys; from pathlib import Path\n"
        "from assistant.runtime.model import Model\n"
        "from assistant.errors import OutOfMemory\n"
        "from assistant.runtime.library import llama\n"
        "llama()\n"
        "used = int(Path('/proc/self/statm').read_text().split()[0]) * 4096\n"
        "limit = used + (260 << 20)\n"
        "resource.setrlimit(resource.RLIMIT_AS, (limit, limit))\n"
        "try: Model.load(Path(sys.argv[1]), n_ctx=8192, weight_window='off')\n"
        "except OutOfMemory: sys.exit(7)\n"
    )
    child = subprocess.run(
        [sys.executable, "-c", code, str(model_file(SMALL))], check=False, capture_output=True
    )
    assert child.returncode == 7, child.stderr.decode()[-2000:]


@pytest.mark.model
def test_progress_runs_from_start_to_end(small_model: Model):
    shares: list[float] = []
    with Model.load(model_file(SMALL), n_ctx=256, on_progress=shares.append) as model:
        assert model.info.architecture == "llama"
        assert model.info.n_vocabulary == 49152
        assert model.info.n_ctx == 256
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


@pytest.mark.model
@pytest.mark.parametrize(
    "options",
    [
        {"kv_cache_type": "q8_0"},
        {"kv_cache_type": "q4_0", "flash_attention": "on"},
        {"kv_cache_type": "q8_0", "flash_attention": "off"},
        {"n_sequences": 1, "n_batch": 32, "n_threads": 2},
    ],
)
def test_the_settings_of_the_runtime_load_and_answer(options: dict[str, object]):
    with Model.load(model_file(SMALL), n_ctx=512, **{"n_threads": 1, **options}) as model:
        tokens = model.render([ChatMessage("user", "Say hello to the people of Rome." * 4)])
        assert list(model.stream(tokens, SamplingParameters(temperature=0, max_tokens=4)))


@pytest.mark.model
def test_models_follow_one_another_and_a_closed_one_gives_its_memory_back():
    greedy = SamplingParameters(temperature=0, max_tokens=4)

    def resident_bytes() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")

    sizes = []
    for model_id in (SMALL, DEFAULT, SMALL, SMALL):
        with Model.load(model_file(model_id), n_ctx=512, n_threads=1) as model:
            tokens = model.render([ChatMessage("user", "Hi")])
            assert list(model.stream(tokens, greedy))
        model.close()  # a second time does nothing
        sizes.append(resident_bytes())
    assert sizes[-1] < sizes[1] + (40 << 20)


@pytest.mark.parametrize(
    ("setting", "system", "free", "may"),
    [
        ("auto", b"AVX2 = 1 | AVX512 = 1 | ", 3001, True),
        (
            "auto",
            b"AVX2 = 1 | AVX512 = 1 | ",
            3000,
            False,
        ),  # no room for two copies and as much again
        ("auto", b"AVX2 = 1 | AVX512 = 1 | ", None, False),
        ("auto", b"AVX2 = 1 | AVX_VNNI = 1 | ", 1 << 40, False),
        ("on", b"AVX2 = 1 | ", 0, True),
        ("off", b"AVX512 = 1 | ", 1 << 40, False),
    ],
)
def test_weights_are_repacked_where_that_gains_and_the_ram_is_ample(
    setting: str,
    system: bytes,
    free: int | None,
    may: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    file = tmp_path / "model.gguf"
    file.write_bytes(bytes(1000))
    monkeypatch.setattr(loading, "available_bytes", lambda: free)
    lib = SimpleNamespace(llama_print_system_info=lambda: system)
    monkeypatch.setattr(loading, "llama", lambda: lib)
    assert loading.may_repack(file, setting) is may


def test_cores_are_counted_once_and_at_least_one():
    assert 1 <= machine.physical_cores() <= (os.cpu_count() or 1)
