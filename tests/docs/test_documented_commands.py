"""Commands in README and docs: all of them parse, and those of two pages are run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from tests.fakes import paper_frames
from tests.fakes.caffe_nets import blobs_of
from tests.fakes.caffemodel import write_caffemodel
from tests.fakes.dataset import put_text, put_video

from lrcn.cli.main import COMMANDS, GROUP_HELP, HELP, main
from lrcn.cli.parser import UsageError, command_of, make_app, parse, take_settings
from lrcn.cli.reference import pages
from lrcn.cli.settings import WITH_SETTINGS

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md")])
RUN_MARK = "<!-- run by the tests -->\n"

_BLOCK = re.compile(rf"({re.escape(RUN_MARK)})?```(\w*)\n(.*?)```", re.DOTALL)
_INLINE = re.compile(
    r"`(lrcn (?:train|evaluate|predict|narrate|report|compare|fuse|data|recipes|import-caffe|flow"
    r"|score) [^`]*)`"
)


def _commands(text: str) -> list[str]:
    """Every `lrcn` command in shell blocks and between backticks, complete ones only."""
    found = []
    for _, language, body in _BLOCK.findall(text):
        if language == "sh":
            for line in body.replace("\\\n", " ").splitlines():
                found += re.split(r"&&|;", line.partition(" #")[0])
    found += [command for command in _INLINE.findall(text) if "--" in command]
    return [
        command.strip()
        for command in (re.sub(r"^torchrun .*-m lrcn", "lrcn", c.strip()) for c in found)
        if command.strip().startswith("lrcn ")
    ]


def test_there_are_commands_to_check() -> None:
    # A change of the pages' form must not leave the test below with nothing to look at.
    assert len([c for page in PAGES for c in _commands(page.read_text("utf-8"))]) > 50


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_documented_commands_have_only_options_that_exist(page: Path) -> None:
    app = make_app(COMMANDS, group_help=GROUP_HELP, help_text=HELP, version="")
    known = {setting.key for settings in WITH_SETTINGS.values() for setting in settings()}
    for command in _commands(page.read_text(encoding="utf-8")):
        tokens = shlex.split(command)[1:]
        if tokens[0].startswith("--"):
            continue
        takes = command_of(tokens, COMMANDS) in WITH_SETTINGS
        rest, settings = take_settings(tokens) if takes else (tokens, {})

        try:
            parse(app, rest, {"settings": settings})
        except UsageError as error:
            # Between backticks a command may stand without its arguments.
            assert " is missing" in str(error), f"{command}: {error}"  # noqa: PT017 - continues
        assert set(settings) <= known, command


@pytest.mark.parametrize("name", sorted(pages()))
def test_pages_made_from_the_code_are_fresh(name: str) -> None:
    written = (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")

    assert written == pages()[name], "run: python -m lrcn.cli.reference docs/reference"


def test_links_between_pages_lead_somewhere() -> None:
    checked = 0
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            checked += 1
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)}: {target}"

    assert checked > 30


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")

    for page in sorted((ROOT / "docs").rglob("*.md")):
        assert str(page.relative_to(ROOT / "docs")) in navigation


def _marked_commands(page: str, *, at_least: int) -> list[str]:
    """The commands of a page that are marked to be run."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    bodies = [body for mark, _, body in _BLOCK.findall(text) if mark]
    assert len(bodies) >= at_least
    return [line for body in bodies for line in body.splitlines()]


def _run(commands: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    for command in commands:
        code = main(shlex.split(command)[1:])

        assert code == 0, f"{command}\n{capsys.readouterr().err}"


@pytest.mark.slow
def test_the_tutorial_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    commands = _marked_commands("tutorials/first-model.md", at_least=5)
    monkeypatch.chdir(tmp_path)

    _run(commands, capsys)

    assert (tmp_path / "runs" / "first" / "report.html").is_file()
    assert list((tmp_path / "runs" / "first" / "results").glob("*.json"))


@pytest.mark.slow
def test_the_guide_from_caffe_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its commands as they stand, but for nets of 99 pixels in place of 227."""
    commands = _marked_commands("guides/coming-from-caffe.md", at_least=3)
    monkeypatch.chdir(tmp_path)
    paper_frames.build(tmp_path)
    paper_frames.add_flow(tmp_path)
    put_video(tmp_path / "clip.avi")
    names = ["Archery", *(f"Class{k}" for k in range(1, 36)), "HandstandPushups"]
    names += [*(f"Class{k}" for k in range(37, 100)), "Aerobics"]
    put_text(tmp_path / "classInd.txt", "".join(f"{k} {n}\n" for k, n in enumerate(names, 1)))
    for net, name in (
        ("lrcn_fc6", "RGB_lstm_model_iter_30000"),
        ("hybrid", "single_frame_all_layers_hyb_flow_iter_50000"),
    ):
        blobs = blobs_of(net, px=99, classes=101, hidden=256)
        write_caffemodel(tmp_path / f"{name}.caffemodel", blobs, "V1")

    small = [f"{one} --input-px 99" if " import-caffe " in one else one for one in commands]
    _run(small, capsys)

    assert (tmp_path / "runs" / "finetuned" / "best" / "model.safetensors").is_file()


@pytest.mark.slow
def test_the_guide_to_sentences_about_videos_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    commands = _marked_commands("guides/describing-videos.md", at_least=3)
    monkeypatch.chdir(tmp_path)

    _run(commands, capsys)

    assert (tmp_path / "runs" / "first" / "report.html").is_file()
    assert (tmp_path / "first.vtt").read_text(encoding="utf-8").startswith("WEBVTT")
