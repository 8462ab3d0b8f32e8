"""`lrcn retrieve`: the photos of a folder that a sentence fits best."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from lrcn.cli.inputs import given_photos, given_videos
from lrcn.cli.options import DEFAULTS, ComputeOptions
from lrcn.cli.output import print_json, print_line, report_skipped, say, watcher
from lrcn.cli.parser import UsageError, option
from lrcn.errors import MissingFilesError
from lrcn.structures import SkippedFile


def retrieve(
    model: Path,
    /,
    *sentences: str,
    images: Path | None = None,
    top_k: int = 10,
    count_eos: bool = False,
    batch_size: int = 32,
    as_json: Annotated[bool, option("--json")] = False,
    compute: ComputeOptions = DEFAULTS,
) -> int:
    """Rank the photos of a folder for a sentence, by how likely it is for each.

    Every photo goes once through the CNN, for all sentences together. The score is the sentence's
    log-probability minus the log of its mean probability over all photos. A photo that cannot be
    read is reported and does not stop the others; the exit code is then 1.

    Args:
        model: Run folder or model folder of a captioner.
        sentences: What to look for; each is ranked for itself.
        images: Folder of photos, or a pattern ("photos/*.jpg").
        top_k: Show so many photos per sentence.
        count_eos: Also score the sentence's end; the paper scores the words only.
        batch_size: Photos per call of the CNN; no score depends on it.
        as_json: Print one JSON document.
        compute: Options of every command that computes.
    """
    if not sentences or images is None:
        name = (
            "--images is missing: name a folder of photos"
            if sentences
            else ('SENTENCES is missing: give one in quotes, "a dog on grass"')
        )
        raise UsageError(name)
    if min(top_k, batch_size) < 1:
        raise UsageError(f"--top-k {top_k} and --batch-size {batch_size}: both must be at least 1")
    device = compute.start()
    from lrcn.checkpoint import load_captioner
    from lrcn.predict.retrieve import Retriever

    saved = load_captioner(model)
    retriever = Retriever(
        saved,
        device=device,
        precision=compute.precision,
        batch_size=batch_size,
        decode_threads=2,
    )
    no_cnn = saved.model.backbone is None
    given = (
        given_videos([str(images)], features=no_cnn, command="retrieve")
        if saved.media == "video" or no_cnn
        else given_photos([str(images)], command="retrieve")
    )
    meant = list(given)
    skipped = [one for one in meant if isinstance(one, SkippedFile)]
    with watcher("looking", quiet=compute.quiet) as watch:
        skipped += retriever.add([one for one in meant if isinstance(one, str)], watch=watch)
    if not retriever.paths:
        raise MissingFilesError(
            f"{images}: no photo can be read, first {skipped[0].path}: {skipped[0].reason}."
            " At least one is needed; name another folder"
        )
    found = []
    for sentence in sentences:
        unknown = retriever.unknown_words(sentence)
        if unknown:
            say(f"note: {unknown} words of {sentence!r} are unknown here", quiet=compute.quiet)
        matches = retriever(sentence, count_eos=count_eos)[:top_k]
        found.append(
            {
                "sentence": sentence,
                "num_unknown_words": unknown,
                "num_photos": len(retriever.paths),
                "matches": [asdict(match) for match in matches],
            }
        )
        if not as_json:
            print_line(sentence)
            for match in matches:
                print_line(f"{match.rank:4} {match.score:9.3f}  {match.path}")
    if as_json:
        print_json(found[0] if len(found) == 1 else found)
    return report_skipped(skipped, quiet=compute.quiet)
