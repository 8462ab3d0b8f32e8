"""The three kinds of activity model."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from lrcn.errors import ConfigError, ModelError
from lrcn.models.activity import ActivityConfig, ActivityModel, create_model
from lrcn.nn.backbone import set_trainable
from lrcn.nn.sequence import LSTMState, MeanState, NoState
from lrcn.settings import describe, from_dict, to_dict
from lrcn.structures import Preprocessing

KINDS = ["lrcn", "single_frame", "mean_pool"]
CLASSES = ("run", "jump", "walk")
SMALL = "timm/mobilenetv3_small_050"


def make(kind: str = "lrcn", **changes: object) -> ActivityModel:
    settings = {"backbone": "none", "feature_dim": 6, "hidden_size": 5, "kind": kind} | changes
    return create_model(from_dict(ActivityConfig, settings), CLASSES).eval()


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_step_equals_unroll(kind: str) -> None:
    model = make(kind)
    features = draw(2, 5, 6)
    expected, last = model.unroll(features)
    assert expected.shape == (2, 5, 3)
    state = model.initial_state(2)
    for t in range(5):
        logits, state = model.step(features[:, t], state)
        torch.testing.assert_close(logits, expected[:, t], atol=1e-6, rtol=0)
    assert type(state) is type(last)
    wanted = {"lrcn": LSTMState, "single_frame": NoState, "mean_pool": MeanState}[kind]
    assert isinstance(state, wanted)


@torch.no_grad()
def test_single_frame_ignores_its_neighbours_and_mean_pool_the_order() -> None:
    features = draw(1, 4, 6)
    single = make("single_frame")
    both, _ = single.unroll(features)
    flipped, _ = single.unroll(features.flip(1))
    torch.testing.assert_close(flipped.flip(1), both)
    mean = make("mean_pool")
    one, _ = mean.unroll(features)
    other, _ = mean.unroll(features.flip(1))
    torch.testing.assert_close(one[:, -1], other[:, -1], atol=1e-6, rtol=0)
    torch.testing.assert_close(one[:, -1], mean.head(features.mean(1)), atol=1e-6, rtol=0)


def test_loss_mask() -> None:
    valid = torch.tensor([[True, True, True], [True, False, False], [False] * 3])
    assert torch.equal(make("lrcn").loss_mask(valid), valid)
    assert torch.equal(make("single_frame").loss_mask(valid), valid)
    expected = torch.tensor([[False, False, True], [True, False, False], [False] * 3])
    assert torch.equal(make("mean_pool").loss_mask(valid), expected)


def test_probabilities() -> None:
    model = make()
    logits = draw(4, 3)
    probs = model.probabilities(logits)
    torch.testing.assert_close(probs, logits.softmax(-1))
    model.temperature.fill_(2.0)
    torch.testing.assert_close(model.probabilities(logits), (logits / 2).softmax(-1))
    assert model.probabilities(logits.bfloat16()).dtype == torch.float32
    assert "temperature" in model.state_dict()
    several = create_model(model.config, CLASSES, multi_label=True)
    torch.testing.assert_close(several.probabilities(logits), logits.sigmoid())


def test_frames_to_features() -> None:
    config = ActivityConfig(backbone=SMALL, weights="random", input_px=32, hidden_size=8)
    model = create_model(config, CLASSES).eval()
    assert model.backbone is not None
    assert model.preprocessing == model.backbone.preprocessing
    assert model.feature_dim == model.backbone.feature_dim == 1024
    generator = torch.Generator().manual_seed(0)
    frames = torch.randint(0, 256, (2, 3, 3, 32, 32), dtype=torch.uint8, generator=generator)
    with torch.no_grad():
        features = model.features(frames)
        assert features.shape == (2, 3, 1024)
        torch.testing.assert_close(model.features(frames[0]), features[0], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(model.features(frames.float()), features)
    with pytest.raises(ValueError, match="N x 3 x H x W"):
        model.features(frames[0].permute(0, 2, 3, 1))


def test_learns_end_to_end_and_frozen() -> None:
    config = ActivityConfig(
        backbone=SMALL, weights="random", input_px=32, hidden_size=8, output_dropout=0.0
    )
    model = create_model(config, CLASSES).train()
    assert model.backbone is not None
    frames = torch.randint(0, 256, (2, 3, 3, 32, 32), dtype=torch.uint8)
    for trainable in (True, False):
        set_trainable(model.backbone, trainable)
        model.train().zero_grad()
        logits, _ = model.unroll(model.features(frames))
        logits.logsumexp(-1).sum().backward()
        for name, part in model.parts().items():
            wanted = trainable or name != "backbone"
            assert all((p.grad is not None) == wanted for p in part.parameters()), name


def test_parts() -> None:
    assert list(make("lrcn").parts()) == ["recurrent", "head"]
    assert list(make("single_frame").parts()) == ["head"]
    model = create_model(ActivityConfig(backbone=SMALL, input_px=32), CLASSES)
    assert list(model.parts()) == ["backbone", "recurrent", "head"]
    inside = [id(p) for part in model.parts().values() for p in part.parameters()]
    assert sorted(inside) == sorted(id(p) for p in model.parameters())


def test_dropout_only_in_training() -> None:
    model = make(feature_dropout=0.5, output_dropout=0.0)
    features = draw(1, 2, 6)
    assert torch.equal(model.unroll(features)[0], model.unroll(features)[0])
    model.train()
    assert not torch.equal(model.unroll(features)[0], model.unroll(features)[0])
    state = model.initial_state(1)
    one, other = (model.step(features[:, 0], state)[0] for _ in range(2))
    assert not torch.equal(one, other)


def test_seed_decides_and_the_global_generator_is_untouched() -> None:
    torch.manual_seed(4)
    expected = torch.rand(2)
    torch.manual_seed(4)
    one, same = make(), make()
    assert torch.equal(torch.rand(2), expected)
    other = create_model(one.config, CLASSES, seed=1)
    assert torch.equal(one.head.linear.weight, same.head.linear.weight)
    assert not torch.equal(one.head.linear.weight, other.head.linear.weight)


def test_save_and_load_by_state_dict() -> None:
    model = make(num_layers=2)
    twin = create_model(model.config, CLASSES, seed=9).eval()
    twin.load_state_dict(model.state_dict())
    features = draw(1, 4, 6)
    assert torch.equal(model.unroll(features)[0], twin.unroll(features)[0])


def test_paper_sizes() -> None:
    """LRCN-fc6 with 256 units: paper.md 2.3."""
    config = ActivityConfig(backbone="none", feature_dim=4096, init="paper")
    model = create_model(config, [str(k) for k in range(101)])
    recurrent, head = (
        sum(p.numel() for p in m.parameters()) for m in (model.recurrent, model.head)
    )
    assert recurrent == 4_457_472
    assert recurrent + head + 60_937_856 == 65_421_285


def test_precomputed_features_have_no_frames() -> None:
    model = make()
    with pytest.raises(ModelError, match="precomputed features"):
        model.features(torch.zeros(1, 3, 8, 8))
    with pytest.raises(ValueError, match="B x T x 6"):
        model.unroll(draw(1, 2, 7))


def test_preprocessing_may_be_given() -> None:
    mine = Preprocessing(input_px=32, resize_px=40, pixel_mean=(1.0, 2.0, 3.0))
    config = ActivityConfig(backbone=SMALL, input_px=32)
    model = create_model(config, CLASSES, preprocessing=mine)
    assert model.preprocessing is mine
    assert model.backbone is not None
    pixels = model.backbone.normalise(torch.full((1, 3, 1, 1), 3, dtype=torch.uint8))
    assert pixels.flatten().tolist() == [2.0, 1.0, 0.0]
    with pytest.raises(ConfigError, match="set input_px"):
        create_model(dataclasses.replace(config, input_px=64), CLASSES, preprocessing=mine)
    features_only = create_model(make().config, CLASSES, preprocessing=mine)
    assert features_only.preprocessing is mine


def test_config_is_checked_all_at_once() -> None:
    with pytest.raises(ConfigError, match=r"feature_dropout.*hidden_size"):
        ActivityConfig(backbone="none", feature_dropout=1.0, hidden_size=0)
    with pytest.raises(ConfigError, match="needs feature_dim"):
        create_model(ActivityConfig(backbone="none"), CLASSES)
    with pytest.raises(ConfigError, match="leave feature_dim out"):
        create_model(ActivityConfig(backbone=SMALL, feature_dim=7, input_px=32), CLASSES)
    for names in ((), ("a", "a")):
        with pytest.raises(ConfigError, match="class_names"):
            create_model(make().config, names)


def test_config_round_trip_and_help() -> None:
    config = ActivityConfig(kind="mean_pool", backbone="none", feature_dim=3)
    assert from_dict(ActivityConfig, to_dict(config)) == config
    assert all(setting.help for setting in describe(ActivityConfig))


@pytest.mark.parametrize(("fraction", "resize_px"), [(None, 256), (1.0, 224), (0.5, 448)])
def test_the_square_covers_the_named_share_of_the_short_side(fraction, resize_px):
    config = ActivityConfig(backbone="efficientnet_lite0", weights="random", crop_fraction=fraction)
    assert create_model(config, CLASSES).preprocessing.resize_px == resize_px


def test_an_impossible_share_is_refused():
    with pytest.raises(ConfigError, match=r"crop_fraction must be above 0 .* not 1\.5"):
        ActivityConfig(crop_fraction=1.5)
