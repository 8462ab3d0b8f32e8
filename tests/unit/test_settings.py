"""Settings: to and from plain data, dotted overrides, hints."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import pytest

from lrcn.errors import ConfigError
from lrcn.settings import describe, from_dict, override, to_dict


@dataclass(frozen=True, kw_only=True)
class Inner:
    lr: float = 0.1
    """Learning rate."""
    kind: Literal["lrcn", "single_frame"] = "lrcn"
    """Which network."""
    name: str | None = None
    """A name,
    over two lines."""
    sizes: tuple[int, ...] = (1, 2)
    """Sizes."""
    on: bool = False
    """A switch."""

    def __post_init__(self) -> None:
        if self.lr <= 0:
            raise ConfigError(f"lr must be positive, not {self.lr}")


@dataclass(frozen=True, kw_only=True)
class Outer:
    train: Inner = field(default_factory=Inner)
    """Inner settings."""
    num: int = 3
    """A count."""


def test_round_trip_through_plain_data():
    outer = Outer(train=Inner(lr=0.5, sizes=(3,)), num=7)

    assert from_dict(Outer, to_dict(outer)) == outer


def test_absent_keys_keep_their_default():
    assert from_dict(Outer, {"train": {"lr": 2}}) == Outer(train=Inner(lr=2.0))


@pytest.mark.parametrize(
    ("key", "text", "expected"),
    [
        ("train.lr", "1e-3", 0.001),
        ("train.lr", "2", 2.0),
        ("train.name", "12", "12"),
        ("train.name", "null", None),
        ("train.sizes", "4,5,6", (4, 5, 6)),
        ("train.sizes", "[4]", (4,)),
        ("train.on", "true", True),
        ("train.kind", "single_frame", "single_frame"),
        ("num", "4", 4),
    ],
)
def test_text_from_a_command_line_is_read_by_type(key, text, expected):
    changed = override(Outer(), {key: text})

    value = changed
    for part in key.split("."):
        value = getattr(value, part)
    assert value == expected
    assert type(value) is type(expected)


def test_overrides_keep_what_they_do_not_name():
    base = Outer(train=Inner(lr=0.5), num=9)

    assert override(base, {"train.on": "true"}) == Outer(train=Inner(lr=0.5, on=True), num=9)


def test_dashes_are_underscores():
    @dataclass(frozen=True, kw_only=True)
    class Dashed:
        hidden_size: int = 1
        """Units."""

    assert override(Dashed(), {"hidden-size": "5"}) == Dashed(hidden_size=5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train.lrr": "1"}, r"unknown setting 'train.lrr'. Did you mean 'train.lr'\?"),
        ({"lr": "1"}, r"unknown setting 'lr'. Did you mean 'train.lr'\?"),
        ({"train.kind": "lrnc"}, r"train.kind: 'lrnc' is not allowed.*Did you mean 'lrcn'\?"),
        ({"num": "many"}, "num: 'many' is not allowed; it takes integer"),
        ({"num": "2.5"}, "num: '2.5' is not allowed; it takes integer"),
        ({"train": "4"}, "train: expected settings below it"),
        ({"train.lr": "-1"}, "lr must be positive, not -1.0"),
        ({"train.lr": "nan"}, "train.lr: 'nan' is not allowed; it takes number"),
        ({"train.lr": "inf"}, "train.lr: 'inf' is not allowed; it takes number"),
        ({"train.lr": "1" + 400 * "0"}, "train.lr: '?10+'? is not allowed; it takes number"),
        ({"train.on": "1"}, "train.on: '1' is not allowed; it takes true|false"),
    ],
)
def test_wrong_settings_are_refused_with_a_hint(changes, message):
    with pytest.raises(ConfigError, match=message):
        override(Outer(), changes)


def test_all_problems_are_named_at_once():
    with pytest.raises(ConfigError, match=r"wrong.*num: 'x'"):
        from_dict(Outer, {"wrong": 1, "num": "x"})


def test_every_leaf_is_described_with_its_help():
    leaves = {s.key: s for s in describe(Outer)}

    assert list(leaves) == [
        "train.lr",
        "train.kind",
        "train.name",
        "train.sizes",
        "train.on",
        "num",
    ]
    assert leaves["train.name"].help == "A name, over two lines."
    assert leaves["train.kind"].type_name == "lrcn|single_frame"
    assert leaves["train.sizes"].default == (1, 2)


def test_every_setting_of_an_experiment_has_a_help_text():
    from lrcn.train.config import Experiment

    without = [s.key for s in describe(Experiment) if not s.help]

    assert without == []
    assert len(describe(Experiment)) > 50
