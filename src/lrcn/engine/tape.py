"""Write down the operations of a network once, to rearrange them and play them again.

Works on any network whose operations do not depend on pixel values: whatever Python did on the way
(padding computed from sizes, loops over blocks, functional or module activations) is gone from the
tape. Sizes other than the batch's are those of the example.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

_aten = torch.ops.aten
_RESHAPES = (_aten.view.default, _aten._unsafe_view.default, _aten.reshape.default)


@dataclass(frozen=True)
class Slot:
    """Stands for a tensor that is there only when the tape plays."""

    index: int
    size: tuple[int, ...]
    """As recorded."""


@dataclass(frozen=True, eq=False)
class Step:
    """One operation."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    """Slots, constant tensors and numbers; nested in lists where the operation has it so."""
    kwargs: Mapping[str, Any]
    outputs: tuple[Slot, ...]
    """One, or those of a tuple."""

    def inputs(self) -> list[Slot]:
        """Slots among the arguments."""
        return _slots_in((self.args, dict(self.kwargs)))


@dataclass(frozen=True)
class Tape:
    """Operations in order; `play` runs them."""

    steps: tuple[Step, ...]
    input: Slot
    output: Slot

    def uses(self) -> Counter[Slot]:
        """How often each slot is an argument (or the result)."""
        counted = Counter(slot for step in self.steps for slot in step.inputs())
        counted[self.output] += 1
        return counted

    def constants(self) -> list[Tensor]:
        """Weights and other tensors that do not come from the input."""
        found: list[Tensor] = []
        for step in self.steps:
            mapped((step.args, dict(step.kwargs)), Tensor, found.append)
        return found

    def pruned(self) -> Tape:
        """Without operations whose results nobody uses, except those that work in place."""
        kept: list[Step] = []
        wanted = {self.output}
        for step in reversed(self.steps):
            if wanted.intersection(step.outputs) or _writes(step.function):
                kept.append(step)
                wanted.update(step.inputs())
        return Tape(tuple(reversed(kept)), self.input, self.output)


def record(network: Callable[[Tensor], Tensor], example: Tensor) -> Tape:
    """The tape of one run of a network.

    Args:
        network: In evaluation mode.
        example: Its input; another batch size may be played later.

    Raises:
        ValueError: the result does not come from operations on the input.
    """
    recorder = _Recorder(example)
    with torch.no_grad(), recorder:
        result = network(example)
    output = recorder.slots.get(id(result))
    if output is None:
        raise ValueError("the network's result is not the result of a recorded operation")
    return Tape(tuple(recorder.steps), recorder.input, output).pruned()


class Player:
    """A tape made ready to run: each tensor is let go after its last use."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        last_use: dict[Slot, int] = {}
        for i, step in enumerate(tape.steps):
            for slot in (*step.inputs(), *step.outputs):
                last_use[slot] = i
        last_use[tape.output] = len(tape.steps)
        self._done: list[list[Slot]] = [[] for _ in range(len(tape.steps) + 1)]
        for slot, i in last_use.items():
            self._done[i].append(slot)

    def __call__(self, inputs: Tensor) -> Tensor:
        """Play it."""
        values: dict[Slot, Any] = {self._tape.input: inputs}
        for step, done in zip(self._tape.steps, self._done, strict=False):
            args, kwargs = mapped((step.args, dict(step.kwargs)), Slot, values.__getitem__)
            result = step.function(*args, **kwargs)
            results = result if isinstance(result, tuple | list) else (result,)
            values.update(zip(step.outputs, results, strict=True))
            for slot in done:
                del values[slot]
        output: Tensor = values[self._tape.output]
        return output


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call] # torch's own __init_subclass__
    """Sees every operation below autograd and writes it down."""

    def __init__(self, example: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # torch's own
        self._alive: list[Any] = [example]
        """Every tensor seen: an id is only a name as long as its tensor lives."""
        self._numbers = itertools.count()
        self.slots: dict[int, Slot] = {}
        self.input = self._new_slot(example)
        self.steps: list[Step] = []

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = dict(kwargs or {})
        known_args, known_kwargs = mapped((args, kwargs), Tensor, self._known)
        result = func(*args, **kwargs)
        self._alive.extend((args, kwargs, result))
        if not _slots_in((known_args, known_kwargs)):
            return result  # of constants alone: a constant
        if _writes(func) and not isinstance(known_args[0], Slot):
            raise ValueError(f"{func} changes a constant")
        if func is _aten.as_strided_.default and _same_elements(known_args[0], result):
            self.slots[id(result)] = known_args[0]
            return result
        func, known_args = _any_batch(func, known_args, result)
        results = result if isinstance(result, tuple | list) else (result,)
        outputs = tuple(self._new_slot(value) for value in results)
        self.steps.append(Step(func, known_args, known_kwargs, outputs))
        return result

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """False: keeping the compiler out of here would mean to import it, a second of work."""
        return False

    def _known(self, tensor: Tensor) -> Slot | Tensor:
        return self.slots.get(id(tensor), tensor)

    def _new_slot(self, value: Any) -> Slot:
        size = tuple(value.shape) if isinstance(value, Tensor) else ()
        self.slots[id(value)] = slot = Slot(next(self._numbers), size)
        return slot


def _any_batch(
    func: Callable[..., Any], args: tuple[Any, ...], result: Any
) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """The operation without the batch size of the recording in it.

    The first size of a reshape is whatever is left (the batch, or the batch times something);
    an expansion keeps what it does not expand.
    """
    if func in _RESHAPES and result.dim() > 0:
        # Fused layers give channels-last results, of which not every view exists.
        return _aten.reshape.default, (args[0], [-1, *result.shape[1:]])
    if func is _aten.expand.default and isinstance(args[0], Slot):
        before = (*[0] * (result.dim() - len(args[0].size)), *args[0].size)
        kept = [-1 if old == new else new for old, new in zip(before, result.shape, strict=True)]
        return func, (args[0], kept)
    return func, args


def _slots_in(value: Any) -> list[Slot]:
    found: list[Slot] = []
    mapped(value, Slot, found.append)
    return found


def _same_elements(source: Slot, result: Tensor) -> bool:
    """Whether new strides only describe a picture of one pixel, as channels-last pooling does."""
    return tuple(result.shape) == source.size and tuple(result.shape[2:]) == (1, 1)


def _writes(function: Callable[..., Any]) -> bool:
    schema = getattr(function, "_schema", None)
    return schema is not None and bool(schema.is_mutable)


def mapped(value: Any, kind: type, change: Callable[[Any], Any]) -> Any:
    """The same nesting of tuples, lists and dicts with every `kind` changed."""
    if isinstance(value, kind):
        return change(value)
    if isinstance(value, tuple | list):
        return type(value)(mapped(v, kind, change) for v in value)
    if isinstance(value, dict):
        return {k: mapped(v, kind, change) for k, v in value.items()}
    return value
