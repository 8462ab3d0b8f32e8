"""From recipe, YAML file, flags and dotted settings to one resolved experiment."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from lrcn.cli.parser import UsageError
from lrcn.data.events_config import EventConfig
from lrcn.data.motion_config import MotionConfig
from lrcn.data.pictures_config import PictureConfig

if TYPE_CHECKING:
    from lrcn.settings import Setting
    from lrcn.train.caption_config import AnyExperiment

ExperimentT = TypeVar("ExperimentT", bound="AnyExperiment")


def resolve(
    base: ExperimentT,
    config: Mapping[str, Any] | None,
    flags: Mapping[str, Any],
    dotted: Mapping[str, str | None],
) -> ExperimentT:
    """Apply a YAML tree, then flags, then dotted settings; the later wins.

    Args:
        base: From a recipe, or found out from the data.
        config: The content of a `--config` file: any part of an experiment's tree.
        flags: Dotted key → value, for the flags that were given.
        dotted: Dotted key → text as typed; None for a switch without a value.

    Raises:
        ConfigError: naming every unknown key and wrong value of one source at once.
    """
    from lrcn.settings import override

    config = _without_layout_of_other_data(config, flags) if config else None
    experiment = override(base, config) if config else base
    return override(experiment, {**flags, **with_switches(dotted, all_settings())})


def _without_layout_of_other_data(
    config: Mapping[str, Any], flags: Mapping[str, Any]
) -> Mapping[str, Any]:
    """A run's experiment.yaml records the layout of its data; --data names others."""
    own, data = config.get("dataset"), flags.get("dataset.data")
    if data is None or not isinstance(own, Mapping) or own.get("data") in (None, "", data):
        return config
    return {**config, "dataset": {k: v for k, v in own.items() if k != "layout"}}


def with_switches(dotted: Mapping[str, str | None], settings: list[Setting]) -> dict[str, str]:
    """Settings without a value turn a switch on.

    Raises:
        UsageError: a setting that is no switch has no value.
    """
    kinds = {setting.key: setting.type_name for setting in settings}
    for key, value in dotted.items():
        if value is None and not kinds.get(key, "true|false").startswith("true|false"):
            raise UsageError(f"setting --{key} needs a value: {kinds[key]}. --help lists them all")
    return {key: "true" if value is None else value for key, value in dotted.items()}


def all_settings() -> list[Setting]:
    """Every setting of an experiment, with classes and then what sentences have besides."""
    from lrcn.settings import describe
    from lrcn.train.caption_config import CaptionExperiment
    from lrcn.train.config import Experiment

    found = {setting.key: setting for setting in describe(CaptionExperiment)}
    found |= {setting.key: setting for setting in describe(Experiment)}
    return list(found.values())


@dataclass(frozen=True, kw_only=True)
class WorldSettings:
    """What `lrcn data make` renders: `--world.noise 12`, `--events.num-events 3,3`."""

    world: MotionConfig = field(default_factory=MotionConfig)
    """The rendered world."""
    picture: PictureConfig = field(default_factory=PictureConfig)
    """The rendered pictures."""
    events: EventConfig = field(default_factory=EventConfig)
    """The rendered clips of several events."""


def world_settings() -> list[Setting]:
    """Every setting of the rendered worlds."""
    from lrcn.settings import describe

    return describe(WorldSettings)


WITH_SETTINGS: Mapping[str, Callable[[], list[Setting]]] = {
    "train": all_settings,
    "data make": world_settings,
}
"""The commands that take dotted settings → all of them."""


def to_yaml(experiment: AnyExperiment) -> str:
    """The whole experiment, as it is written into the run folder."""
    import yaml

    from lrcn.settings import to_dict

    return yaml.safe_dump(to_dict(experiment), sort_keys=False, allow_unicode=True)


def flag_of(setting: Setting) -> str:
    """How a setting is written on the command line: dots, and dashes for underscores."""
    return "--" + setting.key.replace("_", "-")


def suggest(command: str, option: str) -> str | None:
    """The dotted flag whose last part is the option: `--hidden-size` for `--model.hidden-size`."""
    if command not in WITH_SETTINGS:
        return None
    wanted = option.removeprefix("--").replace("-", "_")
    settings = WITH_SETTINGS[command]()
    found = [s for s in settings if "." in s.key and s.key.rpartition(".")[2] == wanted]
    return flag_of(found[0]) if found else None


def show_default(setting: Setting) -> str:
    """The default as it would be typed."""
    value = setting.default
    if isinstance(value, tuple | list):
        return ",".join(str(v) for v in value) or "empty"
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return "empty" if value == "" else str(value)


def by_part(settings: list[Setting]) -> list[tuple[str, list[Setting]]]:
    """Settings grouped by what they belong to: "dataset", "dataset.sampling", "train", ..."""
    dotted = [setting for setting in settings if "." in setting.key]
    dotted.sort(key=lambda s: s.key.rpartition(".")[0])
    return [(part, list(g)) for part, g in groupby(dotted, lambda s: s.key.rpartition(".")[0])]


def print_settings(settings: list[Setting]) -> None:
    """The dotted settings with type, default and help, on stdout."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    console = Console(file=sys.stdout, highlight=False)
    console.print(
        "\nSettings, with dashes or underscores (of a training: also in a YAML file, --config):\n"
    )
    for part, members in by_part(settings):
        console.print(Text(part, style="bold"))
        for setting in members:
            head = Text.assemble((flag_of(setting), "cyan"), f" {setting.type_name}")
            head.append(f"  [default: {show_default(setting)}]", style="dim")
            console.print(Padding(head, (0, 0, 0, 2)))
            console.print(Padding(Text(setting.help), (0, 0, 0, 6)))
        console.print()


def read_config(path: Path) -> Mapping[str, Any]:
    """The tree in a YAML file.

    Raises:
        ConfigError: it is absent, no YAML, or holds something else than settings by name.
    """
    from lrcn.train.run import read_yaml

    return read_yaml(path)
