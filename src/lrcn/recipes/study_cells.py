"""What the study of recurrence compares: one factor at a time around one default per data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from lrcn.recipes import motion
from lrcn.recipes.auto import auto, with_finetuning
from lrcn.recipes.shared import ucf101_6, weizmann_lrcn
from lrcn.train.config import Experiment

DataName = Literal["ucf101_6", "motion", "weizmann"]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One experiment, trained and measured with every seed."""

    data: DataName
    factor: str
    """What differs from the default of its data set."""
    name: str
    """Unique in its data set; "lrcn" is the default."""
    experiment: Experiment
    starts_from: str | None = None
    """The cell whose run of the same seed this one is initialised with."""


@dataclass(frozen=True, kw_only=True)
class Fusion:
    """The weighted mean of what two cells answer."""

    data: DataName
    name: str
    members: tuple[str, str]
    weights: tuple[float, float]
    factor: str = "fusion"


def _changed(base: Experiment, **parts: dict[str, Any]) -> Experiment:
    """The experiment with some fields of its parts (dataset, model, train) replaced."""
    changed = {name: replace(getattr(base, name), **fields) for name, fields in parts.items()}
    return replace(base, **changed)


def _strided(base: Experiment, frame_stride: int) -> Experiment:
    sampling = replace(base.dataset.sampling, frame_stride=frame_stride)
    return _changed(base, dataset={"sampling": sampling})


def _variants(data: DataName, base: Experiment, **named: tuple[str, Experiment]) -> list[Cell]:
    cells = [Cell(data=data, factor="default", name="lrcn", experiment=base)]
    for name, (factor, experiment) in named.items():
        cells.append(Cell(data=data, factor=factor, name=name, experiment=experiment))
    return cells


def ucf101_6_cells() -> list[Cell]:
    """Real clips whose scene tells the class: frozen pretrained CNN, cached features."""
    base = ucf101_6()
    flow = _changed(base, dataset={"modality": "flow"})
    single, mean = {"kind": "single_frame"}, {"kind": "mean_pool"}
    cells = _variants(
        "ucf101_6",
        base,
        single_frame=("model", _changed(base, model=single)),
        mean_pool=("model", _changed(base, model=mean)),
        lrcn_flow=("modality", flow),
        single_frame_flow=("modality", _changed(flow, model=single)),
        mean_pool_flow=("modality", _changed(flow, model=mean)),
        hidden_256=("hidden size", _changed(base, model={"hidden_size": 256})),
        hidden_1024=("hidden size", _changed(base, model={"hidden_size": 1024})),
        dropout_0=("dropout", _changed(base, model={"feature_dropout": 0, "output_dropout": 0})),
        feature_dropout_09=("dropout", _changed(base, model={"feature_dropout": 0.9})),
        stride_2=("frames", _strided(base, 2)),
        stride_4=("frames", _strided(base, 4)),
        grid=("features", _changed(base, model={"feature_layer": "grid"})),
    )
    joint = with_finetuning(replace(base, train=replace(base.train, epochs=5)), epochs=1)
    short = _changed(base, train={"epochs": 5})
    cells.append(Cell(data="ucf101_6", factor="training", name="frozen_5", experiment=short))
    cells.append(Cell(data="ucf101_6", factor="training", name="joint_5_1", experiment=joint))
    return cells


def motion_cells() -> list[Cell]:
    """The rendered world: no frame tells the class; a small CNN learnt from random weights."""
    base = motion.lrcn()
    single = replace(motion.single_frame(), name=base.name)
    flow = {"modality": "flow"}
    frozen = _changed(base, train={"unfreeze_at": None, "backbone_lr": None})
    lite = _changed(
        auto(),
        dataset={"sampling": base.dataset.sampling, "transform": base.dataset.transform},
        model={"hidden_size": base.model.hidden_size},
    )
    cells = _variants(
        "motion",
        base,
        single_frame=("model", single),
        frozen_small=("training", frozen),
        lrcn_flow=("modality", _changed(base, dataset=flow)),
        single_frame_flow=("modality", _changed(single, dataset=flow)),
        mean_pool=("model", _changed(base, model={"kind": "mean_pool"})),
        frozen_lite0=("training", lite),
        stride_2=("frames", _strided(base, 2)),
        dropout_05=("dropout", _changed(base, model={"output_dropout": 0.5})),
        hidden_1024=("hidden size", _changed(base, model={"hidden_size": 1024})),
    )
    return [
        replace(cell, starts_from="single_frame") if cell.name == "frozen_small" else cell
        for cell in cells
    ]


def weizmann_cells() -> list[Cell]:
    """Masks without a scene, one person left out in turn: a small CNN from random weights."""
    base = weizmann_lrcn()
    return _variants(
        "weizmann",
        base,
        # The names that `python -m lrcn.recipes.weizmann` gives them: its runs are taken over.
        single_frame=("model", _named(base, "weizmann_single_frame", kind="single_frame")),
        mean_pool=("model", _named(base, "weizmann_mean_pool", kind="mean_pool")),
    )


def _named(base: Experiment, name: str, **model: Any) -> Experiment:
    expected = dict(base.expected) if not model else {}
    return replace(_changed(base, model=model), name=name, expected=expected)


def all_cells() -> list[Cell]:
    """Every cell, in the order in which they are run."""
    return [*ucf101_6_cells(), *motion_cells(), *weizmann_cells()]


def fusions() -> list[Fusion]:
    """RGB and flow together, by the paper's two pairs of weights."""
    found = []
    datas: Sequence[DataName] = ("ucf101_6", "motion")
    for data in datas:
        for model in ("single_frame", "lrcn"):
            for name, weights in (("1/2, 1/2", (0.5, 0.5)), ("1/3, 2/3", (1 / 3, 2 / 3))):
                found.append(
                    Fusion(
                        data=data,
                        name=f"{model} rgb + flow {name}",
                        members=(model, f"{model}_flow"),
                        weights=weights,
                    )
                )
    return found
