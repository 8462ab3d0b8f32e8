"""The captioner: forms, units, step against unroll, and what must not change an answer."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lrcn.errors import ConfigError
from lrcn.models.image_captioner import Captioner, CaptionerConfig, create_captioner
from lrcn.nn.backbone import set_trainable
from lrcn.settings import from_dict, to_dict
from lrcn.text.vocabulary import SPECIAL_TOKENS, Vocabulary

WORDS = Vocabulary((*SPECIAL_TOKENS, "a", "dog", "cat", "runs", "sits"))
D = 6


def make(**changes: object) -> Captioner:
    given = {"backbone": "none", "feature_dim": D, "hidden_size": 5, "embedding_size": 4}
    config = from_dict(CaptionerConfig, given | changes)
    return create_captioner(config, WORDS, seed=3).double().eval()


def draw(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def tokens(*shape: int, seed: int = 0) -> Tensor:
    return torch.randint(1, len(WORDS), shape, generator=torch.Generator().manual_seed(seed))


FORMS = {
    "1u": {"num_layers": 1},
    "2u": {"factored": False},
    "2f": {"factored": True},
    "4f": {"num_layers": 4},
    "3 at the top": {"num_layers": 3, "image_layer": 3},
    "language model": {"visual": "none", "num_layers": 1},
    "tied": {"tied": True, "embedding_size": 5},
}


@pytest.mark.parametrize("unit", ["lstm", "rnn", "gru"])
@pytest.mark.parametrize("form", FORMS)
@torch.no_grad()
def test_step_equals_unroll(form: str, unit: str) -> None:
    model = make(**FORMS[form], unit=unit)
    inputs = tokens(3, 6)
    state = model.start(draw(3, 2, D))
    expected = model.unroll(inputs, state)
    assert expected.shape == (3, 6, len(WORDS))
    for t in range(6):
        logits, state = model.step(inputs[:, t], state)
        torch.testing.assert_close(logits, expected[:, t], atol=1e-12, rtol=0)


@pytest.mark.parametrize(
    ("form", "kind", "blind"),
    [("1u", "LRCN-1u", 0), ("2u", "LRCN-2u", 0), ("2f", "LRCN-2f", 1), ("4f", "LRCN-4f", 1)],
)
@torch.no_grad()
def test_the_picture_enters_where_the_paper_says(form: str, kind: str, blind: int) -> None:
    model = make(**FORMS[form])
    assert model.config.kind == kind
    states = [model.start(draw(1, 1, D, seed=s)) for s in (1, 2)]
    memories = [model.step(torch.tensor([1]), state)[1].recurrent.hidden for state in states]
    equal = [bool(torch.equal(a, b)) for a, b in zip(*memories, strict=True)]
    assert equal == [layer < blind for layer in range(model.config.num_layers)]


@torch.no_grad()
def test_the_static_input_equals_concatenating_it_to_every_word() -> None:
    """Paper 1.4: projected once, added at every step."""
    model = make(num_layers=1)
    (layer,) = model.recurrent.layers
    features, inputs = draw(2, 1, D), tokens(2, 4)
    joined = torch.cat([model.embedding(inputs), features.expand(-1, 4, -1)], dim=-1)
    lstm = torch.nn.LSTM(4 + D, 5, batch_first=True).double()
    lstm.weight_ih_l0.copy_(layer.weight_ih)
    lstm.weight_hh_l0.copy_(layer.weight_hh)
    lstm.bias_ih_l0.copy_(layer.bias)
    lstm.bias_hh_l0.zero_()

    outputs = model.outputs(inputs, model.start(features))

    torch.testing.assert_close(outputs, lstm(joined)[0], atol=1e-12, rtol=0)


@settings(max_examples=20, deadline=None)
@given(
    form=st.sampled_from(sorted(FORMS)),
    length=st.integers(1, 5),
    padding=st.integers(0, 4),
    frames=st.integers(1, 3),
    mates=st.integers(0, 3),
    seed=st.integers(0, 1000),
)
@torch.no_grad()
def test_padding_and_batch_mates_change_nothing(
    form: str, length: int, padding: int, frames: int, mates: int, seed: int
) -> None:
    model = make(**FORMS[form])
    features, inputs = draw(1, frames, D, seed=seed), tokens(1, length, seed=seed)
    alone = model.unroll(inputs, model.start(features))

    others = 1 + mates
    padded = draw(others, frames + padding, D, seed=seed + 1)
    padded[:1, :frames] = features
    padded[0, frames:] = torch.nan
    mask = torch.zeros(others, frames + padding, dtype=torch.bool)
    mask[0, :frames] = True
    mask[1:] = True
    words = tokens(others, length + padding, seed=seed + 2)
    words[0, :length] = inputs[0]
    words[0, length:] = WORDS.pad_id
    together = model.unroll(words, model.start(padded, mask))

    torch.testing.assert_close(together[:1, :length], alone, atol=1e-12, rtol=0)


@torch.no_grad()
def test_a_photo_is_a_video_of_one_frame() -> None:
    model = make()
    frame = draw(2, 1, D)
    once = model.start(frame)
    often = model.start(frame.expand(-1, 5, -1), torch.ones(2, 5, dtype=torch.bool))
    torch.testing.assert_close(once.static_gates_NG, often.static_gates_NG)


@torch.no_grad()
def test_rows_are_forked_dropped_and_reordered() -> None:
    model = make()
    state = model.start(draw(3, 1, D))
    _, state = model.step(tokens(3), state)
    rows = torch.tensor([2, 0, 0, 2])
    words = tokens(4, seed=5)
    chosen, _ = model.step(words, model.reorder(state, rows))
    for place, row in enumerate(rows.tolist()):
        alone, _ = model.step(words[place : place + 1], model.reorder(state, rows[place][None]))
        assert row in (0, 2)
        torch.testing.assert_close(chosen[place : place + 1], alone)


def test_start_refuses_what_does_not_fit() -> None:
    model = make()
    with pytest.raises(ValueError, match="the model takes 6"):
        model.start(draw(1, 1, D + 1))
    with pytest.raises(ValueError, match="B x T x D"):
        model.start(draw(1, D))
    with pytest.raises(ValueError, match="needs a valid frame"):
        model.start(draw(2, 2, D), torch.tensor([[True, True], [False, False]]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"factored": True, "num_layers": 1}, "two layers or more"),
        ({"factored": True, "image_layer": 1}, "contradict"),
        ({"factored": False, "image_layer": 2}, "contradict"),
        ({"image_layer": 3}, "image_layer must be 1 to num_layers 2"),
        ({"tied": True, "embedding_size": 3}, "tied needs word vectors as wide"),
        ({"output_dropout": 1.0}, "output_dropout must be"),
        ({"hidden_size": 0}, "hidden_size must be at least 1"),
    ],
)
def test_contradictions_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make(**changes)


def test_settings_survive_writing() -> None:
    config = CaptionerConfig(num_layers=4, unit="gru", backbone="none", feature_dim=3)
    assert from_dict(CaptionerConfig, to_dict(config)) == config


def test_weights_do_not_depend_on_the_global_generator() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = make().state_dict()
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(2)
    second = make().state_dict()
    assert all(first[k].equal(second[k]) for k in first)


def test_tied_weights_are_one_tensor_and_move_together() -> None:
    model = make(tied=True, embedding_size=5)
    assert [n for n, _ in model.predictor.named_parameters()] == ["bias"]
    state = model.start(draw(1, 1, D))
    with torch.no_grad():
        model.embedding.weight[7] += 100 * model.outputs(tokens(1, 1), state)[0, 0]
        logits = model.unroll(tokens(1, 1), state)
    assert logits.argmax().item() == 7


def test_word_vectors_come_from_a_file(tmp_path) -> None:
    path = tmp_path / "glove.txt"
    path.write_text("5 4\ndog 1 2 3 4\nhouse 9 9 9 9\ncat 5 6 7 8\n")
    model = make(embeddings=str(path))
    rows = model.embedding.weight
    assert rows[WORDS.encode("dog")[0]].tolist() == [1, 2, 3, 4]
    assert rows[WORDS.encode("cat")[0]].tolist() == [5, 6, 7, 8]
    torch.testing.assert_close(rows[4], make().embedding.weight[4])

    path.write_text("dog 1 2 3\n")
    with pytest.raises(ConfigError, match="embedding-size 3"):
        make(embeddings=str(path))
    for text, message in (("dog 1 2 nan 4", "not finite"), ("dog 1 2 x 4", "no word vector")):
        path.write_text(text + "\n")
        with pytest.raises(ConfigError, match=f"line 1 .*{message}"):
            make(embeddings=str(path))
    path.write_bytes(b"PK\x03\x04\xff\xfe binary\n\x00\x01")
    with pytest.raises(ConfigError, match="none of the"):
        make(embeddings=str(path))
    path.write_text("house 1 2 3 4\n")
    with pytest.raises(ConfigError, match="none of the"):
        make(embeddings=str(path))
    with pytest.raises(ConfigError, match="cannot be read"):
        make(embeddings=str(tmp_path / "absent.txt"))


def test_pixels_in_and_frozen_or_learning() -> None:
    config = CaptionerConfig(
        backbone="small", input_px=32, hidden_size=8, embedding_size=8, weights="random"
    )
    model = create_captioner(config, WORDS).train()
    assert model.backbone is not None
    pixels = torch.randint(0, 256, (2, 1, 3, 32, 32), dtype=torch.uint8)
    for trainable in (True, False):
        set_trainable(model.backbone, trainable)
        model.train().zero_grad()
        state = model.start(model.features(pixels))
        model.unroll(tokens(2, 3), state).logsumexp(-1).sum().backward()
        learning = {n for n, p in model.parts().items() if next(p.parameters()).grad is not None}
        assert learning == {"embedding", "recurrent", "head"} | (
            {"backbone"} if trainable else set()
        )


def test_photos_are_squashed_to_a_square_for_caffes_nets() -> None:
    """Paper 3.4: 256 x 256, then 227; videos keep 240 x 320."""
    with torch.device("meta"):
        model = create_captioner(CaptionerConfig(backbone="caffenet", feature_layer="fc8"), WORDS)
    assert model.feature_dim == 1000
    assert model.preprocessing is not None
    assert (model.preprocessing.resize_height, model.preprocessing.resize_width) == (256, 256)
