"""What the study of recurrence compares: one factor at a time around one default per data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from lrcn.recipes import motion
from lrcn.recipes.auto import auto, with_finetuning
from lrcn.recipes.shared import ucf101_6, weizmann_lrcn, weizmann_single_frame
from lrcn.train.config import Experiment

DataName = Literal["ucf101_6", "motion", "weizmann"]
DATA_NAMES: tuple[DataName, ...] = get_args(DataName)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One experiment, trained and measured with every seed."""

    data: DataName
    factor: str
    """What differs from the default of its data set."""
    name: str
    """Unique in its data set; "lrcn" is the default."""
    experiment: Experiment
    beside: tuple[str, ...] = ()
    """Cells, other than the default, that the difference to is told."""
    starts_from: Cell | None = None
    """The cell whose run of the same seed this one is initialised with."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Cells without which this one cannot be run or judged."""
        return self.beside if self.starts_from is None else (*self.beside, self.starts_from.name)


@dataclass(frozen=True, kw_only=True)
class Fusion:
    """The weighted mean of what two cells answer."""

    data: DataName
    name: str
    members: tuple[str, str]
    weights: tuple[float, float]
    factor: str = "fusion"

    @property
    def beside(self) -> tuple[str, str]:
        """What it is told the difference to: its streams."""
        return self.members


def _changed(base: Experiment, **parts: dict[str, Any]) -> Experiment:
    """The experiment with some fields of its parts (dataset, model, train) replaced."""
    changed = {name: replace(getattr(base, name), **fields) for name, fields in parts.items()}
    return replace(base, **changed)


def _strided(base: Experiment, frame_stride: int) -> Experiment:
    sampling = replace(base.dataset.sampling, frame_stride=frame_stride)
    return _changed(base, dataset={"sampling": sampling})


def _default(data: DataName, base: Experiment) -> Cell:
    return Cell(data=data, factor="default", name="lrcn", experiment=base)


def _variants(
    data: DataName,
    factor: str,
    beside: tuple[str, ...] = (),
    **experiments: Experiment,
) -> list[Cell]:
    """Cells by name that differ in one factor."""
    return [
        Cell(data=data, factor=factor, name=name, experiment=experiment, beside=beside)
        for name, experiment in experiments.items()
    ]


def ucf101_6_cells() -> list[Cell]:
    """Real clips whose scene tells the class: frozen pretrained CNN, cached features."""
    data: DataName = "ucf101_6"
    base = ucf101_6()
    flow = _changed(base, dataset={"modality": "flow"})
    single, mean = {"kind": "single_frame"}, {"kind": "mean_pool"}
    short = replace(base, train=replace(base.train, epochs=5))
    return [
        _default(data, base),
        *_variants(
            data,
            "model",
            single_frame=_changed(base, model=single),
            mean_pool=_changed(base, model=mean),
        ),
        *_variants(data, "modality", lrcn_flow=flow),
        *_variants(
            data,
            "model, flow",
            ("lrcn_flow",),
            single_frame_flow=_changed(flow, model=single),
            mean_pool_flow=_changed(flow, model=mean),
        ),
        *_variants(
            data,
            "hidden size",
            hidden_256=_changed(base, model={"hidden_size": 256}),
            hidden_1024=_changed(base, model={"hidden_size": 1024}),
        ),
        *_variants(
            data,
            "hidden size, flow",
            ("lrcn_flow",),
            hidden_256_flow=_changed(flow, model={"hidden_size": 256}),
        ),
        *_variants(
            data,
            "hidden size, flow",
            ("lrcn_flow", "hidden_256_flow"),
            hidden_1024_flow=_changed(flow, model={"hidden_size": 1024}),
        ),
        *_variants(
            data,
            "dropout",
            dropout_0=_changed(base, model={"feature_dropout": 0, "output_dropout": 0}),
            feature_dropout_09=_changed(base, model={"feature_dropout": 0.9}),
        ),
        *_variants(data, "frames", stride_2=_strided(base, 2), stride_4=_strided(base, 4)),
        *_variants(data, "features", grid=_changed(base, model={"feature_layer": "grid"})),
        *_variants(data, "training", frozen_5=short),
        *_variants(data, "training", ("frozen_5",), joint_5_1=with_finetuning(short, epochs=1)),
    ]


def motion_cells() -> list[Cell]:
    """The rendered world: no frame tells the class; a small CNN learnt from random weights."""
    data: DataName = "motion"
    base = motion.lrcn()
    single = replace(motion.single_frame(), name=base.name)
    flow = {"modality": "flow"}
    frozen = _changed(base, train={"unfreeze_at": None, "backbone_lr": None})
    lite = _changed(
        auto(),
        dataset={"sampling": base.dataset.sampling, "transform": base.dataset.transform},
        model={"hidden_size": base.model.hidden_size},
    )
    single_frame = Cell(data=data, factor="model", name="single_frame", experiment=single)
    frozen_small = Cell(
        data=data,
        factor="training",
        name="frozen_small",
        experiment=frozen,
        starts_from=single_frame,
    )
    return [
        _default(data, base),
        single_frame,
        *_variants(data, "model", mean_pool=_changed(base, model={"kind": "mean_pool"})),
        frozen_small,
        *_variants(data, "training", frozen_lite0=lite),
        *_variants(data, "modality", lrcn_flow=_changed(base, dataset=flow)),
        *_variants(
            data,
            "model, flow",
            ("lrcn_flow",),
            single_frame_flow=_changed(single, dataset=flow),
        ),
        *_variants(data, "frames", stride_2=_strided(base, 2)),
        *_variants(data, "dropout", dropout_05=_changed(base, model={"output_dropout": 0.5})),
        *_variants(data, "hidden size", hidden_1024=_changed(base, model={"hidden_size": 1024})),
    ]


def weizmann_cells() -> list[Cell]:
    """Masks without a scene, one person left out in turn: a small CNN from random weights."""
    data: DataName = "weizmann"
    base = weizmann_lrcn()
    flow = _changed(base, dataset={"modality": "flow"})
    single = {"kind": "single_frame"}
    return [
        _default(data, base),
        # The name that `python -m lrcn.recipes.weizmann` gives it: its runs are taken over.
        *_variants(data, "model", single_frame=weizmann_single_frame()),
        *_variants(data, "model", mean_pool=_named(base, "mean_pool", {"kind": "mean_pool"})),
        *_variants(data, "modality", lrcn_flow=_named(flow, "lrcn_flow", {})),
        *_variants(
            data,
            "model, flow",
            ("lrcn_flow",),
            single_frame_flow=_named(flow, "single_frame_flow", single),
        ),
    ]


def _named(base: Experiment, name: str, model: dict[str, Any]) -> Experiment:
    return replace(_changed(base, model=model), name=f"weizmann_{name}", expected={})


def needed(cells: Sequence[Cell], names: Sequence[str]) -> list[Cell]:
    """The cells of these names with the default, and with what they cannot do without."""
    wanted = {"lrcn", *names}
    for cell in reversed(cells):  # what is needed comes before what needs it
        if cell.name in wanted:
            wanted.update(cell.needs)
    return [cell for cell in cells if cell.name in wanted]


def all_cells() -> list[Cell]:
    """Every cell, in the order in which they are run."""
    return [*ucf101_6_cells(), *motion_cells(), *weizmann_cells()]


def fusions() -> list[Fusion]:
    """RGB and flow together, by the paper's two pairs of weights."""
    found = []
    for data in DATA_NAMES:
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
