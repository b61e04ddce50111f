"""The settings: one frozen `Config`, read as flags > environment > file > built-in.

`SETTINGS` is the only table of names, defaults, bounds and meanings: the README's table, `config
show` and the errors are made from it. Knows no leaf: a leaf is handed plain values.
"""

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal, cast

from assistant.errors import SettingError
from assistant.paths import whole_file
from assistant.records import SamplingParameters

Value = str | int | float | bool | tuple[str, ...]
Origin = Literal["built-in", "file", "environment", "flag"]
ENVIRONMENT_PREFIX: Final = "ASSISTANT_"


@dataclass(frozen=True, slots=True)
class Setting:
    """One tunable: default, minimum and maximum stand together. `choices` closes a list of words."""

    name: str
    default: Value
    meaning: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()

    @property
    def variable(self) -> str:
        """The environment variable: ASSISTANT_RUNTIME_N_CTX for runtime.n_ctx."""
        return ENVIRONMENT_PREFIX + self.name.replace(".", "_").upper()

    def parse(self, raw: object) -> Value:
        """`raw` as this setting's type. Raises SettingError where it does not fit."""
        value = self._convert(raw)
        if self.choices and value not in self.choices:
            raise self._error(raw, "one of " + ", ".join(self.choices))
        if isinstance(value, int | float) and not isinstance(value, bool):
            low, high = self.minimum, self.maximum
            if (low is not None and value < low) or (high is not None and value > high):
                raise self._error(
                    raw, f"from {low:g} to {high:g}" if high is not None else f"at least {low:g}"
                )
        return value

    def _convert(self, raw: object) -> Value:
        default = self.default
        try:
            if isinstance(default, bool):
                return _parse_bool(raw)
            if isinstance(default, tuple):
                return (
                    tuple(raw.split(","))
                    if isinstance(raw, str) and raw
                    else tuple(map(str, cast(list[object], raw or ())))
                )
            if isinstance(raw, bool):
                raise ValueError
            return type(default)(cast(str, raw))  # int, float or str
        except (TypeError, ValueError):
            raise self._error(raw, f"of type {type(default).__name__}") from None

    def _error(self, raw: object, wanted: str) -> SettingError:
        return SettingError(
            f"{self.name} = {raw!r} is not {wanted}.",
            f"Run `assistant config set {self.name} VALUE`.",
        )


def _parse_bool(raw: object) -> bool:
    if isinstance(raw, bool):
        return raw
    words = {
        "true": True,
        "on": True,
        "yes": True,
        "1": True,
        "false": False,
        "off": False,
        "no": False,
        "0": False,
    }
    try:
        return words[str(raw).lower()]
    except KeyError:
        raise ValueError from None


SETTINGS: Final = MappingProxyType(
    {
        setting.name: setting
        for setting in (
            Setting(
                "model",
                "",
                "catalogue id or path of the chat model; empty: the one chosen with `models use`",
            ),
            Setting("embedder", "all-minilm-l6-v2-int8", "catalogue id of the embedder"),
            Setting(
                "runtime.n_ctx",
                4096,
                "context window, tokens; 0 takes what the model was trained for, as far as the RAM goes",
                0,
                1_048_576,
            ),
            Setting(
                "runtime.n_threads", 0, "threads for the model; 0 takes the physical cores", 0, 256
            ),
            Setting(
                "runtime.n_batch",
                512,
                "tokens evaluated at once while the prompt is read",
                32,
                8192,
            ),
            Setting("runtime.n_gpu_layers", 0, "layers put on a GPU", 0, 1000),
            Setting(
                "runtime.weight_window",
                "auto",
                "weights held in RAM: auto, off, a size (2GiB) or a share (50%)",
            ),
            Setting(
                "runtime.kv_cache_type",
                "f16",
                "type of the KV cache",
                choices=("f16", "q8_0", "q4_0"),
            ),
            Setting(
                "runtime.flash_attention", "auto", "flash attention", choices=("auto", "on", "off")
            ),
            Setting(
                "runtime.repack",
                "auto",
                "a second copy of the weights in RAM, laid out for the CPU: answers come faster, prompts are read"
                " slower; auto: with AVX-512, where the RAM is ample",
                choices=("auto", "on", "off"),
            ),
            Setting("sampling.temperature", 0.7, "0 is greedy", 0, 5),
            Setting("sampling.top_k", 40, "candidates kept; 0 keeps all", 0, 1000),
            Setting("sampling.top_p", 0.95, "probability mass kept", 0, 1),
            Setting(
                "sampling.min_p",
                0.05,
                "share of the best candidate's probability that keeps one",
                0,
                1,
            ),
            Setting("sampling.repeat_penalty", 1.05, "1 is none", 0.5, 2),
            Setting("sampling.max_tokens", 512, "longest answer, tokens", 1, 1_048_576),
            Setting("sampling.seed", -1, "-1 draws a fresh one each time", -1, 4294967294),
            Setting(
                "memory.mode",
                "auto",
                "ask: confirm each thought, and what is recalled; auto: neither; off: no thoughts and no recall",
                choices=("ask", "auto", "off"),
            ),
            Setting("memory.recall_count", 5, "most memories given to the model", 0, 50),
            Setting("memory.token_budget", 320, "most tokens of memories in a prompt", 0, 32768),
            Setting(
                "memory.portrait_budget",
                64,
                "most tokens of your portrait in a prompt where no memory fits; 0 is none",
                0,
                4096,
            ),
            Setting(
                "memory.index", "auto", "recall index", choices=("auto", "exact", "lsh", "hnsw")
            ),
            Setting(
                "memory.thought_writer",
                "rules",
                "who derives thoughts: rules select, a model refines the selection, or a model writes",
                choices=("rules", "model", "generate"),
            ),
            Setting("memory.never_store", (), "topics that are never made into thoughts"),
            Setting(
                "chat.prefill_while_typing",
                "auto",
                "read the prompt while you type; auto is off on battery",
                choices=("auto", "on", "off"),
            ),
            Setting("chat.theme", "assistant-dark", "colours of the terminal app"),
            Setting("chat.keys", (), "other keys, as prompt.send=ctrl+s,chat.new=ctrl+t"),
            Setting("chat.system_prompt", "", "replaces the built-in system prompt"),
        )
    }
)


@dataclass(frozen=True, slots=True)
class Config:
    """Every setting's value and where it came from."""

    values: Mapping[str, Value]
    origins: Mapping[str, Origin]

    def __getitem__(self, name: str) -> Value:
        return self.values[name]

    def text(self, name: str) -> str:
        return str(self.values[name])

    def integer(self, name: str) -> int:
        return int(cast(int, self.values[name]))

    def number(self, name: str) -> float:
        return float(cast(float, self.values[name]))

    def words(self, name: str) -> tuple[str, ...]:
        return cast(tuple[str, ...], self.values[name])

    def sampling(self) -> SamplingParameters:
        seed = self.integer("sampling.seed")
        return SamplingParameters(
            temperature=self.number("sampling.temperature"),
            top_k=self.integer("sampling.top_k"),
            top_p=self.number("sampling.top_p"),
            min_p=self.number("sampling.min_p"),
            repeat_penalty=self.number("sampling.repeat_penalty"),
            max_tokens=self.integer("sampling.max_tokens"),
            seed=None if seed < 0 else seed,
        )


def find_setting(name: str) -> Setting:
    """The setting called `name`. Raises SettingError naming the nearest one that exists."""
    if name in SETTINGS:
        return SETTINGS[name]
    near = get_close_matches(name, SETTINGS, n=1)
    hint = f"Did you mean {near[0]}?" if near else "Run `assistant config show` for the list."
    raise SettingError(f"There is no setting {name!r}.", hint)


def load_config(
    file: Path,
    flags: Mapping[str, object] | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Config:
    """Merge the layers. Raises SettingError on an unknown key, a bad value or a broken file."""
    values: dict[str, Value] = {name: setting.default for name, setting in SETTINGS.items()}
    origins: dict[str, Origin] = dict.fromkeys(SETTINGS, "built-in")

    def lay(origin: Origin, pairs: Iterator[tuple[str, object]]) -> None:
        for name, raw in pairs:
            values[name] = find_setting(name).parse(raw)
            origins[name] = origin

    lay("file", _flatten(_read_file(file)))
    lay(
        "environment",
        ((s.name, environment[s.variable]) for s in SETTINGS.values() if s.variable in environment),
    )
    lay("flag", ((name, raw) for name, raw in (flags or {}).items() if raw is not None))
    return Config(MappingProxyType(values), MappingProxyType(origins))


def save_setting(file: Path, name: str, raw: str) -> Value:
    """Write one setting to the file, keeping the person's comments; returns the parsed value.

    Raises SettingError where the name or the value is wrong; the file is then untouched.
    """
    import tomlkit

    value = find_setting(name).parse(raw)
    _read_file(file)
    document = tomlkit.parse(file.read_text("utf-8")) if file.exists() else tomlkit.document()
    table: object = document
    *sections, key = name.split(".")
    for section in sections:
        table = cast(dict[str, object], table).setdefault(section, tomlkit.table())
    cast(dict[str, object], table)[key] = list(value) if isinstance(value, tuple) else value
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with whole_file(file) as out:
        out.write(tomlkit.dumps(document))
    return value


def _read_file(file: Path) -> dict[str, object]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(f"{file} is not TOML: {error}.", "Mend or remove the file.") from error


def _flatten(table: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value
