"""The page of a captioner: its numbers, its pictures, what people wrote; nothing loaded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.fakes.tiny_captioner import picture, tiny_captioner

from lrcn.cli.main import main
from lrcn.errors import ResultsError
from lrcn.evaluate.caption_results import load_caption_results, newest_caption_results
from lrcn.evaluate.captions import CaptionResults, evaluate_captions
from lrcn.report.captions import CaptionRun, build_caption_report, load_caption_run
from lrcn.structures import CaptionItem, CaptionList

SENTENCES = ("a red <dog> runs", "a dog runs on grass", "green & blue grass")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with results and a log, as `train` and `evaluate` leave it."""
    folder = tmp_path_factory.mktemp("run")
    items = []
    for seed, sentence in enumerate(SENTENCES):
        picture(seed).save(folder / f"{seed}.png")
        path = str(folder / f"{seed}.png")
        items.append(CaptionItem(path=path, item_id=f"item {seed}", captions=(sentence, "a dog")))
    captions = CaptionList(items=tuple(items), layout="csv", source="captions.csv")
    evaluate_captions(tiny_captioner(), captions, precision="float32").save(folder)
    lines = [
        {"event": "epoch", "step": 5 * (k + 1), "epoch": k, "loss": 3.0 - k, "lr": 0.01,
         "warning": "the captioner collapses" if k == 0 else "",
         "val": {"cider_d": 0.1 * k, "loss": 2.5, "distinct_sentences": 0.5, "unk_rate": 0.0}}
        for k in range(6)
    ]  # fmt: skip
    (folder / "log.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    return folder


def results_of(run: Path) -> CaptionResults:
    found = newest_caption_results(run)
    assert found is not None
    return found


def test_results_are_read_back_as_they_were_written(run: Path) -> None:
    path = next((run / "results").glob("*.json"))
    assert json.loads(load_caption_results(path).to_json()) == json.loads(path.read_text())


@pytest.mark.parametrize("text", ["{", '{"task": "activity"}', '{"task": "caption"}'])
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(ResultsError, match="evaluate"):
        load_caption_results(tmp_path / "r.json")


def test_the_page_shows_everything_and_loads_nothing(run: Path, tmp_path: Path) -> None:
    results = results_of(run)
    page = build_caption_report([load_caption_run(run)], tmp_path / "page.html").read_text()

    for key in ("scores", "best", "worst", "sentences", "training", "protocol"):
        assert f'<section id="{key}"' in page
        assert f'<a href="#{key}">' in page
    low, high = results.intervals["cider_d"]
    assert f"<b>{results.metrics['cider_d']:.3f}</b>" in page
    assert f"{low:.3f} to {high:.3f}" in page
    assert page.count('<img src="data:image/jpeg;base64,') == 3
    for one in results.captions:
        assert f"<b>{one.caption}</b>" in page
    assert "a red &lt;dog&gt; runs" in page
    assert "green &amp; blue grass" in page
    assert "epoch 1: the captioner collapses" in page
    assert '<div class="clips photos">' in page
    assert "<dd>None</dd>" not in page
    assert "http" not in page.replace("http://www.w3.org", "")
    assert "the references of these items" in page


def test_best_comes_before_worst_and_nothing_twice(run: Path, tmp_path: Path) -> None:
    results = results_of(run)
    page = build_caption_report([load_caption_run(run)], tmp_path / "page.html").read_text()
    shown = [f'<div class="name">{c.item_id}</div>' for c in results.captions]
    assert all(page.count(name) == 1 for name in shown)
    best = max(results.captions, key=lambda c: (c.scores["cider_d"], -results.captions.index(c)))
    assert page.index(f">{best.item_id}<") < page.index('<section id="worst"')


def test_two_runs_stand_beside_each_other(run: Path, tmp_path: Path) -> None:
    other = CaptionRun(name="other", results=results_of(run))
    page = build_caption_report([other, load_caption_run(run)], tmp_path / "p.html").read_text()
    assert '<section id="models"' in page


def test_the_command_knows_the_kind_of_a_run(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from lrcn.checkpoint import save_model

    save_model(run / "best", tiny_captioner())
    assert main(["report", str(run), "--out", str(tmp_path / "r.html"), "--threads", "1"]) == 0
    assert "Best sentences" in (tmp_path / "r.html").read_text()
    assert main(["report", str(run), str(tmp_path), "--threads", "1"]) == 2
    assert "runs of one kind" in capsys.readouterr().err
    with pytest.raises(ResultsError, match="neither results nor"):
        load_caption_run(tmp_path)
