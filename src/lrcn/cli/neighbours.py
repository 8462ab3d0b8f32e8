"""`lrcn neighbours`: the baseline that repeats what people said of the most alike photo."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from lrcn.cli.options import DEFAULTS, ComputeOptions
from lrcn.cli.output import print_json, print_line, print_table, report_skipped, say, watcher
from lrcn.cli.parser import UsageError, option

if TYPE_CHECKING:
    from lrcn.checkpoint import SavedCaptioner
    from lrcn.evaluate.neighbours import NeighbourResults
    from lrcn.structures import CaptionList


def neighbours(
    *,
    data: Path | None = None,
    train_data: Path | None = None,
    split: Literal["train", "val", "test", "all"] | None = None,
    images: Path | None = None,
    layout: str | None = None,
    missing: Literal["error", "skip"] = "error",
    backbone: str = "efficientnet_lite0",
    feature_layer: str | None = None,
    init: Path | None = None,
    similarity: Literal["cosine", "euclidean"] = "cosine",
    no_cache: bool = False,
    as_json: Annotated[bool, option("--json")] = False,
    compute: ComputeOptions = DEFAULTS,
) -> int:
    """Measure the 1-nearest-neighbour baseline: what people said of the most alike training photo.

    Scores are means over that photo's captions (paper, row C10). Retrieval ranks captions by how
    alike their words are to them.

    Args:
        data: Captions to measure on: their part test, else val, else all of them.
        train_data: Captions of the photos to look among; default: the train part of --data.
        split: The part of --data to measure on.
        images: Where the photos lie.
        layout: Name of the data's layout; default: recognised.
        missing: What happens when a listed file is absent or unreadable.
        backbone: The CNN whose features tell what is alike.
        feature_layer: Where they are taken: fc7, fc8, pooled; default: the CNN's usual place.
        init: Model folder or run to take the CNN's weights from.
        similarity: cosine = by the angle between features; euclidean = by their distance.
        no_cache: Neither use nor fill the cache of features.
        as_json: Print one JSON document.
        compute: Options of every command that computes.
    """
    if data is None:
        raise UsageError("--data is missing: give captions to measure on")
    device = compute.start()
    from lrcn.data.cache import FeatureCache
    from lrcn.data.caption_split import refuse_caption_leaks
    from lrcn.data.captions import read_captions
    from lrcn.evaluate.caption_record import Viewer
    from lrcn.evaluate.neighbours import evaluate_neighbours
    from lrcn.evaluate.protocol import DataChoice

    listed = read_captions(data, layout=layout, images=images, missing=missing)
    others = listed
    if train_data is not None:
        others = read_captions(train_data, layout=layout, images=images, missing=missing)
    known, chosen, name = _parts(others, listed, split, apart=train_data is not None)
    refuse_caption_leaks({"train": known, "test": chosen})
    saved = _eyes(backbone, feature_layer, init)
    viewer = Viewer(
        saved,
        precision=compute.precision,
        device=device,
        cache=None if no_cache else FeatureCache(),
        decode_threads=2,
        missing=missing,
    )
    say(f"neighbours of {len(chosen)} among {len(known)} photos", quiet=compute.quiet)
    with watcher("looking", quiet=compute.quiet) as watch:
        results = evaluate_neighbours(
            viewer,
            known,
            chosen,
            similarity=similarity,
            choice=DataChoice(split=name, how="given"),
            model_path=str(init or backbone),
            watch=watch,
        )
    if as_json:
        print_json(results.to_dict())
    else:
        _show(results)
    return report_skipped(results.skipped, quiet=compute.quiet)


def _parts(
    others: CaptionList,
    listed: CaptionList,
    split: Literal["train", "val", "test", "all"] | None,
    *,
    apart: bool,
) -> tuple[CaptionList, CaptionList, str]:
    """The photos to look among, those to measure on, and the name of their part.

    Raises:
        UsageError: DATA has no train part, and no other data were given.
    """
    from lrcn.data.captions import select_captions

    given = {item.split for item in others.items}
    if not apart and "train" not in given:
        raise UsageError(
            "--data has no train part to look among; give --train-data, captions of other photos"
        )
    known = select_captions(others, "train") if "train" in given else others
    own = {item.split for item in listed.items}
    if split is None:
        split = "test" if "test" in own else "val" if "val" in own else "all"
    return known, listed if split == "all" else select_captions(listed, split), split


def _eyes(backbone: str, feature_layer: str | None, init: Path | None) -> SavedCaptioner:
    """A captioner without words: only its CNN is used."""
    from lrcn.checkpoint import SavedCaptioner
    from lrcn.models.image_captioner import CaptionerConfig, create_captioner
    from lrcn.text.vocabulary import SPECIAL_TOKENS, Vocabulary
    from lrcn.train.start import load_start, start_captioner

    config = CaptionerConfig(
        backbone=backbone,
        feature_layer=feature_layer,
        weights="auto" if init is None else "random",
        hidden_size=1,
        embedding_size=1,
        num_layers=1,
    )
    model = create_captioner(config, Vocabulary(SPECIAL_TOKENS), seed=0)
    if init is not None:
        start_captioner(model, load_start(str(init)), str(init))
    return SavedCaptioner(model)


def _show(results: NeighbourResults) -> None:
    protocol = results.protocol
    print_line(
        f"{protocol.num_items} photos of {protocol.data} (split: {protocol.split}), each with the"
        f" captions of the most alike of {results.num_known}"
    )
    for key, value in results.metrics.items():
        print_line(f"  {key:24} {value:8.4f}")
    print_line()
    columns = ("recall_at_1", "recall_at_5", "recall_at_10", "median_rank")
    rows = []
    for way in ("caption_to_image", "image_to_caption"):
        for name, found in (
            (way.replace("_", " "), results.retrieval),
            ("  chance", results.chance),
        ):
            rows.append((name, *(f"{found[f'{way}_{key}']:.3f}" for key in columns)))
    print_table(("direction", *columns), rows)
