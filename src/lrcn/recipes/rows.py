"""The rows of the paper's checklist for activity recognition: what to type, and what was published.

A row is a training, several, or what is done with them (fusion, differences per class, flow). Its
commands stand as they are typed for UCF101 as it is downloaded; `docs/paper-row-by-row.md` is made
from this table, and a test runs every command of it, in this order, on tiny videos.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from lrcn.errors import ConfigError
from lrcn.settings import did_you_mean


@dataclass(frozen=True, kw_only=True)
class PaperRow:
    """One row."""

    title: str
    commands: tuple[str, ...]
    """In their order; they use what earlier rows have made."""
    expected: Mapping[str, float] = field(default_factory=dict)
    """Published: what it is → a fraction."""
    published: str = ""
    """What the paper says besides, in words."""
    notes: str = ""
    """Where we deviate, beyond what `lrcn.recipes.paper` says of every recipe."""
    here: str
    """What was run where this was written, and what it gave."""
    not_here: str
    """What could not be run there, and why."""

    @property
    def recipes(self) -> tuple[str, ...]:
        """The recipes that are trained in it, each once."""
        words = [command.split() for command in self.commands]
        named = [w[w.index("--recipe") + 1] for w in words if "--recipe" in w]
        return tuple(dict.fromkeys(named))


_HYBRID = "caffe_imagenet_hyb2_wr_rc_solver_sqrt_iter_310000.caffemodel"
_NO_UCF101 = "UCF101 was not at hand (six of its classes were), nor the ImageNet weights"
_COMMANDS = "the commands, on tiny videos (a test)"
_STUDY = "the same question with other networks: [does recurrence help](experiments.md)"
_HELD_OUT = "--dataset.val-fraction 0.33"


def _train(recipe: str, data: str, init: str, out: str, more: str = "") -> str:
    command = f"lrcn train --recipe {recipe} --data {data} --init {init} {more}".rstrip()
    return f"{command} --out runs/{out}"


def _test(run: str) -> str:
    return f"lrcn evaluate runs/{run} --protocol classify_video"


def _validate(run: str) -> str:
    return f"lrcn evaluate runs/{run} --split val"


def _fusions(name: str, rgb: str, flow: str) -> tuple[str, ...]:
    """Both of the paper's weightings of two measured runs."""
    members = f"runs/{rgb} runs/{flow}"
    return (
        f"lrcn fuse {members} --weights 1/2,1/2 --out results/{name}-half.json",
        f"lrcn fuse {members} --weights 1/3,2/3 --out results/{name}-third.json",
    )


def _study(recipe: str, flow: bool, out: str) -> tuple[str, ...]:
    """A training that holds a third of fold 1's training videos out, and its score on them."""
    data, init = ("UCF101-flow", "runs/val-a2") if flow else ("UCF101", "runs/val-a1")
    return (_train(recipe, data, init, out, _HELD_OUT), _validate(out))


ROWS: Final[dict[str, PaperRow]] = {
    "A0": PaperRow(
        title="the base CNN on ImageNet",
        commands=(f"lrcn import-caffe {_HYBRID} --out models/hybrid",),
        expected={"hybrid, top 1": 0.602, "CaffeNet, top 1": 0.574},
        published="Single centre crop. How the hybrid was trained on ImageNet was not published.",
        notes="The nets are backbones (`caffenet_hybrid`, `caffenet`, `vgg16`), not recipes.",
        here="numbers of weights, shapes, and outputs equal to Caffe's equations in numpy, on"
        " random weights (tests)",
        not_here="neither ImageNet nor any original weights could be had",
    ),
    "A14": PaperRow(
        title="flow images",
        commands=(
            "lrcn flow UCF101 UCF101-flow --method dis_precise",
            "lrcn flow --show UCF101/UCF-101/Archery/v_Archery_g01_c01.avi --out flow.png",
        ),
        published="Brox et al. 2004, in MATLAB; scale 16, centre 128, three channels, JPEG.",
        notes="DIS in place of Brox; kept without loss (`--format jpeg --quality 75 --naming"
        " original` writes files as the original does); x and y are 1 to 255, so that mirroring"
        " is its own inverse. Flow can also be computed on the way: give UCF101 for UCF101-flow.",
        here="errors and speed of seven methods on known warps ([experiments](experiments.md)):"
        " dis_precise 0.14 pixels, 22 frames a second",
        not_here="Brox's method: no maintained implementation for processors exists",
    ),
    "A1": PaperRow(
        title="single frame, RGB",
        commands=(
            _train("ucf101_single_frame_rgb", "UCF101", "models/hybrid", "a1"),
            _test("a1"),
        ),
        expected={"fold 1 (CVPR)": 0.6900, "three folds (journal)": 0.6737},
        here=f"{_COMMANDS}; {_STUDY}",
        not_here=_NO_UCF101,
    ),
    "A2": PaperRow(
        title="single frame, flow",
        commands=(
            _train("ucf101_single_frame_flow", "UCF101-flow", "models/hybrid", "a2"),
            _test("a2"),
        ),
        expected={"fold 1 (CVPR)": 0.7220, "three folds (journal)": 0.7437},
        notes="From the RGB ImageNet weights, with a mean of 128, as the paper does.",
        here=f"{_COMMANDS}; {_STUDY}",
        not_here=_NO_UCF101,
    ),
    "A3": PaperRow(
        title="single frame, RGB and flow together",
        commands=_fusions("a3", "a1", "a2"),
        expected={
            "1/2, 1/2, fold 1 (CVPR)": 0.7571,
            "1/3, 2/3, fold 1 (CVPR)": 0.7904,
            "1/2, 1/2, three folds (journal)": 0.7546,
            "1/3, 2/3, three folds (journal)": 0.7894,
        },
        notes="The original's code has 0.33 for 1/3.",
        here=f"{_COMMANDS}; {_STUDY}",
        not_here=_NO_UCF101,
    ),
    "A4": PaperRow(
        title="LRCN-fc6, RGB",
        commands=(
            _train("ucf101_lrcn_fc6_rgb", "UCF101", "runs/a1", "a4"),
            "lrcn evaluate runs/a4 --protocol lrcn_evaluate",
            _test("a4"),
        ),
        expected={"fold 1 (CVPR)": 0.7112, "three folds (journal)": 0.6820},
        published="A comment in LRCN_evaluate says that fold 1 should give about 71 %.",
        here=f"{_COMMANDS}; {_STUDY}",
        not_here=_NO_UCF101,
    ),
    "A5": PaperRow(
        title="LRCN-fc6, flow",
        commands=(
            _train("ucf101_lrcn_fc6_flow", "UCF101-flow", "runs/a2", "a5"),
            _test("a5"),
            _train("ucf101_lrcn_fc6_flow_hidden256", "UCF101-flow", "runs/a2", "a5-256"),
            _test("a5-256"),
        ),
        expected={
            "1024 units, three folds (journal)": 0.7728,
            "256 units, fold 1 (CVPR)": 0.7695,
            "256 units, three folds (CVPR)": 0.7746,
        },
        notes="1024 units were published without a solver; the one of 256 units is used.",
        here=f"{_COMMANDS}; {_STUDY}",
        not_here=_NO_UCF101,
    ),
    "A6": PaperRow(
        title="LRCN-fc6, RGB and flow together",
        commands=(
            *_fusions("a6", "a4", "a5"),
            *_fusions("a6-256", "a4", "a5-256"),
            "lrcn fuse runs/a4 runs/a5 --weights 1/3,2/3 --out models/a6",
        ),
        expected={
            "1/2, 1/2, 1024 units on flow, three folds (journal)": 0.8090,
            "1/3, 2/3, 1024 units on flow, three folds (journal)": 0.8234,
            "1/2, 1/2, 256 units, fold 1 (CVPR)": 0.8197,
            "1/3, 2/3, 256 units, fold 1 (CVPR)": 0.8292,
        },
        notes="`models/a6` is the pair as one model, for `lrcn predict`.",
        here=f"{_COMMANDS}; {_STUDY}",
        not_here=_NO_UCF101,
    ),
    "A7": PaperRow(
        title="LRCN-fc7",
        commands=(
            _train("ucf101_lrcn_fc7_rgb", "UCF101", "runs/a1", "a7-rgb"),
            _test("a7-rgb"),
            _train("ucf101_lrcn_fc7_flow", "UCF101-flow", "runs/a2", "a7-flow"),
            _test("a7-flow"),
            *_fusions("a7", "a7-rgb", "a7-flow"),
        ),
        expected={
            "RGB, fold 1 (CVPR)": 0.7068,
            "flow, fold 1 (CVPR)": 0.6936,
            "1/2, 1/2, fold 1 (CVPR)": 0.7901,
            "1/3, 2/3, fold 1 (CVPR)": 0.8051,
        },
        notes="Its prototxt was not published: fc7 comes after fc6's dropout of 0.5, and 0.9"
        " stands before the LSTM.",
        here=f"{_COMMANDS}; {_STUDY}",
        not_here=_NO_UCF101,
    ),
    "A8": PaperRow(
        title="256, 512 and 1024 units",
        commands=(
            _train("ucf101_single_frame_rgb", "UCF101", "models/hybrid", "val-a1", _HELD_OUT),
            _train("ucf101_single_frame_flow", "UCF101-flow", "models/hybrid", "val-a2", _HELD_OUT),
            *_study("ucf101_lrcn_fc6_rgb", False, "val-rgb"),
            *_study("ucf101_lrcn_fc6_rgb_hidden512", False, "val-rgb-512"),
            *_study("ucf101_lrcn_fc6_rgb_hidden1024", False, "val-rgb-1024"),
            *_study("ucf101_lrcn_fc6_flow_hidden256", True, "val-flow"),
            *_study("ucf101_lrcn_fc6_flow_hidden512", True, "val-flow-512"),
            *_study("ucf101_lrcn_fc6_flow", True, "val-flow-1024"),
            "lrcn compare runs/val-rgb runs/val-rgb-1024",
            "lrcn compare runs/val-flow runs/val-flow-1024",
        ),
        expected={"gain of 1024 over 256 units, flow": 0.017, "the same, RGB": 0.0},
        published="On a validation part of fold 1's training videos that was not published.",
        notes="Every study holds a third out, by source; so do the single-frame nets that it"
        " starts from. The same seed holds the same videos out, of pictures and of flow.",
        here=f"{_COMMANDS}; {_STUDY}",
        not_here=_NO_UCF101,
    ),
    "A9": PaperRow(
        title="fc6 against fc7",
        commands=(
            *_study("ucf101_lrcn_fc7_rgb", False, "val-rgb-fc7"),
            *_study("ucf101_lrcn_fc7_flow", True, "val-flow-fc7"),
            "lrcn compare runs/val-rgb-fc7 runs/val-rgb",
            "lrcn compare runs/val-flow-fc7 runs/val-flow",
        ),
        expected={"gain of fc6 over fc7, flow": 0.01, "the same, RGB": 0.002},
        published="On the same validation part.",
        here=f"{_COMMANDS}; {_STUDY}",
        not_here=_NO_UCF101,
    ),
    "A10": PaperRow(
        title="fewer frames",
        commands=(
            *_study("ucf101_lrcn_fc6_rgb_stride2", False, "val-rgb-stride2"),
            "lrcn compare runs/val-rgb-stride2 runs/val-rgb --allow-unlike",
        ),
        published="Taking fewer frames hurts; no number is given.",
        notes="Every second frame, at the test too; other steps: `--dataset.sampling.frame-stride`."
        " Of flow a frame is still the motion between neighbours.",
        here=f"{_COMMANDS}; {_STUDY}",
        not_here=_NO_UCF101,
    ),
    "A11": PaperRow(
        title="dropout",
        commands=(
            *_study("ucf101_lrcn_fc6_rgb_dropout05", False, "val-rgb-dropout05"),
            "lrcn compare runs/val-rgb-dropout05 runs/val-rgb",
        ),
        published="0.9 after fc6 was needed end to end; neither what else was tried nor what it"
        " gave is told.",
        notes="Other values: `--model.feature-dropout`.",
        here=f"{_COMMANDS}; {_STUDY}",
        not_here=_NO_UCF101,
    ),
    "A12": PaperRow(
        title="what the LSTM gains, class by class",
        commands=(
            "lrcn compare runs/a1 runs/a4",
            "lrcn compare runs/a2 runs/a5",
            "lrcn compare results/a3-third.json results/a6-third.json",
        ),
        expected={"BoxingPunchingBag": 0.4082, "HighJump": 0.2973, "BoxingSpeedBag": -0.1622},
        published="Twenty classes are listed, three of them here. Fold 1, in spite of the caption:"
        " all values are whole videos of that fold. Whether RGB, flow or both are compared is not"
        " told; one command for each.",
        here=_COMMANDS,
        not_here=_NO_UCF101,
    ),
    "A13": PaperRow(
        title="what flow gains over RGB, class by class",
        commands=("lrcn compare runs/a4 runs/a5",),
        expected={"BoxingPunchingBag": 0.5714, "PushUps": 0.5333, "Typing": -0.4419},
        published="Fold 1. BodyWeightSquats (+38.46) cannot be: it has 30 test videos.",
        here=_COMMANDS,
        not_here=_NO_UCF101,
    ),
    "M1": PaperRow(
        title="the released weights",
        commands=(
            "lrcn import-caffe RGB_lstm_model_iter_30000.caffemodel"
            " --labels UCF101/ucfTrainTestlist/classInd.txt --out models/rgb",
            "lrcn evaluate models/rgb --data UCF101 --fold 1 --split test --protocol lrcn_evaluate"
            " --out results/m1.json",
        ),
        expected={"fold 1, centre crop (a comment in the code)": 0.71},
        notes="More, and lists, frames and features of the original: [coming from"
        " Caffe](guides/coming-from-caffe.md).",
        here="files of both generations with random weights, against Caffe's equations (tests)",
        not_here="the released weights could not be had",
    ),
}
"""Name of a row → the row, in the order in which the commands are run."""


def get_row(name: str) -> PaperRow:
    """A row of the paper.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in ROWS:
        raise ConfigError(
            f"unknown row {name!r}.{did_you_mean(name, list(ROWS))} Known: {', '.join(ROWS)}"
        )
    return ROWS[name]


def rows_of(recipe: str) -> tuple[str, ...]:
    """The rows in which a recipe is trained."""
    return tuple(name for name, row in ROWS.items() if recipe in row.recipes)
