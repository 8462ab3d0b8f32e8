"""One sentence for every kind of input, equal to the model's own; errors keep their place."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.fakes.tiny_captioner import picture, tiny_captioner

import lrcn
from lrcn.checkpoint import save_model
from lrcn.data.transforms import EvalTransform
from lrcn.decoding.describe import describe
from lrcn.decoding.options import DecodingOptions
from lrcn.errors import ConfigError, MediaError, ModelError
from lrcn.predict.describe import Describer
from lrcn.structures import Caption, CaptionItem
from lrcn.video.writer import VideoWriter


@pytest.fixture(scope="module")
def describer() -> Describer:
    return Describer(tiny_captioner(), precision="float32", batch_size=4)


def pixels(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def expected(describer: Describer, image: Image.Image) -> tuple[Caption, ...]:
    """By the captioner itself, alone in its batch."""
    model = describer.model
    frames_1CHW = EvalTransform(model.preprocessing)(pixels(image)[None])[0]
    with torch.no_grad():
        features_BTD = model.features(frames_1CHW)[None]
    return describe(model, features_BTD, options=describer.decoding)[0]


def close(found: tuple[Caption, ...], wanted: tuple[Caption, ...]) -> bool:
    return [c.token_ids for c in found] == [c.token_ids for c in wanted] and np.allclose(
        [c.log_prob for c in found], [c.log_prob for c in wanted], atol=1e-4
    )


def test_all_ways_to_give_a_photo_are_one(describer: Describer, tmp_path: Path) -> None:
    image = picture()
    image.save(tmp_path / "photo.png")
    data = (tmp_path / "photo.png").read_bytes()
    array = np.array(image)
    wanted = expected(describer, image)
    assert wanted[0].text

    ways = [tmp_path / "photo.png", str(tmp_path / "photo.png"), data, io.BytesIO(data), image]
    ways += [array, array[None], pixels(image), array.astype(np.float32) / 255]
    for way in ways:
        assert close(describer(way).captions, wanted), type(way)
    assert describer(tmp_path / "photo.png").item_id == "photo"
    assert describer(image, item_id="mine").item_id == "mine"


def test_sentences_do_not_depend_on_batch_mates_and_keep_their_order(describer: Describer) -> None:
    images = [picture(seed) for seed in range(9)]
    sources: list[object] = [(f"p{k}", image) for k, image in enumerate(images)]
    sources.insert(4, "absent.jpg")
    sources.insert(5, ("bad", b"no picture"))
    found = list(describer.describe_many(sources))

    assert [one.item_id for one in found[:4]] == ["p0", "p1", "p2", "p3"]
    assert [one.error is None for one in found] == [True] * 4 + [False] * 2 + [True] * 5
    assert found[4].path == "absent.jpg"
    assert found[5].to_dict().keys() == {"path", "error"}
    good = [one for one in found if one.error is None]
    for image, one in zip(images, good, strict=True):
        assert close(one.captions, expected(describer, image))
    assert len({one.text for one in good}) > 1


def test_a_video_is_described_by_its_frame_in_the_middle(
    describer: Describer, tmp_path: Path
) -> None:
    images = [picture(seed) for seed in range(5)]
    with VideoWriter(tmp_path / "v.mkv", fps=5, width=60, height=40, codec="ffv1") as writer:
        for image in images:
            writer.write(pixels(image))
    wanted = expected(describer, images[2])
    frames_TCHW = torch.stack([pixels(image) for image in images])
    assert describer(frames_TCHW).captions[0].token_ids == wanted[0].token_ids
    assert describer(tmp_path / "v.mkv").captions[0].token_ids == wanted[0].token_ids


def test_an_animation_is_described_by_its_first_picture(
    describer: Describer, tmp_path: Path
) -> None:
    images = [picture(seed) for seed in range(3)]
    images[0].save(
        tmp_path / "m.webp", save_all=True, append_images=images[1:], lossless=True, quality=100
    )
    assert close(describer(tmp_path / "m.webp").captions, expected(describer, images[0]))


def test_a_captioner_of_videos_sees_all_frames() -> None:
    describer = Describer(tiny_captioner(media="video"), precision="float32", batch_size=3)
    frames_TCHW = torch.stack([pixels(picture(seed)) for seed in range(5)])
    model = describer.model
    with torch.no_grad():
        features_BTD = model.features(EvalTransform(model.preprocessing)(frames_TCHW)[0])[None]
    wanted = describe(model, features_BTD, options=describer.decoding)[0]
    found = list(describer.describe_many([("a", frames_TCHW[:2]), ("b", frames_TCHW)]))
    assert close(found[1].captions, wanted)


def test_features_are_given_to_a_model_without_a_cnn(tmp_path: Path) -> None:
    describer = Describer(tiny_captioner(backbone="none"), precision="float32")
    features_TD = np.random.default_rng(0).standard_normal((3, 6)).astype(np.float32)
    np.save(tmp_path / "f.npy", features_TD)
    wanted = describe(
        describer.model, torch.from_numpy(features_TD)[None], options=describer.decoding
    )[0]
    assert close(describer(tmp_path / "f.npy").captions, wanted)
    assert close(describer(features_TD).captions, wanted)
    np.save(tmp_path / "wide.npy", np.zeros((1, 9), np.float32))
    with pytest.raises(MediaError, match="9 wide, the model takes 6"):
        describer(tmp_path / "wide.npy")
    with pytest.raises(MediaError, match="no CNN"):
        describer(picture())


def test_n_best_and_another_search(describer: Describer) -> None:
    options = DecodingOptions(beam_size=4, num_candidates=3, max_tokens=5)
    found = describer(picture(), decoding=options)
    assert len(found.captions) == 3
    scores = [caption.score for caption in found.captions]
    assert scores == sorted(scores, reverse=True)
    assert found.to_dict()["captions"][0]["caption"] == found.text
    drawn = DecodingOptions(method="sample", num_samples=2, max_tokens=5)
    again = [describer(picture(), item_id="x", decoding=drawn).text for _ in range(2)]
    assert again[0] == again[1]


def test_what_is_no_photo_is_an_error_of_three_parts(describer: Describer) -> None:
    for wrong in (7, np.zeros(4, np.uint8), b"", (frame for frame in ())):
        with pytest.raises(MediaError, match=r"[Gg]ive|replace"):
            describer(wrong)
    item = CaptionItem(path="gone.jpg", item_id="gone", captions=())
    assert next(describer.describe_many([item])).item_id == "gone"


def test_a_language_model_describes_nothing() -> None:
    with pytest.raises(ModelError, match="sees no picture"):
        Describer(tiny_captioner(backbone="none", visual="none"))


def test_load_gives_the_right_predictor(tmp_path: Path) -> None:
    save_model(tmp_path / "model", tiny_captioner())
    describer = lrcn.load(tmp_path / "model", device="cpu", precision="float32")
    assert isinstance(describer, lrcn.Describer)
    assert describer(picture()).text == Describer(tiny_captioner())(picture()).text
    assert "float32" in describer.description
    with pytest.raises(ConfigError, match="precision"):
        lrcn.load(tmp_path / "model", precision="float64")(picture())  # type: ignore[arg-type]
