"""Real clips of MSVD from their AVI files to sentences: learnt by heart, end to end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.fakes.command_line import Run
from tests.fakes.subtitles import parse_vtt

from lrcn.data.captions import read_captions
from lrcn.video.source import open_video

NETWORK = (
    "--model.visual encoder --backbone small --model.input-px 64 --model.hidden-size 128"
    " --model.embedding-size 128 --model.num-layers 1 --model.feature-dropout 0"
    " --model.embedding-dropout 0 --model.output-dropout 0"
)
LEARNING = (
    "--epochs 50 --batch-size 3 --lr 5e-3 --train.warmup-steps 0 --train.ema-decay none"
    " --train.patience none --train.select-by last --dataset.min-count 1 --dataset.val-fraction 0"
    " --dataset.sampling.sample-fps 2 --dataset.transform.mirror-prob 0 --threads 1 --quiet"
)


@pytest.mark.slow
@pytest.mark.real_data
def test_clips_are_learnt_by_heart_from_their_files(
    lrcn: Run, real_data: Path, tmp_path: Path
) -> None:
    """Three clips through the CNN; then every clip, each at its own size, rate and length."""
    items = read_captions(real_data / "msvd", missing="skip").items[:3]
    truth = {item.path: item.captions[0] for item in items}
    lines = [{"path": path, "captions": [caption]} for path, caption in truth.items()]
    data, run = tmp_path / "data.jsonl", tmp_path / "run"
    data.write_text("".join(json.dumps(line) + "\n" for line in lines))
    code, _, err = lrcn("train", "--data", data, "--out", run, *NETWORK.split(), *LEARNING.split())
    assert code == 0, err

    code, out, err = lrcn("caption", run, *truth, "--json", "--quiet")
    assert code == 0, err
    assert {one["path"]: one["caption"] for one in json.loads(out)} == truth

    # The list knows no parts; the run knows what it was trained on.
    code, out, err = lrcn("evaluate", run, "--split", "train", "--json", "--quiet")
    assert code == 0, err
    found = json.loads(out)
    assert found["bleu_4"] == pytest.approx(1.0)
    assert (found["protocol"]["split"], found["protocol"]["num_items"]) == ("train", 3)

    clips = sorted((real_data / "msvd" / "clips").glob("*.avi"))
    assert len(clips) == 8
    code, out, err = lrcn("caption", run, *clips, "--json", "--quiet")
    assert code == 0, err
    assert all(one["caption"] for one in json.loads(out))

    code, _, err = lrcn("narrate", run, *clips, "--vtt", tmp_path / "vtt", "--quiet")
    assert code == 0, err
    for clip in clips:
        cues = parse_vtt((tmp_path / "vtt" / f"{clip.stem}.vtt").read_bytes())
        with open_video(clip) as video:
            last = float(video.pts_seconds()[-1])
        assert cues
        assert cues[0].start_ms == 0
        assert 1000 * last <= cues[-1].end_ms < 1000 * last + 1000
