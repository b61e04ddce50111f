"""The GGUF parser: right on good files, and never more than ModelUnreadable on any other."""

import os
import struct
from pathlib import Path

import gguf
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assistant.catalogue.gguf import LongArray, read_metadata, split_parts
from assistant.catalogue.gguf_types import FILE_TYPES, TENSOR_TYPES
from assistant.errors import ModelMissing, ModelUnreadable
from catalogue_fakes import gguf_bytes, gguf_text
from conftest import model_file


def test_a_file_says_what_it_is(small_gguf: Path) -> None:
    facts = read_metadata(small_gguf)
    assert facts.architecture == "llama"
    assert facts.name == "a small model"
    assert (facts.n_ctx_train, facts.n_layers, facts.n_vocabulary) == (2048, 2, 100)
    assert facts.chat_template == "{{ messages }}"
    assert facts.quantisation == "F32"
    assert facts.n_parameters == 128
    assert facts.metadata["tokenizer.ggml.tokens"] == LongArray(100)


def test_tensors_are_found_where_they_are(tmp_path: Path) -> None:
    path = tmp_path / "written.gguf"
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_context_length(77)
    writer.add_array("a.list", [1, 2, 3])
    rows = {f"blk.{i}.weight": np.arange(96, dtype=np.float32).reshape(3, 32) + i for i in (1, 2)}
    for name, values in rows.items():
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    facts = read_metadata(path)
    assert facts.metadata["a.list"] == (1, 2, 3)
    data = path.read_bytes()
    for tensor in facts.tensors:
        assert tensor.shape == (32, 3)
        found = np.frombuffer(data, np.float32, tensor.n_parameters, tensor.offset)
        assert np.array_equal(found, rows[tensor.name].ravel())


def test_the_tables_agree_with_the_reference() -> None:
    reference = {int(k): (k.name, *size) for k, size in gguf.GGML_QUANT_SIZES.items()}
    assert {k: reference[k] for k in TENSOR_TYPES} == dict(TENSOR_TYPES)
    names = {
        int(f): f.name.removeprefix("MOSTLY_").removeprefix("ALL_") for f in gguf.LlamaFileType
    }
    assert {k: names[k] for k in FILE_TYPES} == dict(FILE_TYPES)


def test_every_torn_file_is_refused(tmp_path: Path) -> None:
    whole = gguf_bytes()
    path = tmp_path / "torn.gguf"
    for n_bytes in [*range(0, len(whole), 7), len(whole) - 1]:
        path.write_bytes(whole[:n_bytes])
        with pytest.raises(ModelUnreadable):
            read_metadata(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"not a model, but long enough to be one", "it is no GGUF file"),
        (struct.pack("<4sIQQ", b"GGUF", 1, 0, 0) + bytes(64), "version 1"),
        (struct.pack("<4sIQQ", b"GGUF", 3, 2**60, 0) + bytes(64), "announces"),
        (struct.pack("<4sIQQQ", b"GGUF", 3, 0, 1, 2**62) + bytes(64), "a text of"),
        (struct.pack("<4sIQQ", b"GGUF", 3, 0, 0) + bytes(64), "no architecture"),
        (
            struct.pack("<4sIQQ", b"GGUF", 3, 0, 1)
            + gguf_text("k")
            + struct.pack("<IIQ", 9, 0, 2**50)
            + bytes(64),
            "a list of",
        ),
        (
            struct.pack("<4sIQQ", b"GGUF", 3, 0, 1)
            + gguf_text("k")
            + struct.pack("<I", 9)
            + struct.pack("<IQ", 9, 1) * 6
            + bytes(64),
            "unknown type 9",
        ),
    ],
)
def test_a_bad_file_is_refused_with_the_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(content)
    with pytest.raises(ModelUnreadable, match=reason):
        read_metadata(path)


def test_a_path_to_nothing_or_to_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing):
        read_metadata(tmp_path / "absent.gguf")
    with pytest.raises(ModelUnreadable, match="folder"):
        read_metadata(tmp_path)


def test_a_split_model_needs_all_its_parts(tmp_path: Path) -> None:
    first = tmp_path / "m-00001-of-00002.gguf"
    first.write_bytes(gguf_bytes())
    with pytest.raises(ModelUnreadable, match=r"m-00002-of-00002\.gguf is missing"):
        split_parts(first)
    second = tmp_path / "m-00002-of-00002.gguf"
    second.write_bytes(gguf_bytes())
    assert split_parts(second) == (first, second)
    assert split_parts(tmp_path / "whole.gguf") == (tmp_path / "whole.gguf",)


fuzz = settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@fuzz
@given(st.binary(max_size=400))
def test_any_bytes_end_in_facts_or_a_refusal(tmp_path: Path, tail: bytes) -> None:
    _must_not_crash(tmp_path, b"GGUF\x03\0\0\0" + tail)


@fuzz
@given(
    st.lists(
        st.tuples(st.integers(0, len(gguf_bytes()) - 600), st.binary(min_size=1, max_size=9)),
        min_size=1,
        max_size=4,
    )
)
def test_damage_anywhere_ends_in_facts_or_a_refusal(
    tmp_path: Path, damage: list[tuple[int, bytes]]
) -> None:
    content = bytearray(gguf_bytes())
    for at, new in damage:
        content[at : at + len(new)] = new
    _must_not_crash(tmp_path, bytes(content))


def _must_not_crash(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / f"fuzz-{os.getpid()}.gguf"
    path.write_bytes(content)
    try:
        facts = read_metadata(path)
    except ModelUnreadable:
        return
    assert all(t.offset + t.n_bytes <= len(content) for t in facts.tensors)


@pytest.mark.model
def test_a_published_model_is_read_as_the_reference_reads_it() -> None:
    path = model_file("smollm2-135m-instruct-q4_1")
    facts, reference = read_metadata(path), gguf.GGUFReader(path)
    assert [(t.name, t.offset, t.n_bytes) for t in facts.tensors] == [
        (t.name, t.data_offset, t.n_bytes) for t in reference.tensors
    ]
    assert facts.n_vocabulary == 49152
