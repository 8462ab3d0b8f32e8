"""Imported nets against the Caffe equations in numpy; what does not fit is refused and listed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.fakes import caffe_equations as caffe
from tests.fakes.caffe_nets import blobs_of
from tests.fakes.caffemodel import write_caffemodel

from lrcn.caffe import blobs as transforms
from lrcn.caffe.importer import import_caffe
from lrcn.checkpoint import load_model, save_model
from lrcn.engine import fast_backbone
from lrcn.errors import ConfigError, DataError, WeightsError
from lrcn.nn.recurrent import Recurrent

PX = 99
"""Side of the input: fc6 is then 1,536 or 2,304 wide in place of 13,824 and 9,216."""
K, R, T = 7, 12, 5
LRCN_BGR = (103.939, 116.779, 128.68)
CAFFENET_BGR = (104.0, 117.0, 123.0)
VGG_BGR = (103.939, 116.779, 123.68)


def frames(num: int = T, px: int = PX) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (num, 3, px, px), np.uint8)


def lrcn_oracle(layers: dict[str, list], pixels: np.ndarray, cont: np.ndarray) -> np.ndarray:
    """Probabilities T N K of frames T N 3 H W."""
    flat = pixels.reshape(-1, *pixels.shape[2:])
    x = caffe.caffenet_pool5(caffe.frames_to_bgr(flat, LRCN_BGR), layers, hybrid=True)
    x = caffe.relu(caffe.inner_product(x.reshape(len(x), -1), layers["fc6"]))
    h = caffe.lstm(x.reshape(*cont.shape, -1), cont, layers["lstm1"])
    return caffe.softmax(caffe.inner_product(h, layers["fc8-final"]))


@pytest.fixture(scope="module")
def lrcn_layers() -> dict[str, list]:
    return blobs_of("lrcn_fc6")


@pytest.fixture(scope="module")
def lrcn_file(tmp_path_factory: pytest.TempPathFactory, lrcn_layers: dict[str, list]) -> Path:
    path = tmp_path_factory.mktemp("caffe") / "RGB_lstm_model_iter_30000.caffemodel"
    return write_caffemodel(path, lrcn_layers, "V2")


@pytest.fixture(scope="module")
def lrcn_file_v1(tmp_path_factory: pytest.TempPathFactory, lrcn_layers: dict[str, list]) -> Path:
    path = tmp_path_factory.mktemp("caffe") / "old.caffemodel"
    return write_caffemodel(path, lrcn_layers, "V1")


@pytest.fixture(scope="module")
def lrcn_probs(lrcn_layers: dict[str, list]) -> np.ndarray:
    """Two streams of frames, one of which starts anew in the middle."""
    return lrcn_oracle(lrcn_layers, frames(2 * T).reshape(T, 2, 3, PX, PX), CONT)


CONT = np.ones((T, 2))
CONT[0] = 0
CONT[3, 1] = 0


@pytest.mark.parametrize("version", ["V1", "V2"])
@pytest.mark.parametrize("channels", ["rgb", "bgr"])
@pytest.mark.parametrize("mean", ["preprocessing", "folded"])
def test_lrcn_gives_what_the_equations_give(
    tmp_path: Path,
    lrcn_file: Path,
    lrcn_file_v1: Path,
    lrcn_probs: np.ndarray,
    version: str,
    channels: str,
    mean: str,
) -> None:
    path = lrcn_file if version == "V2" else lrcn_file_v1
    imported = import_caffe(path, mean=mean, channels=channels, input_px=PX)
    assert (imported.net, imported.version, imported.ignored) == ("lrcn_fc6", version, ())
    save_model(tmp_path / "model", imported.saved)

    model = load_model(tmp_path / "model").model
    pixels_BTCHW = torch.from_numpy(frames(2 * T).reshape(T, 2, 3, PX, PX)).transpose(0, 1)
    with torch.no_grad():
        logits_BTK, _ = model.unroll(
            model.features(pixels_BTCHW), reset_mask_BT=torch.from_numpy(CONT.T == 0)
        )
        probs_BTK = model.probabilities(logits_BTK)

    assert lrcn_probs.std() > 0.02  # or nothing could be told from them
    np.testing.assert_allclose(probs_BTK.numpy().swapaxes(0, 1), lrcn_probs, atol=1e-5)


@pytest.mark.parametrize("channels", ["rgb", "bgr"])
def test_the_fast_backbone_knows_the_order_of_channels(lrcn_file: Path, channels: str) -> None:
    backbone = import_caffe(lrcn_file, channels=channels, input_px=PX).saved.model.backbone
    pixels = torch.from_numpy(frames(2))

    fast = fast_backbone(backbone, device=torch.device("cpu"), precision=torch.float32)

    assert fast.arithmetic == "float32 fused", fast.description
    with torch.no_grad():
        wanted = backbone(backbone.normalise(pixels))
    torch.testing.assert_close(fast(pixels), wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "mean_bgr"),
    [
        ("caffenet", CAFFENET_BGR),
        ("hybrid", VGG_BGR),
        ("vgg16", VGG_BGR),
        ("lrcn_fc7", LRCN_BGR),
        ("caffenet_lrcn_fc6", VGG_BGR),
        ("vgg16_lrcn_fc6", VGG_BGR),
    ],
)
def test_the_other_nets_give_what_the_equations_give(
    tmp_path: Path, name: str, mean_bgr: tuple[float, float, float]
) -> None:
    px = 48 if name.startswith("vgg16") else PX
    layers = blobs_of(name, px)
    path = write_caffemodel(tmp_path / "net.caffemodel", layers, "V1")

    imported = import_caffe(path, input_px=px)

    assert imported.net == name
    x = caffe.frames_to_bgr(frames(3, px), mean_bgr)
    if name.startswith("vgg16"):
        x = caffe.vgg_pool5(x, layers)
    else:
        x = caffe.caffenet_pool5(x, layers, hybrid=name in ("hybrid", "lrcn_fc7"))
    x = x.reshape(3, -1)
    for layer in ("fc6", "fc7")[: 1 + ("fc7" in layers)]:
        x = caffe.relu(caffe.inner_product(x, layers[layer]))
    if "lstm1" in layers:
        x = caffe.lstm(x[:, None], np.array([[0.0], [1.0], [1.0]]), layers["lstm1"])[:, 0]
    head = next(layers[layer] for layer in layers if layer.startswith("fc8"))
    wanted = caffe.softmax(caffe.inner_product(x, head))
    model = imported.saved.model
    with torch.no_grad():
        logits, _ = model.unroll(model.features(torch.from_numpy(frames(3, px))[None]))
        found = model.probabilities(logits)[0]
    assert model.config.kind == ("lrcn" if "lstm1" in layers else "single_frame")
    assert wanted.std() > 0.02
    np.testing.assert_allclose(found.numpy(), wanted, atol=1e-5)


@pytest.mark.slow
def test_the_hybrid_in_its_real_size(tmp_path: Path) -> None:
    """227 pixels, 101 classes, 65 million weights."""
    layers = blobs_of("lrcn_fc6", px=227, classes=101, hidden=256)
    assert sum(blob.size for blobs in layers.values() for blob in blobs) == 65_421_285
    path = write_caffemodel(tmp_path / "net.caffemodel", layers, "V1")
    pixels = frames(1, 227)
    wanted = lrcn_oracle(layers, pixels[None], np.zeros((1, 1)))[0, 0]

    model = import_caffe(path).saved.model

    assert model.preprocessing.input_px == 227
    with torch.no_grad():
        logits, _ = model.unroll(model.features(torch.from_numpy(pixels)[None]))
    np.testing.assert_allclose(model.probabilities(logits)[0, 0].numpy(), wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("unit", "rest"), [("lstm", ()), ("rnn", ((3, 3), (3,)))], ids=["lstm", "rnn"]
)
def test_a_static_input_goes_to_the_right_of_the_others(unit: str, rest: tuple) -> None:
    """Not in the activity nets; the captioning ones have it."""
    rng, rows = np.random.default_rng(0), 12 if unit == "lstm" else 3
    shapes = ((rows, 4), (rows,), (rows, 2), (rows, 3), *rest)
    blobs = [rng.standard_normal(s, "f4") for s in shapes]
    x, static = rng.standard_normal((T, 2, 4), "f4"), rng.standard_normal((2, 2), "f4")
    core = Recurrent(4, 3, static_size=2, unit=unit)
    arrays = getattr(transforms, unit)(blobs)
    core.load_state_dict({f"layers.0.{k}": torch.tensor(v) for k, v in arrays.items()})

    with torch.no_grad():
        found, _ = core.unroll(
            torch.from_numpy(x).transpose(0, 1),
            static_BS=torch.from_numpy(static),
            reset_mask_BT=torch.from_numpy(CONT.T == 0),
        )

    wanted = getattr(caffe, unit)(x, CONT, blobs, static)
    np.testing.assert_allclose(found.transpose(0, 1).numpy(), wanted, atol=1e-5)


def test_what_belongs_to_the_weights_comes_along(lrcn_file: Path, tmp_path: Path) -> None:
    saved = import_caffe(lrcn_file, input_px=PX).saved

    config, preprocessing = saved.model.config, saved.model.preprocessing
    assert (config.kind, config.backbone, config.feature_layer) == (
        "lrcn",
        "caffenet_hybrid",
        "fc6",
    )
    assert (config.hidden_size, config.feature_dropout, config.output_dropout) == (R, 0.9, 0.5)
    assert preprocessing.pixel_mean == (128.68, 116.779, 103.939)  # the published typing error
    assert preprocessing.pixel_std == (1.0, 1.0, 1.0)
    assert (preprocessing.resize_height, preprocessing.resize_width) == (240, 320)
    assert (saved.sampling.clip_length, saved.sampling.clip_stride) == (16, 8)
    assert saved.model.class_names == tuple(f"class_{k:03}" for k in range(K))

    flow_file = lrcn_file.rename(tmp_path / "flow_lstm_model_iter_50000.caffemodel")
    flow = import_caffe(flow_file, input_px=PX).saved.model.preprocessing
    as_told = import_caffe(flow_file, input_px=PX, modality="rgb").saved.model.preprocessing
    flow_file.rename(lrcn_file)
    assert (flow.modality, flow.pixel_mean) == ("flow", (128.0, 128.0, 128.0))
    assert (as_told.modality, as_told.pixel_mean) == ("rgb", preprocessing.pixel_mean)


def altered(layers: dict[str, list], **changes: list | None) -> dict[str, list]:
    """The layers with some of them exchanged, added, or (None) taken out."""
    return {k: v for k, v in {**layers, **changes}.items() if v is not None}


SPARE = [np.ones((2, 3), "f4"), np.ones(2, "f4")]
NAN = [np.full((K, R), np.nan, "f4"), np.zeros(K, "f4")]
MISFITS = {
    "a layer is missing": ({"conv4": None}, "nearest is lrcn_fc6, missing: 'conv4'"),
    "one more layer": ({"extra": SPARE}, "unknown: 'extra'. Add --net lrcn_fc6"),
    "another shape": ({"conv3": SPARE}, "misshapen: 'conv3' is 2 x 3 instead of 512 x 384 x 3 x 3"),
    "a flat kernel": ({"conv1": [np.ones(3, "f4")] * 2}, "a blob of shape 3 is no convolution"),
    "too many classes": (
        {"fc8-final": [np.ones((100_001, R), "f4"), np.ones(100_001, "f4")]},
        "more than 100,000 classes or units",
    ),
    "one blob": ({"conv3": SPARE[:1]}, "'conv3': 1 blobs .2 x 3. where 2 are expected"),
    "no four gates": (
        {"lstm1": [np.ones((7, 4096), "f4"), np.ones(7, "f4"), np.ones((7, 3), "f4")]},
        "'lstm1': 7 rows are no four gates",
    ),
    "two classifiers": ({"fc8": SPARE}, "'fc8-final', 'fc8' may each be the classifier"),
    "no number": ({"fc8-final": NAN}, "84 weights that are infinite or no number in .*fc8-final"),
    "no classifier": ({"fc8-final": None}, "missing: 'fc8.'"),
}


@pytest.mark.parametrize("case", MISFITS)
def test_what_does_not_fit_is_listed(
    tmp_path: Path, lrcn_layers: dict[str, list], case: str
) -> None:
    changes, reason = MISFITS[case]
    path = write_caffemodel(tmp_path / "net.caffemodel", altered(lrcn_layers, **changes))

    with pytest.raises(WeightsError, match=reason) as caught:
        import_caffe(path, input_px=PX)

    assert "\n" not in str(caught.value)


def test_a_named_net_may_stand_beside_more(tmp_path: Path, lrcn_layers: dict[str, list]) -> None:
    path = write_caffemodel(tmp_path / "net.caffemodel", altered(lrcn_layers, extra=SPARE))

    imported = import_caffe(path, net="lrcn_fc6", input_px=PX)

    assert imported.ignored == ("extra",)
    assert imported.layers[0] == ("conv1", "backbone.conv1")
    assert imported.layers[-2:] == (
        ("lstm1", "recurrent.layers.0"),
        ("fc8-final", "head.linear"),
    )


def test_settings_that_cannot_be(lrcn_file: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"unknown net 'lrcn_fc9'\. Did you mean 'lrcn_fc"):
        import_caffe(lrcn_file, net="lrcn_fc9")
    with pytest.raises(WeightsError, match="does not hold the net hybrid: missing: 'fc7'"):
        import_caffe(lrcn_file, net="hybrid", input_px=PX)
    with pytest.raises(WeightsError, match="'fc6' is 4096 x 1536 instead of 4096 x 13824"):
        import_caffe(lrcn_file)  # another crop than usual needs --input-px
    with pytest.raises(ConfigError, match="input_px 3 is too small"):
        import_caffe(lrcn_file, input_px=3)
    labels = tmp_path / "two.txt"
    labels.write_text("a\nb\n")
    with pytest.raises(DataError, match="names 2 classes, but the net has 7 outputs"):
        import_caffe(lrcn_file, labels=labels, input_px=PX)


def test_no_mean_is_folded_where_the_first_layer_pads(tmp_path: Path) -> None:
    path = write_caffemodel(tmp_path / "vgg.caffemodel", blobs_of("vgg16", 16))

    with pytest.raises(ConfigError, match=r"pads with zeros.*Use --mean preprocessing"):
        import_caffe(path, mean="folded", input_px=16)


def test_alexnet_is_not_taken_for_caffenet(tmp_path: Path) -> None:
    """It has the same names and shapes; only the order of pool and norm differs."""
    blobs = blobs_of("caffenet")
    in_order = {"conv1": blobs.pop("conv1"), "norm1": [], "pool1": [], **blobs}
    alexnet = write_caffemodel(tmp_path / "bvlc_alexnet.caffemodel", in_order)
    in_order = {"conv1": in_order["conv1"], "pool1": [], "norm1": [], **blobs}
    caffenet = write_caffemodel(tmp_path / "caffenet.caffemodel", in_order)

    with pytest.raises(WeightsError, match=r"'norm1' comes before 'pool1', as in AlexNet"):
        import_caffe(alexnet, input_px=PX)
    assert import_caffe(caffenet, input_px=PX).net == "caffenet"


def test_the_smallest_input_is_the_one_on_record(lrcn_file: Path) -> None:
    """The released RGB LRCN was checked with inputs down to -128.68 (paper 2.9)."""
    backbone = import_caffe(lrcn_file, input_px=PX).saved.model.backbone
    black = torch.zeros(1, 3, PX, PX, dtype=torch.uint8)

    assert backbone.normalise(black).min().item() == pytest.approx(-128.68)
