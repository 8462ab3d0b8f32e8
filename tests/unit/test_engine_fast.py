"""The fused network computes what the plain one computes, or the plain one runs and says why."""

from __future__ import annotations

import threading

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lrcn.engine import FastBackbone, fast_backbone
from lrcn.engine.fuse import fuse
from lrcn.engine.tape import Player, record
from lrcn.structures import Preprocessing

CPU = torch.device("cpu")


class Network(nn.Module):
    """Everything that the fuser treats: norms, uneven padding, activations, a residual sum."""

    name, feature_layer = "net", "pooled"
    preprocessing = Preprocessing(
        input_px=32, resize_px=32, pixel_mean=(120.0, 110.0, 100.0), pixel_std=(60.0, 61.0, 62.0)
    )

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.stem = nn.Conv2d(3, width, 3, stride=2, bias=False)
            self.norm = nn.BatchNorm2d(width)
            self.depthwise = nn.Conv2d(width, width, 5, stride=2, groups=width, bias=False)
            self.depthwise_norm = nn.BatchNorm2d(width)
            self.block = nn.Conv2d(width, width, 1)
            self.block_norm = nn.BatchNorm2d(width, affine=False)
            self.last = nn.Conv2d(width, 24, 3, padding=1)
            self.linear = nn.Linear(24, 12)
            for norm in (self.norm, self.depthwise_norm, self.block_norm):
                norm.running_mean.uniform_(-0.5, 0.5)
                norm.running_var.uniform_(0.5, 2.0)
            for norm in (self.norm, self.depthwise_norm):
                nn.init.uniform_(norm.weight, 0.5, 1.5)
                nn.init.uniform_(norm.bias, -0.5, 0.5)

    def normalise(self, frames_NCHW: Tensor) -> Tensor:
        mean = torch.tensor(self.preprocessing.pixel_mean).view(3, 1, 1)
        std = torch.tensor(self.preprocessing.pixel_std).view(3, 1, 1)
        return frames_NCHW.sub(mean).div(std).to(self.stem.weight.dtype)

    def forward(self, frames_NCHW: Tensor) -> Tensor:
        x = F.relu6(self.norm(self.stem(F.pad(frames_NCHW, (0, 1, 0, 1)))))
        x = F.hardswish(self.depthwise_norm(self.depthwise(F.pad(x, (2, 1, 1, 2)))))
        x = x + F.silu(self.block_norm(self.block(x)))
        x = F.relu(self.last(x), inplace=True)
        return self.linear(x.mean((2, 3)).view(len(x), -1))


def frames(num: int, size: int = 32) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (num, 3, size, size), dtype=torch.uint8, generator=generator)


@pytest.fixture
def network() -> Network:
    return Network().eval()


def plain(network: Network, frames_NCHW: Tensor) -> Tensor:
    with torch.no_grad():
        return network(network.normalise(frames_NCHW))


def fast(network: nn.Module, precision: torch.dtype = torch.float32) -> FastBackbone:
    return fast_backbone(network, device=CPU, precision=precision)


@pytest.mark.parametrize("num_frames", [1, 2, 3, 32])
def test_fused_features_are_the_network_s(network: Network, num_frames: int) -> None:
    fused = fast(network)
    assert "4 oneDNN convolutions" in fused.description
    batch = frames(num_frames)
    torch.testing.assert_close(fused(batch), plain(network, batch), rtol=1e-5, atol=1e-5)
    channels_last = batch.contiguous(memory_format=torch.channels_last)
    assert torch.equal(fused(channels_last), fused(batch))
    torch.testing.assert_close(fused(batch.float()), fused(batch))


def test_bfloat16_stays_near(network: Network) -> None:
    fused, batch = fast(network, torch.bfloat16), frames(8)
    assert fused.arithmetic == "bfloat16 fused"
    features, wanted = fused(batch), plain(network, batch)
    assert features.dtype == torch.float32
    assert float((features - wanted).norm() / wanted.norm()) < 0.02
    assert not torch.equal(features, wanted)


def test_norms_pads_and_activations_are_gone_from_the_tape(network: Network) -> None:
    with torch.no_grad():
        tape = record(network, network.normalise(frames(2)))
        fused, num = fuse(tape, torch.float32, 4)
    assert num == 4
    names = {str(step.function) for step in fused.steps}
    assert not [n for n in names if "norm" in n or "pad" in n or "relu" in n or "swish" in n]
    assert "aten.silu.default" not in names


def test_a_tensor_with_two_readers_is_not_folded_away() -> None:
    class TwoReaders(Network):
        def forward(self, frames_NCHW: Tensor) -> Tensor:
            x = self.stem(frames_NCHW)
            padded = F.pad(self.norm(x), (0, 1, 0, 1))
            y = F.relu(self.depthwise(padded)) + padded.mean() + x.mean()
            return y.mean((2, 3))

    network = TwoReaders().eval()
    batch = frames(5)
    fused = fast(network)
    assert "2 oneDNN" in fused.description
    torch.testing.assert_close(fused(batch), plain(network, batch), rtol=1e-5, atol=1e-5)


class Flattened(Network):
    """Feature maps in a row, pooled, and times a matrix; weights that are computed on the way."""

    def forward(self, frames_NCHW: Tensor) -> Tensor:
        x = self.last(F.relu(self.norm(self.stem(frames_NCHW))))
        maps = F.max_pool2d(x, 5).flatten(1)
        pooled = F.adaptive_avg_pool2d(x, 1).flatten(1)
        weight = self.linear.weight / self.linear.weight.norm(dim=1, keepdim=True)
        spots = x.flatten(2).softmax(-1) @ torch.linspace(-1, 1, 225).square()[:, None]
        return torch.cat([maps[:, :7], F.linear(pooled, weight), spots.flatten(1)], 1)


@pytest.mark.parametrize("channels_last", [False, True])
def test_flattened_maps_and_computed_weights(channels_last: bool) -> None:
    network, batch = Flattened().eval(), frames(6)
    if channels_last:
        network = network.to(memory_format=torch.channels_last)
    fused = fast(network)
    assert "2 oneDNN" in fused.description
    torch.testing.assert_close(fused(batch), plain(network, batch), rtol=1e-5, atol=1e-5)


def test_a_network_that_writes_into_its_weights_is_not_recorded() -> None:
    class Counts(Network):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("total", torch.zeros(16))

        def forward(self, frames_NCHW: Tensor) -> Tensor:
            x = self.stem(frames_NCHW)
            self.total.add_(x.sum((0, 2, 3)))
            return x.mean((2, 3))

    assert "changes a constant" in fast(Counts().eval()).description


def test_the_original_is_left_alone_and_later_changes_are_not_seen(network: Network) -> None:
    network.train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    fused = fast(network)
    assert network.training
    assert all(parameter.requires_grad for parameter in network.parameters())
    features = fused(frames(2))
    assert all(torch.equal(before[n], t) for n, t in network.state_dict().items())
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    assert torch.equal(fused(frames(2)), features)
    assert fused.weights_hash != fast(network).weights_hash
    assert fused.weights_hash == fast(Network()).weights_hash


class Loops(Network):
    """Its operations depend on the pixels, so one recording is wrong for other frames."""

    def forward(self, frames_NCHW: Tensor) -> Tensor:
        x = self.stem(frames_NCHW)
        return x.mean((2, 3)) * (2.0 if len(frames_NCHW) > 2 else 1.0)


class NoConvolution(Network):
    def forward(self, frames_NCHW: Tensor) -> Tensor:
        return frames_NCHW.mean((2, 3)) @ self.linear.weight[:3, :3]


@pytest.mark.parametrize(
    ("kind", "reason"), [(Loops, "is off by 50 %"), (NoConvolution, "no convolution")]
)
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_what_cannot_be_fused_runs_plainly_and_says_so(
    kind: type[Network], reason: str, precision: torch.dtype
) -> None:
    network, batch = kind().eval(), frames(4)
    found = fast(network, precision)
    assert "plain" in found.arithmetic
    assert reason in found.description
    wanted = plain(network, batch)
    assert float((found(batch) - wanted).norm() / wanted.norm()) < 0.02


class HighPass(Network):
    """Differences of neighbours, enlarged: in bfloat16 little of the features is left."""

    def forward(self, frames_NCHW: Tensor) -> Tensor:
        x = F.conv2d(frames_NCHW, self.kernel)
        return self.linear(100 * self.last(x).mean((2, 3)))

    def __init__(self) -> None:
        super().__init__()
        kernel = torch.randn(16, 3, 3, 3, generator=torch.Generator().manual_seed(0))
        self.register_buffer("kernel", kernel - kernel.mean((1, 2, 3), keepdim=True))


def test_bfloat16_that_changes_the_features_gives_way_to_float32() -> None:
    network, batch = HighPass().eval(), frames(4)
    found = fast(network, torch.bfloat16)
    assert found.arithmetic == "float32 fused"
    assert "bfloat16 fused is off by" in found.description
    wanted = fast_backbone(network, device=CPU, precision=torch.bfloat16, max_error=10.0)
    assert wanted.arithmetic == "bfloat16 fused"
    torch.testing.assert_close(found(batch), plain(network, batch), rtol=1e-4, atol=1e-4)


def test_threads_take_parts_of_a_batch(network: Network) -> None:
    batch = frames(100)
    fused = fast_backbone(
        network, device=CPU, precision=torch.float32, batch_size=8
    )  # 8 frames at a time
    torch.set_num_threads(1)
    alone = fused(batch)
    torch.set_num_threads(3)
    together = fused(batch)
    assert torch.get_num_threads() == 3
    torch.testing.assert_close(together, alone, rtol=1e-6, atol=1e-6)
    assert not together.requires_grad
    seen: list[int] = []
    thread = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert seen == [3]


def test_an_error_in_a_thread_is_raised(network: Network) -> None:
    torch.set_num_threads(2)
    with pytest.raises(RuntimeError):
        fast_backbone(network, device=CPU, precision=torch.float32, batch_size=2)(
            torch.zeros(9, 4, 32, 32, dtype=torch.uint8)
        )


def test_a_tape_lets_go_of_what_is_used_up(network: Network) -> None:
    """Every value but the result is dropped at its last use (memory of one layer, not of all)."""
    with torch.no_grad():
        tape = record(network, network.normalise(frames(2)))
    player = Player(tape)
    dropped = [slot for done in player._done[:-1] for slot in done]
    slots = {slot for step in tape.steps for slot in (*step.inputs(), *step.outputs)}
    assert set(dropped) == slots - {tape.output}
    assert len(dropped) == len(set(dropped))
