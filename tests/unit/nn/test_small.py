"""The small backbone keeps where things are."""

from __future__ import annotations

import pytest
import torch

from lrcn.errors import ConfigError, WeightsError
from lrcn.nn.backbones import create_backbone


@pytest.mark.parametrize("size", [32, 48, 128])
def test_any_size_from_32_to_128(size):
    backbone = create_backbone("small", input_px=size).eval()

    features = backbone(backbone.normalise(torch.zeros(2, 3, size, size, dtype=torch.uint8)))

    assert features.shape == (2, backbone.feature_dim)
    assert backbone.preprocessing.input_px == size


def test_a_moved_spot_gives_other_features():
    backbone = create_backbone("small", input_px=48).eval()
    frames = torch.full((3, 3, 48, 48), 100, dtype=torch.uint8)
    frames[0, 0, 8:16, 8:16] = 250
    frames[1, 0, 8:16, 8:16] = 250
    frames[2, 0, 30:38, 8:16] = 250

    features = backbone(backbone.normalise(frames))

    assert features[0].equal(features[1])
    assert (features[0] - features[2]).norm() > 0.2


@torch.no_grad()
def test_the_grid_tells_what_stands_where():
    backbone = create_backbone("small", input_px=72, feature_layer="grid").eval()
    frames = torch.full((3, 3, 72, 72), 100, dtype=torch.uint8)
    frames[1, 0, 8:16, 56:64] = 250  # top right
    frames[2, 0, 56:64, 32:40] = 250  # bottom, in the middle

    features = backbone(backbone.normalise(frames)).unflatten(1, (-1, 3, 3))

    for row, place in ((1, (0, 2)), (2, (2, 1))):
        changed = (features[row] - features[0]).abs().amax(0)
        assert divmod(int(changed.argmax()), 3) == place
        # Far from it nothing changes.
        assert float(changed[2 - place[0], 0]) == pytest.approx(0.0, abs=1e-5)
    # What is at both places is told of both: neither hides the other.
    both = frames[1:2].clone()
    both[0, 0, 56:64, 32:40] = 250
    found = backbone(backbone.normalise(both)).unflatten(1, (-1, 3, 3))[0]
    torch.testing.assert_close(found[:, 0, 2], features[1, :, 0, 2])
    torch.testing.assert_close(found[:, 2, 1], features[2, :, 2, 1])


def test_sizes_taps_and_weights_that_do_not_exist_are_refused():
    with pytest.raises(ConfigError, match="takes input_px from 32 to 128, not 224"):
        create_backbone("small", input_px=224)
    with pytest.raises(ConfigError, match="no feature_layer 'fc6'"):
        create_backbone("small", feature_layer="fc6")
    with pytest.raises(WeightsError, match="no packaged weights"):
        create_backbone("small", weights="packaged")
