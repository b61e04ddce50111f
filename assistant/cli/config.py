"""`assistant config`: read and change settings. Draws the table in `assistant.config`."""

from typing import TYPE_CHECKING, Any

import click

from assistant.cli.output import print_json, print_text
from assistant.cli.settings import Settings
from assistant.wording import clean

if TYPE_CHECKING:
    from assistant.config import Value


@click.group()
def config() -> None:
    """Read and change settings."""


@config.command()
@click.argument("name")
@click.pass_obj
def get(settings: Settings, name: str) -> None:
    """The value of the setting NAME."""
    from assistant.config import find_setting

    find_setting(name)
    _print_values(settings, [name], {name: settings.config[name]})


@config.command("set")
@click.argument("name")
@click.argument("value")
@click.pass_obj
def set_value(settings: Settings, name: str, value: str) -> None:
    """Write the setting NAME to the file of settings."""
    from assistant.config import save_setting

    settings.paths.create()
    saved = save_setting(settings.paths.config_file, name, value)
    if settings.json:
        print_json({"v": 1, "settings": {name: _plain(saved)}})
    elif not settings.quiet:
        print_text(f"{name} = {_text(saved)}")


@config.command()
@click.pass_obj
def path(settings: Settings) -> None:
    """Where the file of settings is, whether or not it exists yet."""
    file = settings.paths.config_file
    if settings.json:
        print_json({"v": 1, "path": str(file), "exists": file.exists()})
    else:
        print_text(str(file))


@config.command()
@click.option("--origin", is_flag=True, help="Say where each value comes from.")
@click.pass_obj
def show(settings: Settings, origin: bool) -> None:
    """Every setting with its value and its meaning."""
    from assistant.config import SETTINGS

    found = settings.config
    if settings.json:
        rows = {
            name: {
                "value": _plain(found[name]),
                "origin": found.origins[name],
                "default": _plain(setting.default),
                "meaning": setting.meaning,
            }
            for name, setting in SETTINGS.items()
        }
        print_json({"v": 1, "settings": rows})
        return
    for name, setting in SETTINGS.items():
        where = f"  ({found.origins[name]})" if origin else f"  # {setting.meaning}"
        print_text(f"{name} = {_text(found[name])}{where}")


def _print_values(settings: Settings, names: list[str], values: "dict[str, Value]") -> None:
    if settings.json:
        print_json({"v": 1, "settings": {name: _plain(values[name]) for name in names}})
        return
    for name in names:
        print_text(_text(values[name]))


def _plain(value: "Value") -> Any:
    return list(value) if isinstance(value, tuple) else value


def _text(value: "Value") -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return clean(",".join(value) if isinstance(value, tuple) else str(value))
