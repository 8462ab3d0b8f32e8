"""Imported captioners against the Caffe equations in numpy; what does not fit is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.fakes import caffe_equations as caffe
from tests.fakes.caffe_nets import blobs_of
from tests.fakes.caffemodel import write_caffemodel

from lrcn.caffe.captioner import import_captioner, read_words
from lrcn.caffe.importer import import_caffe
from lrcn.checkpoint import load_captioner, save_model
from lrcn.errors import DataError, WeightsError

WORDS = ["<unk>", "a", "dog", "runs", "'"]
V, E, R, PX = len(WORDS) + 1, 6, 8, 99
FORMS = {
    "1u": (1, 0),
    "2u": (2, 0),
    "2f": (2, 1),
    "4f": (4, 1),
    "2f rnn": (2, 1),
    "2f vgg": (2, 1),
    "language model": (1, None),
    "language model rnn": (2, None),
}


@pytest.fixture
def vocabulary(tmp_path: Path) -> Path:
    path = tmp_path / "vocabulary.txt"
    path.write_text("\n".join(WORDS) + "\n")
    return path


def unit_of(form: str) -> tuple[str, int]:
    """The recurrent layers' name and their gates."""
    return ("rnn", 1) if form.endswith("rnn") else ("lstm", 4)


def px_of(form: str) -> int | None:
    """Side of the input."""
    if "model" in form:
        return None
    return 48 if form.endswith("vgg") else PX


def layers_of(form: str) -> dict[str, list[np.ndarray]]:
    """Random blobs in Caffe's shapes; the CNN is CaffeNet, or VGG-16, with a small input."""
    num_layers, seeing = FORMS[form]
    rng = np.random.default_rng(5)

    def draw(*shape: int, scale: float = 0.3) -> np.ndarray:
        return (scale * rng.standard_normal(shape)).astype("f4")

    layers: dict[str, list[np.ndarray]] = {}
    if form.endswith("vgg"):
        layers = blobs_of("vgg16", px_of(form), classes=1000)
        layers["fc8"] = layers.pop("fc8-ucf")
    elif seeing is not None:
        for name, shape in {
            "conv1": (96, 3, 11, 11), "conv2": (256, 48, 5, 5), "conv3": (384, 256, 3, 3),
            "conv4": (384, 192, 3, 3), "conv5": (256, 192, 3, 3),
            "fc6": (4096, 1024), "fc7": (4096, 4096), "fc8": (1000, 4096),
        }.items():  # fmt: skip
            fan_in = int(np.prod(shape[1:]))
            layers[name] = [draw(*shape, scale=(2 / fan_in) ** 0.5), draw(shape[0], scale=0.1)]
        layers["conv1"][0] /= 50
    layers["embedding"] = [draw(V, E)]
    unit, gates = unit_of(form)
    for k in range(num_layers):
        blobs = [draw(gates * R, R if k else E), draw(gates * R)]
        if k == seeing:
            blobs.append(draw(gates * R, 1000, scale=0.02))
        blobs.append(draw(gates * R, R))
        layers[f"{unit}{k + 1}"] = [*blobs, draw(R, R), draw(R)] if unit == "rnn" else blobs
    layers["predict"] = [draw(V, R), draw(V)]
    return layers


def oracle(layers: dict, form: str, pixels: np.ndarray, words: np.ndarray) -> np.ndarray:
    """Probabilities T N V of Caffe's indices, fed `words` T N."""
    num_layers, seeing = FORMS[form]
    static = None
    if seeing is not None:
        x = caffe.frames_to_bgr(pixels, (104.0, 117.0, 123.0))
        if form.endswith("vgg"):
            x = caffe.vgg_pool5(x, layers)
        else:
            x = caffe.caffenet_pool5(x, layers, hybrid=False)
        x = caffe.relu(caffe.inner_product(x.reshape(len(x), -1), layers["fc6"]))
        x = caffe.relu(caffe.inner_product(x, layers["fc7"]))
        static = caffe.inner_product(x, layers["fc8"])
    cont = np.ones(words.shape)
    cont[0] = 0
    h = layers["embedding"][0].astype("f8")[words]
    for k in range(num_layers):
        unit, _ = unit_of(form)
        run = caffe.rnn if unit == "rnn" else caffe.lstm
        h = run(h, cont, layers[f"{unit}{k + 1}"], static if k == seeing else None)
    return caffe.softmax(caffe.inner_product(h, layers["predict"]))


WITH_CNN = [pytest.param(form, marks=pytest.mark.slow) for form in FORMS if "model" not in form]
WITHOUT_CNN = [form for form in FORMS if "model" in form]


@pytest.mark.parametrize("form", [*WITH_CNN[1:3], *WITH_CNN[-2:], *WITHOUT_CNN])
def test_a_captioner_gives_what_the_equations_give(
    tmp_path: Path, vocabulary: Path, form: str
) -> None:
    layers = layers_of(form)
    file = write_caffemodel(tmp_path / "lrcn.caffemodel", layers)
    imported = import_captioner(file, vocabulary, input_px=px_of(form))
    save_model(tmp_path / "model", imported.saved)
    model = load_captioner(tmp_path / "model").model
    px = px_of(form) or 1
    pixels = np.random.default_rng(1).integers(0, 256, (2, 3, px, px), np.uint8)
    theirs = np.array([[0, 0], [2, 4], [3, 1], [5, 2]])  # start, then words

    expected = oracle(layers, form, pixels, theirs).transpose(1, 0, 2)
    ours = torch.from_numpy(theirs.T) + 2
    ours[:, 0] = model.vocabulary.bos_id
    with torch.no_grad():
        features = torch.zeros(2, 1, 0)
        if model.backbone is not None:
            features = model.features(torch.from_numpy(pixels))[:, None]
        probs = model.unroll(ours, model.start(features)).double().softmax(-1)

    np.testing.assert_allclose(probs[..., 2:].numpy(), expected, atol=2e-6)
    assert not probs[..., :2].any()
    assert imported.ignored == ()


@pytest.mark.parametrize("form", [*WITH_CNN, *WITHOUT_CNN])
def test_the_form_follows_from_the_blobs(tmp_path: Path, vocabulary: Path, form: str) -> None:
    file = write_caffemodel(tmp_path / "lrcn.caffemodel", layers_of(form))
    config = import_captioner(file, vocabulary, input_px=px_of(form)).saved.model.config
    unit, _ = unit_of(form)
    named = form.removesuffix(" rnn").removesuffix(" vgg")
    assert (config.unit, config.num_layers) == (unit, FORMS[form][0])
    assert config.kind == (named if "model" in form else f"LRCN-{named}")


def test_without_a_vocabulary_one_is_asked_for(tmp_path: Path) -> None:
    file = write_caffemodel(tmp_path / "lm.caffemodel", DRAWN)

    with pytest.raises(WeightsError, match=r"writes sentences: give its vocabulary\.txt"):
        import_caffe(file)


def test_words_are_numbered_as_in_the_file(vocabulary: Path) -> None:
    words = read_words(vocabulary)
    assert words.tokens[4:] == ("a", "dog", "runs", "'")
    assert words.encode("A dog's.") == [4, 5, 7, 3]


def test_what_does_not_fit_is_refused(tmp_path: Path, vocabulary: Path) -> None:
    layers = layers_of("language model")
    file = write_caffemodel(tmp_path / "lm.caffemodel", layers)
    vocabulary.write_text("\n".join(WORDS[:-1]) + "\n")
    with pytest.raises(DataError, match="of this net"):
        import_captioner(file, vocabulary)
    vocabulary.write_text("a\ndog\n")
    with pytest.raises(DataError, match="starts with 'a'"):
        import_captioner(file, vocabulary)
    vocabulary.write_text("<unk>\na\na\nb\nc\n")
    with pytest.raises(DataError, match="stands in it twice"):
        import_captioner(file, vocabulary)
    with pytest.raises(DataError, match="cannot be read"):
        import_captioner(file, tmp_path / "absent.txt")
    vocabulary.write_text("\n".join(WORDS) + "\n")
    del layers["predict"]
    with pytest.raises(WeightsError, match="holds no captioner"):
        import_captioner(write_caffemodel(tmp_path / "x.caffemodel", layers), vocabulary)
    seeing = layers_of("2f")
    for name in [n for n in seeing if n.startswith(("conv", "fc"))]:
        del seeing[name]
    with pytest.raises(WeightsError, match="but not a CNN"):
        import_captioner(write_caffemodel(tmp_path / "y.caffemodel", seeing), vocabulary)


DRAWN = layers_of("language model")
MISFITS = {
    "another width": (
        {"lstm1": [DRAWN["lstm1"][0][:, :-1], *DRAWN["lstm1"][1:]]},
        "32 x 5 instead",
    ),
    "no matrix of words": ({"embedding": [np.ones(V, "f4")]}, "'embedding': a blob of shape 6 is"),
    "words with a bias": ({"embedding": [np.ones((V, E), "f4")] * 2}, "2 blobs .* 1 are expected"),
    "an answer without bias": ({"predict": [np.ones((V, R), "f4")]}, "1 blobs .* 2 are expected"),
    "a flat kernel": ({"conv1": [np.ones(3, "f4")] * 2}, "'conv1': a blob of shape 3 is no conv"),
    "a second layer named so": ({"lstm02": DRAWN["lstm1"]}, None),
    "no first layer": ({"lstm1": None, "lstm2": DRAWN["lstm1"]}, "lstm1, lstm2, ... .*are needed"),
    "huge and thin": (
        {"lstm1": [np.ones((4, E), "f4"), np.ones(4, "f4"), np.ones((4, 3_000_000), "f4")]},
        "4 x 3000000 instead of 12000000 x 3000000",
    ),
    "mixed units": ({"rnn2": layers_of("language model rnn")["rnn2"]}, "lstm1, lstm2, ... "),
}


@pytest.mark.parametrize("case", MISFITS)
def test_a_layer_that_does_not_fit_is_named(tmp_path: Path, vocabulary: Path, case: str) -> None:
    changes, reason = MISFITS[case]
    layers = {k: v for k, v in {**DRAWN, **changes}.items() if v is not None}
    file = write_caffemodel(tmp_path / "lm.caffemodel", layers)

    if reason is None:
        assert import_captioner(file, vocabulary).ignored == ("lstm02",)
        return
    with pytest.raises(WeightsError, match=reason) as caught:
        import_captioner(file, vocabulary)
    assert "\n" not in str(caught.value)
