"""The page: valid, whole in itself, true to the results, safe with any name."""

from __future__ import annotations

import dataclasses
import json
import re
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import html5lib
import numpy as np
import pytest
from tests.fakes.results import fake_results

from lrcn.errors import OutputError, ResultsError
from lrcn.evaluate.highlights import Highlights
from lrcn.evaluate.measure import measure_multi_label
from lrcn.evaluate.results import Results, SourceResult
from lrcn.report.build import build_report, render
from lrcn.report.run import ReportRun, load_run
from lrcn.report.videos import long_videos
from lrcn.structures import Segment
from lrcn.video.writer import VideoWriter

XHTML = "{http://www.w3.org/1999/xhtml}"
SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = (
    "<b>bold</b>",
    "a&b \"quoted\" 'x'",
    "$\\frac{1}{$",
    "_hidden",
    "跑步\x00\ud800\x85",
    "é\nü",
)


def parse(page: str) -> ElementTree.Element:
    """As a strict parser sees it: any error of syntax is raised."""
    return html5lib.HTMLParser(strict=True).parse(page)


def check(page: str) -> ElementTree.Element:
    """What must hold for every page."""
    tree = parse(page)
    assert not re.search(r"https?:|//[a-z]", re.sub(r"data:[^\"]*", "", page))
    ids = Counter(e.get("id") for e in tree.iter() if e.get("id"))
    assert [name for name, count in ids.items() if count > 1] == []
    for element in tree.iter():
        for name in ("href", "src", "{http://www.w3.org/1999/xlink}href"):
            target = element.get(name)
            if target is not None:
                assert target.startswith("data:image/jpeg;base64,") or target[1:] in ids, target
        assert element.tag not in (f"{XHTML}script", f"{XHTML}link", f"{XHTML}iframe")
        if element.tag == f"{XHTML}img":
            assert element.get("alt")
        assert element.tag != f"{SVG}style", "would hold for the whole page"
        if element.tag == f"{SVG}svg":
            assert element.get("aria-label")
    for wanted in re.findall(r"url\(#([^)]+)\)", page):
        assert wanted in ids
    assert not re.search(r"#0[1-4]0[1-4]0", page), "a stand-in colour was left"
    return tree


def words(tree: ElementTree.Element, key: str) -> str:
    """The text of one section."""
    found = next(e for e in tree.iter(f"{XHTML}section") if e.get("id") == key)
    return " ".join(" ".join(found.itertext()).split())


def brief(results: Results) -> Results:
    """With two clips instead of a dozen: drawing takes time."""
    return dataclasses.replace(results, highlights=results.highlights[:2])


def a_run(results: Results | None = None, **changes: object) -> ReportRun:
    base = ReportRun(name="LRCN", results=results)
    return dataclasses.replace(base, **changes)  # type: ignore[arg-type]


def write_log(run_dir: Path, *, num_epochs: int = 6) -> None:
    run_dir.mkdir(parents=True, exist_ok=True)
    lines = []
    for epoch in range(num_epochs):
        step = 10 * (epoch + 1)
        lines.append({"event": "step", "step": step - 5, "epoch": epoch, "loss": 2.0, "lr": 0.01})
        validation = {"loss": 1.5, "accuracy_top1": epoch / 10, "num_videos": 4}
        lines.append(
            {"event": "epoch", "step": step, "epoch": epoch, "loss": 1 / (epoch + 1),
             "accuracy": epoch / 8, "lr": 0.01, "val": validation}
        )  # fmt: skip
    text = "\n".join(json.dumps(line) for line in lines)
    (run_dir / "log.jsonl").write_text(text + '\n[1]\n{"event": "ep')


@pytest.fixture(scope="module")
def full_page() -> str:
    single = a_run(fake_results(skill=0.3), name="single frame")
    results = fake_results(skill=2.0, sources=True, warnings=("split: by file",))
    return render([single, a_run(results, sources=results.sources)], title="A run", intro="Words.")


def test_a_full_page_is_valid_and_whole_in_itself(full_page: str) -> None:
    tree = check(full_page)

    found = [e.get("id") for e in tree.iter(f"{XHTML}section")]
    assert found == [
        "models", "long", "classes", "confusion", "clips", "calibration", "files", "protocol",
    ]  # fmt: skip
    links = [e.get("href") for e in tree.iter(f"{XHTML}a")]
    assert links == [f"#{name}" for name in found]


def test_numbers_are_those_of_the_results(full_page: str) -> None:
    results, single = fake_results(skill=2.0, sources=True), fake_results(skill=0.3)
    tree = parse(full_page)
    cards = [
        " ".join(e.itertext())
        for e in tree.iter(f"{XHTML}div")
        if "card" in (e.get("class") or "").split()
    ]
    low, high = results.intervals["accuracy_top1"]
    assert f"{100 * results.metrics['accuracy_top1']:.1f} %" in cards[0]
    assert f"{100 * low:.1f} to {100 * high:.1f} %" in cards[0]

    models = words(tree, "models")
    for r in (single, results):
        assert f"{100 * r.metrics['accuracy_top1']:.1f} %" in models
    classes = words(tree, "classes")
    for c in results.per_class:
        assert f"{c.class_name} {c.num_videos} {100 * c.recall:.1f} %" in classes
    cells = [
        [td.text for td in row.iter(f"{XHTML}td")]
        for table in tree.iter(f"{XHTML}table")
        if table.get("class") == "confusion"
        for row in next(table.iter(f"{XHTML}tbody")).iter(f"{XHTML}tr")
    ]
    assert cells == [[str(n) if n else "·" for n in row] for row in results.confusion]


def test_warnings_and_faulty_files_are_shown(full_page: str) -> None:
    tree = parse(full_page)
    note = next(e for e in tree.iter() if e.get("class") == "warning")

    assert "split: by file; 1 file was left out" in " ".join(note.itertext())
    assert "videos/broken.mp4: not a video: moov atom not found" in words(tree, "files")
    assert "Truncated, used as far as they go (1)" in words(tree, "files")


def test_clips_carry_verdicts_in_words_not_only_in_colour(full_page: str) -> None:
    text = words(parse(full_page), "clips")

    assert "✗ wrong:" in text
    assert "✓ right:" in text
    assert "The frames cannot be shown" in text


def test_long_videos_show_truth_and_answer(full_page: str) -> None:
    tree = parse(full_page)
    bands = [e.get("aria-label") or "" for e in tree.iter() if e.get("class") == "band"]

    assert bands[0].startswith("truth: fall from 0.0 to 4.0 s")
    assert bands[1].startswith("answer: fall from 0.0 to 4.4 s")
    assert "93.0 % of 600 labelled frames right, segment F1 90.0 %" in words(tree, "long")


def test_classes_at_the_same_time_get_bands_of_their_own() -> None:
    spans = [("a", 0.0, 4.0), ("b", 1.0, 3.0), ("c", 3.0, 4.0)]
    found = tuple(
        Segment(class_name=n, start_seconds=start, end_seconds=end) for n, start, end in spans
    )
    source = SourceResult(
        path="v", end_seconds=4.0, num_frames=100, num_labelled_frames=100, frame_accuracy=1.0,
        segment_f1=0.8, true_segments=found, predicted_segments=found[:1],
    )  # fmt: skip
    page = long_videos([source], ["a", "b", "c"])

    assert re.findall(r'aria-label="([^"]*)"', page) == [
        "truth: a from 0.0 to 4.0 s",
        "truth: b from 1.0 to 3.0 s; c from 3.0 to 4.0 s",
        "answer: a from 0.0 to 4.0 s",
    ]
    # Right in the first second only: then b, later c is there as well.
    assert re.findall("[✓✗]", page) == ["✓", "✗", "✗"]


def test_any_name_is_shown_and_none_is_obeyed() -> None:
    results = brief(
        fake_results(class_names=HOSTILE, per_class=3, skill=1.0, data="<script>x</script>")
    )
    page = render([a_run(results, name='<i>"run"</i>')], title="<u>title</u>", intro="a < b & c")
    tree = check(page)

    assert "<b>bold" not in page
    assert not list(tree.iter(f"{XHTML}u"))
    classes = words(tree, "classes")
    for name in HOSTILE[:4]:
        assert " ".join(name.split()) in classes


def test_names_that_matplotlib_would_hide_stand_in_legends() -> None:
    results = brief(fake_results(class_names=("_a", "_b"), per_class=2))
    text = words(parse(render([a_run(results)], title="t")), "clips")

    assert "_a (truth)" in text or "_b (truth)" in text


@pytest.mark.parametrize("num_classes", [1, 2, 21, 60])
def test_few_and_many_classes(num_classes: int) -> None:
    names = [f"class {i:03d}" for i in range(num_classes)]
    results = brief(fake_results(class_names=names, per_class=2, num_frames=4))
    tree = check(render([a_run(results)], title="t"))

    assert all(name in words(tree, "classes") for name in names)


def test_perfect_results_and_a_video_of_one_frame() -> None:
    results = brief(fake_results(skill=500.0, per_class=2, num_frames=1))
    tree = check(render([a_run(results)], title="t"))

    assert "No video was wrong." in words(tree, "clips")
    assert "No video was taken for another class." in words(tree, "confusion")


def test_results_with_several_labels() -> None:
    base = fake_results(per_class=3)
    rng = np.random.default_rng(0)
    num = len(base.videos)
    probs, targets = rng.random((num, 8)), rng.random((num, 8)) < 0.4
    measured = measure_multi_label(
        probs, targets, [v.path for v in base.videos], base.class_names,
        thresholds=[0.5] * 8, seed=0, num_resamples=20,
    )  # fmt: skip
    video = dataclasses.replace(base.videos[0], class_name="fall;rise", predicted="")
    highlights = Highlights(base.class_names)
    highlights.offer(video, rng.random((5, 8)), np.arange(5) / 25)
    results = dataclasses.replace(
        base,
        metrics=measured.metrics,
        intervals=measured.intervals,
        per_class=measured.per_class,
        confusion=None,
        videos=(video, *base.videos[1:]),
        highlights=highlights.all(),
        protocol=dataclasses.replace(base.protocol, multi_label=True),
    )
    tree = check(render([a_run(results)], title="t"))

    assert "average precision" in words(tree, "classes")
    assert "fall (truth)" in words(tree, "clips")
    assert "rise (truth)" in words(tree, "clips")


def test_a_run_folder_becomes_a_page(tmp_path: Path) -> None:
    run = tmp_path / "my <run>"
    write_log(run)
    (run / "environment.json").write_text('{"lrcn": "0.1.0", "versions": {"torch": "2.14"}}')
    (run / "experiment.yaml").write_text("name: auto\n")
    brief(fake_results()).save(run)
    path = build_report(run)

    assert path == run / "report.html"
    assert [p.name for p in run.iterdir() if p.name.startswith(".")] == []
    tree = check(path.read_text())
    assert "name: auto" in words(tree, "protocol")
    assert "torch 2.14" in words(tree, "protocol")
    curves = next(
        e.get("aria-label")
        for e in tree.iter(f"{SVG}svg")
        if "Training curves" in e.get("aria-label", "")
    )
    assert "loss, training: 1 to 0.167" in curves
    assert "accuracy, validation: 0 to 0.5" in curves


def test_a_run_that_was_not_measured_shows_its_curves(tmp_path: Path) -> None:
    write_log(tmp_path, num_epochs=2)
    (tmp_path / "environment.json").write_text("{broken")
    tree = check(build_report(tmp_path, tmp_path / "deep" / "page.html").read_text())

    assert "Not measured yet" in " ".join(tree.itertext())
    assert [e.get("id") for e in tree.iter(f"{XHTML}section")] == ["training"]


def test_long_videos_come_from_the_newest_results_that_have_any(tmp_path: Path) -> None:
    fake_results(sources=True).save(tmp_path)
    run = load_run(tmp_path, results=fake_results(seed=7))

    assert run.sources == fake_results(sources=True).sources
    assert run.results == fake_results(seed=7)


def test_frames_of_the_clips_are_shown(tmp_path: Path) -> None:
    path = tmp_path / "clip.avi"
    with VideoWriter(path, fps=25, width=64, height=48, codec="mpeg4") as writer:
        for i in range(12):
            writer.write(np.full((48, 64, 3), 20 * i, dtype=np.uint8))
    results = fake_results(class_names=("a", "b"), per_class=2, paths=[str(path)] * 4)
    tree = check(render([a_run(results)], title="t"))
    pictures = [e.get("alt") for e in tree.iter(f"{XHTML}img")]

    assert len(pictures) == 4
    assert pictures[0].startswith("Frames of ")


def test_nothing_to_report_and_nowhere_to_write_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="holds neither results nor a training log"):
        build_report(tmp_path)
    with pytest.raises(ResultsError, match="is no folder"):
        build_report(tmp_path / "no")
    with pytest.raises(ResultsError, match="at least 1 is needed"):
        build_report([], tmp_path / "a.html")
    with pytest.raises(ResultsError, match="give `out`"):
        build_report([a_run()])
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        build_report(
            a_run(brief(fake_results(per_class=1, num_frames=2))), tmp_path / "file" / "a.html"
        )


@pytest.mark.slow
def test_a_report_of_five_hundred_long_videos_stays_small(tmp_path: Path) -> None:
    names = [f"class_number_{i:03d}" for i in range(101)]
    results = fake_results(per_class=5, class_names=names, num_frames=3000, sources=True)
    assert len(results.videos) == 505
    results.save(tmp_path)

    assert build_report(tmp_path).stat().st_size < 2_000_000
