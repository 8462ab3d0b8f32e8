"""`lrcn retrieve`: the photos of a folder that a sentence fits best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from lrcn.cli.inputs import given_photos, given_videos
from lrcn.cli.options import DEFAULTS, ComputeOptions
from lrcn.cli.output import print_json, print_line, report_skipped, say, watcher
from lrcn.cli.parser import UsageError, option
from lrcn.errors import MissingFilesError, ModelError
from lrcn.structures import SkippedFile

if TYPE_CHECKING:
    from lrcn.checkpoint import SavedCaptioner
    from lrcn.predict.photo_index import PhotoIndex
    from lrcn.predict.retrieve import Retriever


def retrieve(
    model: Path,
    /,
    *sentences: str,
    images: Path | None = None,
    index: Path | None = None,
    overwrite: bool = False,
    top_k: int = 10,
    count_eos: bool = False,
    batch_size: int = 32,
    as_json: Annotated[bool, option("--json")] = False,
    compute: ComputeOptions = DEFAULTS,
) -> int:
    """Rank the photos of a folder for a sentence, by how likely it is for each.

    Every photo goes once through the CNN, for all sentences together and, with --index, for all
    later commands too. The score is the sentence's log-probability minus the log of its mean
    probability over all photos. A photo that cannot be read is reported and does not stop the
    others; the exit code is then 1.

    Args:
        model: Run folder or model folder of a captioner.
        sentences: What to look for; each is ranked for itself.
        images: Folder of photos, or a pattern ("photos/*.jpg"); default: those of --index.
        index: File that keeps what the model sees of each photo: made when absent, brought up to
            date when --images has other photos or changed ones.
        overwrite: Make --index anew where it belongs to another model.
        top_k: Show so many photos per sentence.
        count_eos: Also score the sentence's end; the paper scores the words only.
        batch_size: Photos per call of the CNN; no score depends on it.
        as_json: Print one JSON document.
        compute: Options of every command that computes.
    """
    _check(sentences, images, index, top_k, batch_size)
    device = compute.start()
    from lrcn.checkpoint import load_captioner
    from lrcn.predict.retrieve import Retriever

    saved = load_captioner(model)
    retriever = Retriever(
        saved,
        index=None if index is None else _index(index, saved, overwrite=overwrite),
        device=device,
        precision=compute.precision,
        batch_size=batch_size,
        decode_threads=2,
    )
    skipped = _gather(retriever, saved, images, quiet=compute.quiet)
    if not retriever.paths:
        raise MissingFilesError(
            f"{images or index}: no photo can be read"
            + (f", first {skipped[0].path}: {skipped[0].reason}" if skipped else "")
            + ". At least one is needed; name another folder"
        )
    if index is not None and images is not None:
        retriever.save_index(index)
        known = len(retriever.paths) - retriever.num_new
        say(f"index {index}: {known} photos known, {retriever.num_new} new", quiet=compute.quiet)
    found = []
    for sentence in sentences:
        unknown = retriever.unknown_words(sentence)
        if unknown:
            say(f"note: {unknown} words of {sentence!r} are unknown here", quiet=compute.quiet)
        with watcher("ranking", quiet=compute.quiet) as watch:
            matches = retriever(sentence, count_eos=count_eos, watch=watch)[:top_k]
        found.append(
            {
                "sentence": sentence,
                "num_unknown_words": unknown,
                "num_photos": len(retriever.paths),
                "num_skipped": len(skipped),
                "matches": [asdict(match) for match in matches],
                "skipped": [asdict(file) for file in skipped],
            }
        )
        if not as_json:
            print_line(sentence)
            for match in matches:
                print_line(f"{match.rank:4} {match.score:9.3f}  {match.path}")
    if as_json:
        print_json(found[0] if len(found) == 1 else found)
    return report_skipped(skipped, quiet=compute.quiet)


def _check(
    sentences: Sequence[str],
    images: Path | None,
    index: Path | None,
    top_k: int,
    batch_size: int,
) -> None:
    if not sentences:
        raise UsageError('SENTENCES is missing: give one in quotes, "a dog on grass"')
    if images is None and (index is None or not index.exists()):
        raise UsageError(
            "--images is missing: name a folder of photos"
            if index is None
            else f"{index} does not exist: add --images, a folder of photos, to make it"
        )
    if index is not None and index.is_dir():
        raise UsageError(f"--index {index} is a folder; it takes a file")
    if min(top_k, batch_size) < 1:
        raise UsageError(f"--top-k {top_k} and --batch-size {batch_size}: both must be at least 1")


def _index(file: Path, saved: SavedCaptioner, *, overwrite: bool) -> PhotoIndex:
    """The index of a file, or an empty one to begin with.

    Raises:
        DataError: the file is no index, or damaged.
        ModelError: it belongs to another model, and may not be replaced.
    """
    from lrcn.predict.photo_index import PhotoIndex, model_key

    key = model_key(saved)
    if not file.exists():
        return PhotoIndex(key)
    try:
        return PhotoIndex.load(file, key)
    except ModelError:
        if overwrite:
            return PhotoIndex(key)
        raise


def _gather(
    retriever: Retriever, saved: SavedCaptioner, images: Path | None, *, quiet: bool
) -> list[SkippedFile]:
    """Let the retriever see the photos; those that it cannot read."""
    if images is None:
        retriever.add_indexed()
        return []
    no_cnn = saved.model.backbone is None
    given = (
        given_videos([str(images)], features=no_cnn, command="retrieve")
        if saved.media == "video" or no_cnn
        else given_photos([str(images)], command="retrieve")
    )
    meant = list(given)
    skipped = [one for one in meant if isinstance(one, SkippedFile)]
    with watcher("looking", quiet=quiet) as watch:
        return skipped + retriever.add([one for one in meant if isinstance(one, str)], watch=watch)
