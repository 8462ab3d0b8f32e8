"""Semantic predictions from files: JSONL, CSV, .npz, MSVD's triplets, results of our recognisers.

- JSONL: a line per item, `{"id": "v1", "activity": "cut", "tool": {"knife": 0.7, "fork": 0.3}}`;
  the nodes may also stand under "nodes".
- CSV: `id,node,label,prob` with a line per label (prob, also called probability, weight or count,
  may be absent: 1), or `id` and one column a node with a label in each cell.
- .npz: `ids`, and for every node `<node>` (N x K) with its labels `<node>_labels` (K).
- `GTTriplets_SVO_Freq.txt`: MSVD's counted triplets, as nodes subject, verb, object.
- A results file of `lrcn evaluate`: node activity with the softmax over its classes.

Several files are joined item by item: `tools.json,objects.json`; `tool=tools.json` names the node
of a results file. Weights of a node are normalised to 1.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
import sys
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrcn.data.captions.files import read_json, read_text, shown
from lrcn.data.datasets.walk import strip_media_extension
from lrcn.errors import DataError

Beliefs = Mapping[str, Mapping[str, float]]
"""Of one item: node to label to probability."""
Semantics = dict[str, Beliefs]
"""Of many, by id."""

_Weights = dict[str, dict[str, dict[str, float]]]
_ID_NAMES = ("id", "item_id", "video_id", "image_id")
_WEIGHT_NAMES = ("prob", "probability", "weight", "count")
_COUNT = re.compile(r"[0-9]{1,18}")
_TRIPLET = ("subject", "verb", "object")


def read_semantics(files: str) -> Semantics:
    """The predictions of one file, or of several that say something of the same items.

    Args:
        files: Paths with commas between; `node=path` names the node of a results file.

    Raises:
        DataError: a file is absent or not understood, or two say the same node of an item.
    """
    joined: dict[str, dict[str, Mapping[str, float]]] = {}
    for name in files.split(","):
        node, equals, rest = name.strip().partition("=")
        path = Path(rest if equals else name.strip())
        if not path.is_file():
            raise DataError(
                f"{path} does not exist. Semantic predictions are a .jsonl, .csv, .npz, triplet or"
                " results file; check the path"
            )
        for item_id, nodes in _read(path, node if equals else "activity").items():
            own = joined.setdefault(item_id, {})
            for name, weights in nodes.items():
                key = name.strip()
                if not key:
                    raise DataError(
                        f"{path}: {item_id} has a node without a name; every label belongs to one."
                        " Mend the file"
                    )
                if key in own:
                    raise DataError(
                        f"{path} has the node {key!r} of {item_id}, which another file has too;"
                        " every node comes from one file. Name it otherwise (other=PATH)"
                    )
                own[key] = _normalised(weights, f"{path}: {item_id}, {key}")
    if not joined:
        raise DataError(f"{files} holds no prediction; at least one item is needed. Check it")
    return dict(joined)


def find_beliefs(semantics: Mapping[str, Beliefs], item_id: str) -> Beliefs | None:
    """What is believed of an item, by its id, or that without a file's ending or folder."""
    whole = strip_media_extension(item_id)
    for name in (item_id, whole, whole.rsplit("/", 1)[-1]):
        if name in semantics:
            return semantics[name]
    return None


def _read(path: Path, node: str) -> _Weights:
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return _npz(path)
    if suffix in (".csv", ".tsv"):
        return _table(path)
    if suffix in (".jsonl", ".ndjson"):
        return _lines(path)
    if suffix == ".json":
        return _results(path, node)
    return _triplets(path)


def _normalised(weights: Mapping[str, float], where: str) -> dict[str, float]:
    """Shares of 1; blanks around a label do not make it another."""
    for label, weight in weights.items():
        number = isinstance(weight, int | float) and not isinstance(weight, bool)
        if not number or not 0 <= weight <= sys.float_info.max:
            raise DataError(
                f"{where}: {label!r} has the weight {shown(weight)}; probabilities or counts of 0"
                " or more are allowed. Mend the file"
            )
        if not label.strip():
            raise DataError(f"{where}: a label is empty; a label is a word or more. Mend the file")
    largest = max(weights.values(), default=0)
    if largest <= 0:
        raise DataError(f"{where}: all weights are 0; one must be above. Mend the file")
    # The largest first: the sum of very large weights would be no number.
    shares: dict[str, float] = {}
    for label, weight in weights.items():
        if weight > 0:
            shares[label.strip()] = shares.get(label.strip(), 0.0) + weight / largest
    total = math.fsum(shares.values())
    return {label: share / total for label, share in shares.items()}


def _lines(path: Path) -> _Weights:
    found: _Weights = {}
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        where = f"{path.name}, line {number}"
        try:
            entry = json.loads(line, object_pairs_hook=_without_doubles)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{where} is not JSON: {error}. Mend the line") from error
        if not isinstance(entry, dict):
            raise DataError(f"{where} is {shown(entry)}; an object is needed. Mend the line")
        item_id = _id_of(entry, where)
        nodes = entry.get("nodes", {k: v for k, v in entry.items() if k not in _ID_NAMES})
        if not isinstance(nodes, dict) or not nodes:
            raise DataError(f"{where} has no node; labels by node are needed. Mend the line")
        _refuse_double(found, item_id, where)
        known = {k: v for k, v in nodes.items() if v is not None and v not in ("", {}, [])}
        found[item_id] = {k: _weights_of(v, f"{where}, {k}") for k, v in known.items()}
    return found


def _weights_of(value: Any, where: str) -> dict[str, float]:
    """A label, or labels with their weights."""
    if isinstance(value, str):
        return {value: 1.0}
    if isinstance(value, dict):
        return value
    raise DataError(
        f"{where} is {shown(value)}; a label or an object of labels and probabilities is needed."
        " Mend the line"
    )


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object, as json makes it.

    Raises:
        ValueError: a name stands twice in it.
    """
    names = [name for name, _ in pairs]
    _refuse_equal(names)
    return dict(pairs)


def _refuse_equal(names: Sequence[str]) -> None:
    """Raise a ValueError where a name stands twice."""
    for name, number in Counter(names).items():
        if number > 1:
            raise ValueError(f"{name!r} stands {number} times")


def _id_of(entry: Mapping[str, Any], where: str) -> str:
    for name in _ID_NAMES:
        value = entry.get(name)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, str | int) and not isinstance(value, bool) and str(value).strip():
            return str(value).strip()
    raise DataError(f"{where} has no id; {', '.join(_ID_NAMES)} give one, text or a number. Add it")


def _refuse_double(found: _Weights, item_id: str, where: str) -> None:
    if item_id in found:
        raise DataError(f"{where}: {item_id} stands twice; an item has one line. Mend the file")


def _table(path: Path) -> _Weights:
    found: _Weights = {}
    for where, row in _rows(path):
        item_id = _id_of(row, where)
        if "node" not in row or "label" not in row:
            _refuse_double(found, item_id, where)
            found[item_id] = {k: {v: 1.0} for k, v in row.items() if k not in _ID_NAMES and v}
            continue
        if not row["node"].strip():
            raise DataError(f"{where} names no node; every label belongs to one. Mend the line")
        labels = found.setdefault(item_id, {}).setdefault(row["node"].strip(), {})
        labels[row["label"]] = labels.get(row["label"], 0.0) + _number(row, where)
    return found


def _rows(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Where a line stands, and its cells by column."""
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    reader = csv.DictReader(io.StringIO(read_text(path), newline=""), delimiter=delimiter)
    try:
        names = list(reader.fieldnames or ())
        _check_columns(names, path.name)
        for row in reader:
            where = f"{path.name}, line {reader.line_num}"
            if None in row or None in row.values():
                raise DataError(
                    f"{where} has not as many cells as the header ({', '.join(names)}). Mend the"
                    " line"
                )
            yield where, row
    except csv.Error as error:
        raise DataError(f"{path.name} is no table: {error}. Check the quotes in it") from error


def _check_columns(names: Sequence[str], file_name: str) -> None:
    try:
        _refuse_equal(names)
    except ValueError as error:
        raise DataError(f"{file_name}: the column {error}; every one needs its name") from error
    if {"node", "label"} <= set(names):
        others = [n for n in names if n not in (*_ID_NAMES, "node", "label")]
        if len(others) > 1 or not set(others) <= set(_WEIGHT_NAMES):
            raise DataError(
                f"{file_name} has the columns {', '.join(names)}; beside the id, node and label"
                f" one of {', '.join(_WEIGHT_NAMES)} may stand. Rename or remove the others"
            )


def _number(row: Mapping[str, str], where: str) -> float:
    name, text = next(((n, row[n]) for n in _WEIGHT_NAMES if n in row), ("", "1"))
    try:
        return float(text)
    except ValueError as error:
        raise DataError(
            f"{where}: {name} is {text!r}; a number is needed. Mend the line"
        ) from error


def _npz(path: Path) -> _Weights:
    try:
        # numpy leaves a damaged archive open that it opened itself.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        return _of_arrays(arrays)
    except (
        *(OSError, EOFError, ValueError, TypeError, SyntaxError, MemoryError, RuntimeError),
        *(zipfile.BadZipFile, zlib.error, TokenError),
    ) as error:
        raise DataError(
            f"{path} is no .npz of predictions: {error}. Needed are the arrays ids, and for every"
            " node <node> with <node>_labels, of text and numbers. Write it again"
        ) from error


def _of_arrays(arrays: Mapping[str, NDArray[Any]]) -> _Weights:
    """By id, then node.

    Raises:
        ValueError: the arrays are others than needed.
    """
    names = [name for name in arrays if f"{name}_labels" in arrays]
    needed = {"ids", *names, *(f"{name}_labels" for name in names)}
    if "ids" not in arrays or not names or set(arrays) - needed:
        raise ValueError(f"its arrays are {', '.join(sorted(arrays)) or 'none'}")
    ids = _texts("ids", arrays["ids"])
    found: _Weights = {item_id.strip(): {} for item_id in ids}
    if not all(found):
        raise ValueError("an id is empty")
    for name in names:
        labels, probs_NK = _texts(f"{name}_labels", arrays[f"{name}_labels"]), arrays[name]
        shape = (len(ids), len(labels))
        if probs_NK.shape != shape:
            raise ValueError(
                f"{name} has shape {probs_NK.shape}; ids and {name}_labels make it {shape}"
            )
        for item_id, row in zip(ids, probs_NK.tolist(), strict=True):
            found[item_id.strip()][name] = dict(zip(labels, row, strict=True))
    return found


def _texts(name: str, array: NDArray[Any]) -> list[str]:
    """Different texts, or numbers as texts.

    Raises:
        ValueError: they are something else.
    """
    if array.ndim != 1 or array.dtype.kind not in "USiu":
        raise ValueError(f"{name} is {array.ndim}-dimensional, of {array.dtype}")
    texts = [x.decode("utf-8") if isinstance(x, bytes) else str(x) for x in array.tolist()]
    try:
        _refuse_equal([text.strip() for text in texts])
    except ValueError as error:
        raise ValueError(f"in {name} {error}") from error
    return texts


def _results(path: Path, node: str) -> _Weights:
    """The softmax of a recogniser, item by item."""
    document = read_json(path)
    try:
        classes = [str(name) for name in document["class_names"]]
        _refuse_equal(classes)
        _refuse_equal([str(video["video_id"]) for video in document["videos"]])
        return {
            str(video["video_id"]): {node: dict(zip(classes, video["probs"], strict=True))}
            for video in document["videos"]
        }
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{path} is no results file of a recogniser ({type(error).__name__}: {error});"
            " `lrcn evaluate RUN --out FILE` writes one. Predictions of others are .jsonl or .csv"
        ) from error


def _triplets(path: Path) -> _Weights:
    """`vid1<TAB>bird,take,bath:4|...|`: counted triplets; each part's counts are its weights."""
    found: _Weights = {}
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        item_id, tab, rest = line.partition("\t")
        if not item_id.strip() or not tab:
            raise DataError(
                f"{path.name}, line {number} is {shown(line)}; an id, a tab and triplets are"
                " needed. Mend the line, or name the file .jsonl or .csv if it is one"
            )
        nodes: dict[str, dict[str, float]] = {name: {} for name in _TRIPLET}
        for one in filter(None, (cell.strip() for cell in rest.split("|"))):
            words, _, text = one.rpartition(":")
            labels = words.split(",")
            if len(labels) != len(_TRIPLET) or not _COUNT.fullmatch(text):
                raise DataError(
                    f"{path.name}, line {number} has {shown(one)}; subject,verb,object:count is"
                    " needed. Mend the line, or name the file .jsonl or .csv if it is one"
                )
            _count(nodes, labels, int(text))
        _refuse_double(found, item_id.strip(), f"{path.name}, line {number}")
        found[item_id.strip()] = {name: weights for name, weights in nodes.items() if weights}
    return found


def _count(nodes: dict[str, dict[str, float]], labels: Iterable[str], number: int) -> None:
    for node, label in zip(_TRIPLET, labels, strict=True):
        if label.strip():
            weights = nodes[node]
            weights[label.strip()] = weights.get(label.strip(), 0.0) + number
