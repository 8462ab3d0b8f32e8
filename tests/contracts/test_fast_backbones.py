"""Every backbone of the table runs fused, and gives the features of the plain network."""

from __future__ import annotations

import pytest
import torch

from lrcn.engine import fast_backbone
from lrcn.errors import WeightsError
from lrcn.nn.backbones import BACKBONES, create_backbone, list_backbones

CPU = torch.device("cpu")


def test_the_table_is_covered() -> None:
    assert len(list_backbones()) == len(BACKBONES) >= 7


@pytest.mark.slow
@pytest.mark.parametrize("name", list_backbones())
def test_fused_equals_plain(name: str) -> None:
    try:
        backbone = create_backbone(name).eval()
    except WeightsError as error:
        pytest.skip(str(error))
    fast = fast_backbone(backbone, device=CPU, precision=torch.float32)
    assert fast.arithmetic == "float32 fused", fast.description
    size = backbone.preprocessing.input_px
    frames_NCHW = torch.randint(
        0, 256, (5, 3, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    with torch.no_grad():
        wanted_ND = backbone(backbone.normalise(frames_NCHW))
    found_ND = fast(frames_NCHW)
    assert found_ND.shape == (5, backbone.feature_dim)
    assert float((found_ND - wanted_ND).norm() / wanted_ND.norm()) < 1e-5


@pytest.mark.slow
def test_bfloat16_is_used_only_where_it_is_near_enough() -> None:
    trained = fast_backbone(
        create_backbone("efficientnet_lite0").eval(), device=CPU, precision=torch.bfloat16
    )
    assert trained.arithmetic == "float32 fused"
    assert "bfloat16 fused is off by" in trained.description
