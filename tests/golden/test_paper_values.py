"""Golden values of paper.md 2.2, 2.3, 2.5 and 2.9 that need no weights of the authors."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lrcn.models.activity import ActivityConfig, ActivityModel, create_model
from lrcn.nn.recurrent import Recurrent
from lrcn.recipes import RECIPES
from lrcn.recipes import get as get_recipe

CLASSES = [f"class {k}" for k in range(101)]
UCF101_FOLD1_TRAIN = 9537


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def on_meta(config: ActivityConfig, classes: list[str] = CLASSES) -> ActivityModel:
    """Shapes without numbers: the nets have up to 138 million weights."""
    with torch.device("meta"):
        return create_model(config, classes)


@pytest.mark.parametrize(
    ("hidden_size", "number"), [(256, 4_457_472), (512, 9_439_232), (1024, 20_975_616)]
)
def test_parameters_of_the_lstm_on_fc6(hidden_size: int, number: int) -> None:
    assert count(Recurrent(4096, hidden_size)) == number


@pytest.mark.parametrize(
    ("recipe", "number"),
    [
        ("ucf101_single_frame_rgb", 78_132_965),
        ("ucf101_lrcn_fc6_rgb", 65_421_285),
        ("ucf101_lrcn_fc6_rgb_hidden1024", 82_016_997),
        ("ucf101_single_frame_flow", 78_132_965),
        ("ucf101_lrcn_fc6_flow", 82_016_997),
        ("ucf101_lrcn_fc6_flow_hidden256", 65_421_285),
    ],
)
def test_parameters_of_the_papers_nets(recipe: str, number: int) -> None:
    assert count(on_meta(get_recipe(recipe).model)) == number


def test_parameters_up_to_fc6() -> None:
    backbone = on_meta(get_recipe("ucf101_lrcn_fc6_rgb").model).backbone

    assert backbone is not None
    assert count(backbone) == 60_937_856


@pytest.mark.parametrize(("backbone", "number"), [("caffenet", 60_965_224), ("vgg16", 138_357_544)])
def test_parameters_of_the_imagenet_nets(backbone: str, number: int) -> None:
    """Those of the published reference models with 1,000 classes."""
    config = ActivityConfig(kind="single_frame", backbone=backbone, feature_layer="fc7")

    assert count(on_meta(config, [str(k) for k in range(1000)])) == number


def test_shapes_of_the_training_graph() -> None:
    """384 frames are 24 clips of 16: features 4096, LSTM 256, 101 logits at every step."""
    model = on_meta(get_recipe("ucf101_lrcn_fc6_rgb").model)
    frames_BTCHW = torch.zeros(24, 16, 3, 227, 227, device="meta")

    features_BTD = model.backbone(frames_BTCHW.flatten(0, 1)).unflatten(0, (24, 16))

    assert features_BTD.shape == (24, 16, 4096)
    assert model.recurrent.output_size == 256
    assert model.head(torch.zeros(24, 16, 256, device="meta")).shape == (24, 16, 101)


@pytest.mark.slow
def test_untrained_loss_of_the_whole_net() -> None:
    """The log has 4.59574 on test and 4.61 to 4.62 on train; ln 101 is 4.615."""
    model = create_model(get_recipe("ucf101_lrcn_fc6_rgb").model, CLASSES)
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (1, 4, 3, 227, 227), dtype=torch.uint8, generator=generator)

    for training in (False, True):
        model.train(training)
        with torch.no_grad(), torch.random.fork_rng():
            logits_BTK, _ = model.unroll(model.features(pixels))
        labels = torch.arange(0, 100, 25)
        loss = F.cross_entropy(logits_BTK[0], labels).item()
        assert loss == pytest.approx(math.log(101), abs=0.025)


def test_untrained_loss_of_the_head() -> None:
    """The same from features: of the size that fc6 has after its ReLU, 24 clips of 16."""
    config = ActivityConfig(backbone="none", feature_dim=4096, init="paper")
    model = create_model(config, CLASSES).eval()
    generator = torch.Generator().manual_seed(0)
    features_BTD = torch.randn(24, 16, 4096, generator=generator).relu()

    with torch.no_grad():
        logits_BTK, _ = model.unroll(features_BTD)
    labels = torch.randint(0, 101, (24 * 16,), generator=generator)

    loss = F.cross_entropy(logits_BTK.flatten(0, 1), labels).item()
    assert loss == pytest.approx(math.log(101), abs=0.02)
    assert logits_BTK.std() > 0


def test_initialisers_of_the_lstm_and_the_last_layer() -> None:
    """Uniform in 0.01, every bias 0 (the forget gate's too); gaussian of 0.01, bias 0."""
    config = ActivityConfig(backbone="none", feature_dim=4096, init="paper")
    model = create_model(config, CLASSES)
    (lstm,) = model.recurrent.layers

    for weight in (lstm.weight_ih, lstm.weight_hh):
        assert weight.abs().max().item() <= 0.01
        assert weight.std().item() == pytest.approx(0.01 / math.sqrt(3), rel=0.01)
    assert not lstm.bias.any()
    assert model.head.linear.weight.std().item() == pytest.approx(0.01, rel=0.02)
    assert not model.head.linear.bias.any()


@pytest.mark.parametrize(
    ("recipe", "number"), [("ucf101_lrcn_fc6_rgb", 75), ("ucf101_lrcn_fc6_flow_hidden256", 176)]
)
def test_passes_over_the_training_videos(recipe: str, number: int) -> None:
    """30,000 updates of 24 clips are about 75 passes over fold 1, 70,000 about 176 (2.5)."""
    experiment = get_recipe(recipe)

    passes = (experiment.train.max_steps or 0) * experiment.train.batch_size / UCF101_FOLD1_TRAIN

    assert round(passes) == number
    assert experiment.dataset.val_fraction == 0  # all 9,537 videos are trained on


PAPERS = sorted(name for name in RECIPES if RECIPES[name].__module__ == "lrcn.recipes.paper")


@pytest.mark.parametrize("name", PAPERS)
def test_solver(name: str) -> None:
    """The four solver files, and the multipliers of the nets' prototxt files (2.3, 2.5)."""
    experiment = get_recipe(name)
    train, modality = experiment.train, experiment.dataset.modality

    assert (train.optimizer, train.momentum, train.weight_decay) == ("caffe_sgd", 0.9, 0.005)
    assert (train.lr, train.backbone_lr) == (0.001, 0.001)
    assert (train.schedule, train.schedule_gamma) == ("step", 0.1)
    assert (train.head_lr_multiplier, train.bias_lr_multiplier) == (10.0, 2.0)
    assert (train.decay_biases, train.decay_recurrent_biases) == (False, True)
    assert (train.unfreeze_at, train.select_by, train.warmup_steps) == (0, "last", 0)
    own = (train.schedule_steps, train.max_steps, train.clip_norm, train.batch_size)
    assert (
        own
        == {
            ("single_frame", "rgb"): (3_000, 5_000, None, 128),
            ("single_frame", "flow"): (20_000, 50_000, None, 128),
            ("lrcn", "rgb"): (10_000, 30_000, 5.0, 24),
            ("lrcn", "flow"): (20_000, 70_000, 15.0, 24),
        }[experiment.model.kind, modality]
    )


@pytest.mark.parametrize("name", PAPERS)
def test_network_and_clips(name: str) -> None:
    """Dropout, clips and crops of the prototxt files (2.3, 2.4)."""
    experiment = get_recipe(name)
    model, sampling = experiment.model, experiment.dataset.sampling

    assert (model.backbone, model.init, model.num_layers, model.unit) == (
        "caffenet_hybrid",
        "paper",
        1,
        "lstm",
    )
    if model.kind == "single_frame":
        assert (model.feature_layer, model.feature_dropout, model.output_dropout) == ("fc7", 0.5, 0)
        assert (sampling.clip_length, sampling.clip_stride) == (1, 1)
    else:
        assert model.output_dropout == 0.5
        assert model.feature_dropout == (0.5 if name.endswith("dropout05") else 0.9)
        assert (sampling.clip_length, sampling.clip_stride) == (16, 8)
    transform = experiment.dataset.transform
    assert (transform.crop, transform.mirror_prob) == ("random", 0.5)
