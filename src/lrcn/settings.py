"""Frozen dataclasses as settings: to and from plain dicts, dotted overrides, help texts.

One way for YAML files, JSON model configs and dotted command-line flags. Every field of a
settings class is followed by a one-line string (unit, reason); that string is its help.
Unknown keys and wrong values are refused, all at once, with a "did you mean".
"""

from __future__ import annotations

import ast
import difflib
import functools
import inspect
import itertools
import os
import sys
import textwrap
import types
import typing
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from lrcn.errors import ConfigError

T = TypeVar("T")


@dataclass(frozen=True)
class Setting:
    """One leaf of a settings tree, for `--help` and the reference pages."""

    key: str
    """Dotted name: "train.lr"."""
    type_name: str
    default: Any
    help: str


def did_you_mean(word: str, allowed: Sequence[str]) -> str:
    """A hint to append to a message: " Did you mean 'x'?", or nothing when none is close."""
    close = difflib.get_close_matches(word, allowed, n=1, cutoff=0.6)
    return f" Did you mean {close[0]!r}?" if close else ""


def to_dict(settings: Any) -> dict[str, Any]:
    """Plain dicts, lists, strings and numbers, ready for YAML or JSON."""

    def plain(value: Any) -> Any:
        if is_dataclass(value) and not isinstance(value, type):
            return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
        if isinstance(value, Mapping):
            return {str(k): plain(v) for k, v in value.items()}
        if isinstance(value, tuple | list):
            return [plain(v) for v in value]
        return value

    result = plain(settings)
    assert isinstance(result, dict)
    return result


def from_dict(cls: type[T], mapping: Mapping[str, Any], *, where: str = "") -> T:
    """Build the settings class from plain data; keys that are absent keep their default.

    Raises:
        ConfigError: naming every unknown key, missing key and wrong value at once.
    """
    problems: list[str] = []
    result = _build(cls, mapping, where, problems, base=None)
    if problems:
        raise ConfigError("; ".join(problems))
    assert result is not None
    return result


def override(settings: T, changes: Mapping[str, Any]) -> T:
    """A copy with dotted keys changed: `override(experiment, {"train.lr": "0.1"})`.

    Values may be text, as typed on a command line: they are read as YAML scalars.

    Raises:
        ConfigError: naming every unknown key and wrong value at once.
    """
    tree: dict[str, Any] = {}
    problems: list[str] = []
    for key, value in changes.items():
        node = tree
        parts = key.replace("-", "_").split(".")
        for part in parts[:-1]:
            below = node.setdefault(part, {})
            if not isinstance(below, dict):
                problems.append(f"{key}: {part} was given a value and settings below it")
                below = {}
            node = below
        node[parts[-1]] = _Text(value) if isinstance(value, str) else value
    result = _build(type(settings), tree, "", problems, base=settings)
    if problems:
        raise ConfigError("; ".join(problems))
    assert result is not None
    return result


def describe(cls: Any, *, prefix: str = "") -> list[Setting]:
    """Every leaf of a settings class with type, default and help, in the order written."""
    found: list[Setting] = []
    hints = _hints(cls)
    help_texts = _field_help(cls)
    for f in fields(cls):
        kind = hints[f.name]
        key = f"{prefix}{f.name}"
        if is_dataclass(kind) and isinstance(kind, type):
            found.extend(describe(kind, prefix=f"{key}."))
            continue
        default = f.default
        if default is MISSING and f.default_factory is not MISSING:
            default = f.default_factory()
        found.append(
            Setting(
                key=key,
                type_name=_type_name(kind),
                default=None if default is MISSING else default,
                help=help_texts.get(f.name, ""),
            )
        )
    return found


class _Text(str):
    """Marks text from a command line, to be read as a YAML scalar."""

    __slots__ = ()


@functools.cache
def _hints(cls: Hashable) -> dict[str, Any]:
    return typing.get_type_hints(typing.cast(type, cls))


@functools.cache
def _field_help(cls: Hashable) -> dict[str, str]:
    """The string under each field, read from the class's source."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(typing.cast(type, cls))))
    body = typing.cast(ast.ClassDef, tree.body[0]).body
    texts: dict[str, str] = {}
    for node, after in itertools.pairwise(body):
        if (
            isinstance(node, ast.AnnAssign)
            and isinstance(node.target, ast.Name)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
            and isinstance(after.value.value, str)
        ):
            texts[node.target.id] = " ".join(after.value.value.split())
    return texts


def _build(
    cls: type[T], mapping: Any, where: str, problems: list[str], *, base: T | None
) -> T | None:
    """Build `cls` from a mapping over `base` (or the defaults), collecting problems."""
    label = where or cls.__name__
    if not isinstance(mapping, Mapping):
        problems.append(f"{label}: expected settings below it, got {mapping!r}")
        return None
    before = len(problems)
    hints = _hints(typing.cast(Hashable, cls))
    names = [f.name for f in fields(typing.cast(Any, cls))]
    values: dict[str, Any] = {}
    if base is not None:
        values = {name: getattr(base, name) for name in names}
    for key, value in mapping.items():
        full = f"{where}.{key}" if where else str(key)
        if key not in names:
            problems.append(
                f"unknown setting {full!r}.{_hint(str(key), names, where, cls)}"
                f" Allowed here: {', '.join(names)}"
            )
            continue
        kind = hints[key]
        if is_dataclass(kind) and isinstance(kind, type):
            current = getattr(base, key) if base is not None else None
            values[key] = _build(kind, value, full, problems, base=current)
        else:
            values[key] = _convert(kind, value, full, problems)
    for f in fields(typing.cast(Any, cls)):
        absent = f.name not in values
        if absent and f.default is MISSING and f.default_factory is MISSING:
            problems.append(f"setting {where + '.' if where else ''}{f.name} is missing")
    if len(problems) > before:
        return None
    try:
        return cls(**values)
    except ConfigError as error:
        problems.append(str(error))
    except (ValueError, TypeError) as error:
        problems.append(f"{label}: {error}")
    return None


def _hint(key: str, names: Sequence[str], where: str, cls: type[Any]) -> str:
    """A hint among the neighbours, or a full dotted key deeper in the tree with that name."""
    prefix = f"{where}." if where else ""
    near = difflib.get_close_matches(key, names, n=1, cutoff=0.6)
    if near:
        return f" Did you mean {prefix + near[0]!r}?"
    leaves = {s.key.rsplit(".", 1)[-1]: s.key for s in describe(cls, prefix=prefix)}
    close = difflib.get_close_matches(key, list(leaves), n=1, cutoff=0.75)
    return f" Did you mean {leaves[close[0]]!r}?" if close else ""


def _type_name(kind: Any) -> str:
    origin = get_origin(kind)
    if origin is Literal:
        return "|".join(str(a) for a in get_args(kind))
    if origin in (Union, types.UnionType):
        return " or ".join("none" if a is type(None) else _type_name(a) for a in get_args(kind))
    if origin in (tuple, list):
        inner = [a for a in get_args(kind) if a is not Ellipsis]
        return "list of " + (_type_name(inner[0]) if inner else "values")
    if origin in (dict, Mapping):
        return "mapping"
    return {"str": "text", "int": "integer", "float": "number", "bool": "true|false"}.get(
        getattr(kind, "__name__", str(kind)), getattr(kind, "__name__", str(kind))
    )


_BAD = object()


def _convert(kind: Any, value: Any, full: str, problems: list[str]) -> Any:
    """The value as `kind`, or a problem that says what is allowed."""
    parsed = _read_text(value) if isinstance(value, _Text) else value
    candidates = [parsed, str(value)] if isinstance(value, _Text) else [parsed]
    if isinstance(value, _Text) and value == "none":
        candidates.append(None)  # as help and messages write it; YAML's own word is null
    for candidate in candidates:
        result = _coerce(kind, candidate)
        if result is not _BAD:
            return result
    allowed = ""
    choices = _choices(kind)
    if choices and isinstance(value, str):
        allowed = did_you_mean(value, [str(c) for c in choices])
    problems.append(f"{full}: {value!r} is not allowed; it takes {_type_name(kind)}.{allowed}")
    return None


def _read_text(text: str) -> Any:
    import yaml

    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return str(text)
    if isinstance(value, str):
        # YAML 1.1 reads 1e-3 as text; people type it as a number.
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _choices(kind: Any) -> list[Any]:
    if get_origin(kind) is Literal:
        return list(get_args(kind))
    if get_origin(kind) in (Union, types.UnionType):
        return [c for a in get_args(kind) for c in _choices(a)]
    return []


def _coerce(kind: Any, value: Any) -> Any:
    """The value as `kind`, or `_BAD`. Whole floats pass as int; nan and inf are no numbers."""
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        for option in get_args(kind):
            result = _coerce(option, value)
            if result is not _BAD:
                return result
        return _BAD
    if origin is Literal:
        return value if value in get_args(kind) and not isinstance(value, bool) else _BAD
    if origin in (tuple, list):
        return _coerce_sequence(kind, value)
    if origin in (dict, Mapping):
        key_kind, value_kind = get_args(kind)
        if not isinstance(value, Mapping):
            return _BAD
        pairs = {_coerce(key_kind, k): _coerce(value_kind, v) for k, v in value.items()}
        return _BAD if _BAD in pairs or any(v is _BAD for v in pairs.values()) else pairs
    return _coerce_scalar(kind, value)


def _coerce_scalar(kind: Any, value: Any) -> Any:
    if kind is type(None):
        return None if value is None else _BAD
    if kind is bool:
        return value if isinstance(value, bool) else _BAD
    if kind is int:
        whole = isinstance(value, float) and value.is_integer()
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return int(value) if number and (whole or isinstance(value, int)) else _BAD
    if kind is float:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        finite = number and abs(value) <= sys.float_info.max
        return float(value) if finite else _BAD
    if kind is str:
        return str(value) if isinstance(value, str) else _BAD
    return value if kind is Any else _BAD


def _coerce_sequence(kind: Any, value: Any) -> Any:
    args = get_args(kind)
    if isinstance(value, str):
        value = [_read_text(part.strip()) for part in value.split(",") if part.strip()]
    if not isinstance(value, list | tuple):
        return _BAD
    if get_origin(kind) is tuple and args and args[-1] is not Ellipsis:
        if len(args) != len(value):
            return _BAD
        kinds = list(args)
    else:
        kinds = [args[0] if args else Any] * len(value)
    items = [_coerce(k, v) for k, v in zip(kinds, value, strict=True)]
    if any(item is _BAD for item in items):
        return _BAD
    return tuple(items) if get_origin(kind) is tuple else items


def cache_folder() -> Path:
    """Where caches live: `$LRCN_CACHE`, else the user's cache folder of the platform."""
    if own := os.environ.get("LRCN_CACHE"):
        return Path(own).expanduser()
    xdg = os.environ.get("XDG_CACHE_HOME")
    return (Path(xdg) if xdg else Path.home() / ".cache") / "lrcn"
