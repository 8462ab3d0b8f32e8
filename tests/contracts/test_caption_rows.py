"""Every row of image description runs as it is printed, on tiny photos laid out as COCO's.

A small CNN with a layer fc8 stands under the names of the two real ones; their weights are not
imported. Sizes are added to the commands, and nothing else.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from tests.fakes.captions import put_json
from tests.fakes.captions_karpathy import image
from tests.fakes.tiny_captioner import picture
from torch import Tensor, nn

from lrcn.cli.main import main
from lrcn.nn.backbone import Backbone
from lrcn.nn.backbones import BACKBONES
from lrcn.recipes.caption_rows import CAPTION_ROWS
from lrcn.recipes.captions import CAPTION_RECIPES
from lrcn.structures import Preprocessing
from lrcn.train.run import load_any_experiment

SENTENCES = ("A dog runs.", "A red dog on grass.", "The dog is red.")
TRAIN = (
    "--model.hidden-size 4 --model.embedding-size 4 --batch-size 4 --dataset.min-count 1"
    " --train.max-steps 2 --train.micro-batch-size none --train.validate-every 100"
)
COMMON = ("--quiet", "--threads", "1", "--precision", "float32")


class LayeredBackbone(Backbone):
    """One convolution, fc7 and fc8, as far as they are asked for."""

    def __init__(self, layer: str) -> None:
        super().__init__(
            name="layered",
            feature_dim={"fc7": 5, "fc8": 6}[layer],
            feature_layer=layer,
            preprocessing=Preprocessing(
                input_px=16,
                resize_mode="exact",
                pixel_mean=(120.0, 110.0, 100.0),
                pixel_std=(60.0, 61.0, 62.0),
            ),
        )
        self.conv1 = nn.Conv2d(3, 4, 3, stride=2)
        self.fc7 = nn.Linear(4, 5)
        self.fc8 = nn.Linear(5, 6) if layer == "fc8" else nn.Identity()

    def forward(self, frames_NCHW: Tensor) -> Tensor:
        """See `Backbone.forward`."""
        features_ND: Tensor = self.fc8(self.fc7(self.conv1(frames_NCHW).relu().mean((2, 3))))
        return features_ND


def _build(weights: str, feature_layer: str | None, input_px: int | None) -> Backbone:
    return LayeredBackbone(feature_layer or "fc8")


@pytest.fixture
def coco(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the commands are typed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(BACKBONES, "caffenet", _build)
    monkeypatch.setitem(BACKBONES, "vgg16", _build)
    images = []
    parts = {"train": "train2014", "restval": "val2014", "val": "val2014", "test": "val2014"}
    for number, (split, folder) in enumerate(3 * list(parts.items())):
        name = f"COCO_{folder}_{number:012d}.jpg"
        _put(tmp_path / "COCO" / folder / name, number)
        _put(tmp_path / "FLICKR30K" / f"{number}.jpg", number)
        sentences: list[dict[str, object]] = [{"raw": text} for text in SENTENCES]
        images.append(image(folder, name, 11 + number, split, sentences))
    for number in (5, 6):
        _put(tmp_path / "COCO" / "test2014" / f"COCO_test2014_{number:012d}.jpg", number)
    put_json(tmp_path / "dataset_coco.json", {"images": images, "dataset": "coco"})
    plain = [
        image(
            "",
            f"{k}.jpg",
            11 + k,
            "train" if entry["split"] == "restval" else str(entry["split"]),
            entry["sentences"],
        )  # type: ignore[arg-type]
        for k, entry in enumerate(images)
    ]
    put_json(tmp_path / "dataset_flickr30k.json", {"images": plain, "dataset": "flickr30k"})
    for listed, folder in (("image_info_test2014", "test2014"), ("captions_val2014", "val2014")):
        files = sorted((tmp_path / "COCO" / folder).iterdir())
        about = [{"file_name": f.name, "id": 700 + k} for k, f in enumerate(files)]
        put_json(tmp_path / "COCO" / "annotations" / f"{listed}.json", {"images": about})
    return tmp_path


def _put(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(seed, 24, 32).save(path)


def _tokens(command: str) -> list[str]:
    """The command with what makes it small."""
    command = command.replace("--num-images 1000", "--num-images 3")
    command = command.replace("--num-items 785", "--num-items 7")
    for weights in ("models/caffenet", "models/vgg16"):
        command = command.replace(f"--init {weights}", "")
    tokens = shlex.split(command)[1:]
    return [*tokens, *(shlex.split(TRAIN) if tokens[0] == "train" else ()), *COMMON]


def _rank_by_letter(sheet: Path) -> None:
    """What people do between two commands."""
    head, *lines = sheet.read_text().splitlines()
    ranked = [f"{line.removesuffix(',,,')},1,2,{1 + (',A,' in line)}" for line in lines]
    sheet.write_text("\n".join([head, *ranked]) + "\n")


@pytest.mark.slow
def test_every_row_runs_as_it_is_printed(coco: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trained: dict[str, str] = {}
    searched: set[str] = set()
    for name, row in CAPTION_ROWS.items():
        for command in row.commands:
            tokens = _tokens(command)
            if tokens[0] == "import-caffe":
                continue  # tests/unit/caffe and tests/e2e read such files
            if tokens[0] == "train":
                recipe = tokens[tokens.index("--recipe") + 1]
                trained[tokens[tokens.index("--out") + 1]] = recipe
            elif name in ("C5", "C6") and tokens[-5] in searched:
                continue
            searched.add(tokens[-5])
            if tokens[:2] == ["rank", "sheet.csv"] and "--systems" not in tokens:
                _rank_by_letter(coco / "sheet.csv")
            code = main(tokens)
            assert code == 0, f"{name}: {command}\n{capsys.readouterr().err}"

    papers = {name for name in CAPTION_RECIPES if name.startswith(("coco_", "flickr30k_"))}
    assert set(trained.values()) == papers
    for run, recipe in trained.items():
        experiment = load_any_experiment(coco / run)
        assert experiment.name == recipe
        steps = [json.loads(line) for line in (coco / run / "log.jsonl").read_text().splitlines()]
        assert max(line.get("step", 0) for line in steps) == 2
    rows = (coco / "runs" / "2f_vgg_trainval" / "split.csv").read_text().splitlines()[1:]
    assert [row.rpartition(",")[2] for row in rows] == 12 * ["train"]
    sent = json.loads((coco / "captions_test2014_lrcn_results.json").read_text())
    assert [one["image_id"] for one in sent] == [700, 701]
