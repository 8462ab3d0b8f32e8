"""`lrcn caption`: what is to be seen in these photos."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Union

from lrcn.cli.decoding import NO_DECODING, DecodingFlags
from lrcn.cli.inputs import given_photos, given_videos
from lrcn.cli.options import DEFAULTS, ComputeOptions
from lrcn.cli.output import (
    print_json,
    print_line,
    refuse_existing_file,
    say,
    watcher,
    with_path,
    write_file,
)
from lrcn.cli.parser import UsageError, option
from lrcn.errors import ModelError
from lrcn.settings import did_you_mean

if TYPE_CHECKING:
    from torch import Tensor

    from lrcn.checkpoint import SavedCaptioner
    from lrcn.data.semantics import LabelSpace
    from lrcn.decoding.options import DecodingOptions
    from lrcn.predict.coco_results import ImageId
    from lrcn.predict.describe import Describer
    from lrcn.structures import Description

_Writer = Callable[["Description"], None]
_Input = Union[str, "tuple[str, Tensor]", "Description"]
"""A path, an item with its semantic vector, or what leads to nothing."""


def caption(
    model: Path,
    /,
    *paths: str,
    n_best: Annotated[int, option("--n-best", "--num-candidates")] = 1,
    force_word: list[str] | None = None,
    as_json: Annotated[bool, option("--json")] = False,
    as_csv: Annotated[bool, option("--csv")] = False,
    coco_results: Path | None = None,
    image_ids: Path | None = None,
    overwrite: bool = False,
    batch_size: int = 32,
    decoding: DecodingFlags = NO_DECODING,
    compute: ComputeOptions = DEFAULTS,
) -> int:
    """Describe photos in sentences.

    A folder is searched for photos of any kind; of a video a captioner of photos sees the frame
    in the middle. A captioner that was trained on semantic predictions takes files of those, and
    describes all items in them. A file that cannot be read is reported and does not stop the
    others; the exit code is then 1.

    Args:
        model: Run folder or model folder of a captioner.
        paths: Files, folders, patterns ("photos/*.jpg"), or - for a list on stdin.
        n_best: Sentences per photo, best first; at most --beam-size, or --num-samples.
        force_word: A word that must occur in every sentence; may be given several times.
        as_json: Print one JSON document: a list with an entry per photo.
        as_csv: Print CSV, a line per photo.
        coco_results: Also write the sentences to this file as COCO's evaluation server takes them.
        image_ids: COCO JSON whose "images" tell the image_id of each file name; default: the
            number at the end of the name, as COCO's own files have it.
        overwrite: Replace the file named by --coco-results.
        batch_size: Photos that are worked on together; no sentence depends on it.
        decoding: How to search for sentences.
        compute: Options of every command that computes.
    """
    _check(paths, as_json=as_json, as_csv=as_csv, batch_size=batch_size)
    if image_ids is not None and coco_results is None:
        raise UsageError("--image-ids goes with --coco-results: give both, or neither")
    if coco_results is not None:
        refuse_existing_file(coco_results, overwrite=overwrite)
    device = compute.start()
    from lrcn.predict.describe import Describer

    saved = _load(model)
    describer = Describer(
        saved,
        device=device,
        precision=compute.precision,
        decoding=_options(saved, decoding, n_best, force_word or []),
        batch_size=batch_size,
        decode_threads=2,
        seed=compute.seed_or_zero,
    )
    inputs = list(_inputs(saved, paths, quiet=compute.quiet))
    ids = {} if coco_results is None else _image_ids(inputs, image_ids, quiet=compute.quiet)
    write = None if as_json else _csv_writer(n_best) if as_csv else _text_writer(n_best)
    found: list[Description] = []
    with watcher("describing", quiet=compute.quiet) as watch:
        for description in _answers(describer, inputs):
            found.append(description)
            if write is not None:
                write(description)
            if watch is not None:
                watch(len(found), len(inputs), description.item_id)
    if as_json:
        print_json([one.to_dict() for one in found])
    if coco_results is not None:
        _write_coco(coco_results, found, ids, quiet=compute.quiet)
    return _report_failures(found)


def _check(paths: Sequence[str], *, as_json: bool, as_csv: bool, batch_size: int) -> None:
    if as_json and as_csv:
        raise UsageError("--json and --csv exclude each other: give one of them")
    if not paths:
        raise UsageError(
            "PATHS is missing: give files, folders, patterns, or - for a list on stdin"
        )
    if batch_size < 1:
        raise UsageError(f"--batch-size is {batch_size}; it takes 1 or more")


def _load(model: Path) -> SavedCaptioner:
    """The captioner of a folder.

    Raises:
        ModelError: it is absent or damaged, or recognises classes.
    """
    from lrcn.checkpoint import CAPTION_TASK, load_captioner, task_of

    if task_of(model) != CAPTION_TASK:
        raise ModelError(
            f"{model} recognises classes, and a model that writes sentences is needed here."
            " Use `lrcn predict`, or train one with `lrcn train --data CAPTIONS --out RUN`"
        )
    return load_captioner(model)


def _options(
    saved: SavedCaptioner, flags: DecodingFlags, n_best: int, forced: Sequence[str]
) -> DecodingOptions:
    """The search that was asked for.

    Raises:
        ConfigError: settings contradict each other, or the model does not know a word.
    """
    words = saved.model.vocabulary
    ids: list[int] = []
    for word in forced:
        own = words.encode(word)
        if not own or words.unk_id in own:
            meant = did_you_mean(word.lower(), words.tokens[words.unk_id + 1 :])
            raise UsageError(
                f"the model does not know the word {word!r}, so it cannot say it.{meant} Words that"
                " it was trained on are allowed: see its vocabulary.json"
            )
        ids += own
    own_options = replace(saved.decoding, num_candidates=1)
    return replace(flags.options(own_options), num_candidates=n_best, forced_ids=tuple(ids))


def _inputs(saved: SavedCaptioner, paths: Sequence[str], *, quiet: bool) -> Iterator[_Input]:
    """Everything that is meant, each once; what leads to nothing becomes a failed answer."""
    if saved.semantics is not None:
        yield from _believed(saved.semantics, paths)
        return
    from lrcn.predict.inputs import passed_over
    from lrcn.predict.photos import photos_passed_over
    from lrcn.structures import Description

    no_cnn = saved.model.backbone is None
    if saved.media == "video" or no_cnn:
        given, strangers = given_videos(paths, features=no_cnn, command="caption"), passed_over
    else:
        given, strangers = given_photos(paths, command="caption"), photos_passed_over
    for one in given:
        if isinstance(one, str):
            yield one
        else:
            yield Description(path=one.path, item_id=one.path, error=one.reason)
    for path in strangers(paths):
        say(f"not read, no {saved.media} by its name: {path}", quiet=quiet)


def _believed(space: LabelSpace, paths: Sequence[str]) -> Iterator[tuple[str, Tensor]]:
    """Every item of files of semantic predictions, with what the model gets of it.

    Raises:
        UsageError: a photo or a video was given.
    """
    from lrcn.data.images import is_photo_path
    from lrcn.data.semantics import SemanticSource
    from lrcn.video.source import is_video_path

    for path in paths:
        if is_photo_path(path) or is_video_path(path):
            raise UsageError(
                f"{path} is a photo or a video, and this captioner looks at none: it was trained on"
                " semantic predictions. Give files of those (.jsonl, .csv, .npz)"
            )
    source = SemanticSource.read(",".join(paths), space)
    for item_id, beliefs in source.semantics.items():
        yield item_id, space.features(beliefs)


def _answers(describer: Describer, inputs: Sequence[_Input]) -> Iterator[Description]:
    """An answer per input, in order."""
    answers = describer.describe_many(one for one in inputs if isinstance(one, str | tuple))
    for one in inputs:
        yield next(answers) if isinstance(one, str | tuple) else one


def _text_writer(n_best: int) -> _Writer:
    def write(one: Description) -> None:
        if one.error is not None:
            return  # told at the end, on stderr
        if n_best == 1:
            print_line(f"{one.path}: {_in_one_line(one.text or '')}")
            return
        print_line(one.path)
        for candidate in one.captions:
            print_line(f"  {candidate.score:9.3f}  {_in_one_line(candidate.text)}")

    return write


def _in_one_line(text: str) -> str:
    return " ".join(text.split())


def _csv_writer(n_best: int) -> _Writer:
    columns = ("caption", "log_prob", "score")
    further = [f"{name}_{k}" for k in range(2, n_best + 1) for name in columns]
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["path", "item_id", *columns, *further, "error"])

    def write(one: Description) -> None:
        cells = [cell for c in one.captions for cell in (c.text, c.log_prob, c.score)]
        cells += [""] * (len(columns) * n_best - len(cells))
        writer.writerow([one.path, one.item_id, *cells, one.error or ""])

    return write


def _image_ids(
    inputs: Sequence[_Input], annotations: Path | None, *, quiet: bool
) -> dict[str, ImageId]:
    from lrcn.predict.coco_results import coco_image_ids

    names = [
        one if isinstance(one, str) else one[0] for one in inputs if isinstance(one, str | tuple)
    ]
    ids = coco_image_ids(names, annotations)
    if any(isinstance(one, str) for one in ids.values()):
        say(
            "note: the photos' names do not end in a number of their own, so their names are"
            " written as image_id; a server wants numbers: give --image-ids",
            quiet=quiet,
        )
    return ids


def _write_coco(
    out: Path, found: Sequence[Description], ids: Mapping[str, ImageId], *, quiet: bool
) -> None:
    from lrcn.predict.coco_results import coco_results

    document = coco_results(found, ids)
    write_file(out, json.dumps(document, ensure_ascii=False) + "\n")
    say(f"COCO results of {len(document)} photos: {out}", quiet=quiet)


def _report_failures(found: Sequence[Description]) -> int:
    """Name what failed, on stderr; 1 when something did."""
    failed = [one for one in found if one.error is not None]
    for one in failed:
        say(f"failed: {with_path(one.path, one.error or '')}")
    if failed:
        say(f"{len(failed)} of {len(found)} failed")
    return 1 if failed else 0
