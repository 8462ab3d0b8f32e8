"""Pretrained weights: from a local file or a hub's cache, by name or in order, into a network."""

from __future__ import annotations

import os
import pickle
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from lrcn.errors import WeightsError

WEIGHTS_WORDS: Final = ("auto", "packaged", "hub", "random")
"""What `weights` may be, besides the path of a file."""

CUT_OFF: Final = tuple(f"fc{k}.{part}" for k in (7, 8) for part in ("weight", "bias"))
"""Layers of a net of Caffe's time that stand behind its tap: a whole net's file may hold them."""

_PROBE_SECONDS = 4.0
_NESTED = ("state_dict", "model_state_dict", "model")


def read_weights(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """The tensors of a `.safetensors` file, or of a torch file read by the restricted loader.

    A torch file may hold them directly or below "state_dict", "model_state_dict" or "model".

    Raises:
        WeightsError: no such file, not readable, or it holds more than tensors and plain values.
    """
    path = Path(path)
    if not path.is_file():
        words = ", ".join(WEIGHTS_WORDS)
        raise WeightsError(
            f"no weights file {str(path)!r}; weights takes {words}, or the path of a"
            " .safetensors or .pth file that exists"
        )
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path} holds more than tensors and plain values, or is no torch file; for safety"
            " only a state dict is read: save model.state_dict(), or convert it to .safetensors"
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise WeightsError(f"{path} cannot be read as a torch file: {error}") from error
    for key in _NESTED:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
            break
    if not isinstance(content, Mapping):
        raise WeightsError(f"{path} holds a {type(content).__name__}, not named tensors")
    tensors = {str(k): v for k, v in content.items() if isinstance(v, Tensor)}
    if not tensors:
        raise WeightsError(f"{path} holds no tensors; a state dict is needed")
    return tensors


def load_named(
    module: nn.Module,
    tensors: Mapping[str, Tensor],
    *,
    source: str,
    ignorable: Collection[str] = (),
) -> None:
    """Copy tensors into the parameters and buffers of the same names.

    A prefix that all of the module's names carry in the file ("module.", "backbone.net.") is
    found and taken off; what stands beside it in the file is then another part's and is ignored.

    Args:
        module: Receives them; every one of its names must be found, with its shape.
        tensors: Of a file.
        source: What the file is called in messages.
        ignorable: Names that the file may hold and the module does not: the classifier cut off.

    Raises:
        WeightsError: names or shapes do not fit.
    """
    expected = module.state_dict()
    prefix = _prefix(tensors, list(expected))
    if prefix:
        tensors = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
    missing = [k for k in expected if k not in tensors and not k.endswith("num_batches_tracked")]
    known = {*expected, *ignorable}
    unexpected = [k for k in tensors if k not in known]
    shapes = [
        f"{k} {tuple(tensors[k].shape)} for {tuple(v.shape)}"
        for k, v in expected.items()
        if k in tensors and tensors[k].shape != v.shape
    ]
    problems = [
        f"{len(names)} {what} ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})"
        for what, names in (("missing", missing), ("unexpected", unexpected), ("misshapen", shapes))
        if names
    ]
    if problems:
        raise WeightsError(
            f"the weights of {source} do not fit this network: {'; '.join(problems)}."
            " Choose the backbone and feature_layer that the file was made for"
        )
    module.load_state_dict({k: tensors[k] for k in expected if k in tensors}, strict=False)


def load_own(module: nn.Module, name: str, weights: str, *, ignorable: Collection[str]) -> None:
    """Load a network that no package and no hub carries: from a file, or leave it as drawn.

    Args:
        module: The network.
        name: What it is called in messages.
        weights: "auto" and "random" leave it as it is; else the path of a file.
        ignorable: As for `load_named`.

    Raises:
        WeightsError: packaged or hub weights are asked for, or the file does not fit.
    """
    if weights in ("packaged", "hub"):
        raise WeightsError(
            f"{name} has no {weights} weights: no package or hub carries the published ones;"
            " use weights=random, or the path of a .safetensors or .pth file"
            " (`lrcn import-caffe` makes one from a .caffemodel)"
        )
    if weights not in ("auto", "random"):
        load_named(module, read_weights(weights), source=weights, ignorable=ignorable)


def load_in_order(
    module: nn.Module, tensors: Mapping[str, Tensor], *, source: str, extra: int = 0
) -> None:
    """Copy tensors by their place, for a file of other names but the same order.

    Args:
        module: Receives the first ones.
        tensors: Of a file, in the order saved.
        source: What the file is called in messages.
        extra: How many tensors may be left at the end: the classifier cut off.

    Raises:
        WeightsError: the number or a shape differs.
    """
    expected = module.state_dict()
    values = list(tensors.values())
    if not len(expected) <= len(values) <= len(expected) + extra:
        raise WeightsError(
            f"the weights of {source} do not fit this network: {len(values)} tensors,"
            f" expected {len(expected)} to {len(expected) + extra}; reinstall the package"
        )
    state = dict(zip(expected, values, strict=False))
    for name, value in state.items():
        if value.shape != expected[name].shape:
            raise WeightsError(
                f"the weights of {source} do not fit this network: {name} is"
                f" {tuple(value.shape)}, expected {tuple(expected[name].shape)};"
                " reinstall the package"
            )
    module.load_state_dict(state)


def fetch(cached: Path | None, url: str, download: Callable[[], Path], *, what: str) -> Path:
    """The file from the cache, or downloaded; a clear error within seconds when offline.

    Args:
        cached: Where it lies if it was fetched before.
        url: Where it comes from, to see whether that can be reached at all.
        download: Fetches it and says where it lies.
        what: What it is called in messages.

    Raises:
        WeightsError: it is neither cached nor reachable.
    """
    if cached is not None and cached.is_file():
        return cached
    advice = (
        "run once with a network to fill the cache, give a local file with weights=PATH,"
        ' or use the offline backbone "efficientnet_lite0"'
    )
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "TRUE", "YES", "ON"}:
        raise WeightsError(f"{what} are not in the cache and HF_HUB_OFFLINE is set; {advice}")
    if not _reachable(url):
        raise WeightsError(f"{what} are not in the cache and {url} cannot be reached; {advice}")
    try:
        return download()
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise WeightsError(f"{what} could not be downloaded ({reason}); {advice}") from error


def _reachable(url: str) -> bool:
    """Whether anything answers there within seconds; also behind a proxy, also with a slow DNS."""
    answered = threading.Event()

    def ask() -> None:
        request = urllib.request.Request(url, method="HEAD")  # noqa: S310 - https, from the zoos
        try:
            urllib.request.urlopen(request, timeout=_PROBE_SECONDS).close()  # noqa: S310 - as above
        except urllib.error.HTTPError:
            answered.set()  # an answer all the same: the download itself will say what is wrong
        except OSError:
            return
        answered.set()

    # A name server that does not answer blocks beyond any timeout: ask in a thread and leave it.
    asker = threading.Thread(target=ask, daemon=True)
    asker.start()
    asker.join(_PROBE_SECONDS)
    return answered.is_set()


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    import safetensors
    import safetensors.torch

    try:
        tensors: dict[str, Tensor] = safetensors.torch.load_file(path)
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise WeightsError(f"{path} cannot be read as a safetensors file: {error}") from error
    return tensors


def _prefix(tensors: Mapping[str, Tensor], expected: list[str]) -> str:
    """What stands before the expected names in the file; the longest match of names wins."""
    if not expected:
        return ""
    probe = expected[0]
    candidates = {key.removesuffix(probe) for key in tensors if key.endswith(probe)}
    candidates = {prefix for prefix in candidates if prefix == "" or prefix.endswith(".")}
    wanted = set(expected)

    def hits(prefix: str) -> int:
        return sum(k.startswith(prefix) and k.removeprefix(prefix) in wanted for k in tensors)

    return max(sorted(candidates), key=hits, default="")
