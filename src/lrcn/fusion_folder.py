"""Model folders of several models that answer together (late fusion).

::

    MODEL/
    ├── config.json         task "fusion": classes, members, weights and where they come from
    ├── member_1/ ...       a whole model folder for each member
    ├── labels.txt
    └── README.md           model card

The folder holds all it needs: the runs that its members came from may be deleted.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lrcn.checkpoint import (
    CARD_NAME,
    CONFIG_NAME,
    FORMAT_VERSION,
    FUSION_TASK,
    LABELS_NAME,
    SavedModel,
    card_ending,
    find_model_folder,
    load_model,
    new_folder,
    read_config,
    weights_hash,
)
from lrcn.errors import ConfigError, ModelError
from lrcn.models.fusion import class_columns, normalised
from lrcn.settings import to_dict
from lrcn.version import __version__

_DEFAULT_THRESHOLD = 0.5


@dataclass(frozen=True, kw_only=True)
class SavedFusion:
    """Several models, with the weight of each one's probabilities."""

    members: tuple[SavedModel, ...]
    """The first one's classes, in its order, and its frames' times are those of the answer."""
    fusion_weights: tuple[float, ...]
    """Summing to one."""
    origins: tuple[str, ...]
    """Where each member was taken from."""
    weights_from: str
    """How the weights were chosen: equal, given, or the validation data."""
    unlike: tuple[str, ...] = ()
    """In what the members' sampling differs, where that was allowed."""
    search_video_ids: tuple[str, ...] = ()
    """The videos that the weights were searched on; no score on them counts."""
    source: str = field(default="", compare=False)
    """Where it was loaded from."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """Index = label."""
        return self.members[0].model.class_names

    @property
    def multi_label(self) -> bool:
        """Whether several labels can hold at once."""
        return self.members[0].model.multi_label

    @property
    def thresholds(self) -> tuple[float, ...] | None:
        """Several labels: from which probability each counts; fused as the probabilities are."""
        if not self.multi_label:
            return None
        total = [0.0] * len(self.class_names)
        for member, weight in zip(self.members, self.fusion_weights, strict=True):
            own = member.thresholds or (_DEFAULT_THRESHOLD,) * len(total)
            places = _columns(self.members[0], member)
            total = [sum_ + weight * own[k] for sum_, k in zip(total, places, strict=True)]
        return tuple(total)


def make_fusion(
    paths: Sequence[Path],
    weights: Sequence[float] | None,
    *,
    weights_from: str,
    search_video_ids: Sequence[str] = (),
    allow_unlike: bool = False,
) -> SavedFusion:
    """Load models and make sure that they can answer together.

    Args:
        paths: Model or run folders, two or more. A fused model stands for its members, which
            share its weight: the mean of means is one mean.
        weights: One each; equal when left out.
        weights_from: How they were chosen, for the record.
        search_video_ids: The videos that they were searched on.
        allow_unlike: Take models that sample frames and clips differently.

    Raises:
        ConfigError: the weights do not fit, or there are fewer than two models.
        ModelError: a model cannot be loaded, or the models do not fit together.
    """
    if len(paths) < 2:
        raise ConfigError(f"{len(paths)} models cannot be fused; give 2 or more")
    given = normalised(weights, len(paths))
    opened = [_opened(path) for path in paths]
    members = tuple(member for fusion in opened for member in fusion.members)
    unlike = _unlike(members)
    if unlike and not allow_unlike:
        raise ModelError(
            f"the models do not sample alike: {'; '.join(unlike)}."
            " Train them alike, or pass --allow-unlike: each then samples in its own way"
        )
    return SavedFusion(
        members=members,
        fusion_weights=tuple(
            weight * share
            for weight, fusion in zip(given, opened, strict=True)
            for share in fusion.fusion_weights
        ),
        origins=tuple(origin for fusion in opened for origin in fusion.origins),
        weights_from=weights_from,
        unlike=tuple(unlike),
        search_video_ids=tuple(
            sorted({*search_video_ids, *(v for fusion in opened for v in fusion.search_video_ids)})
        ),
    )


def _opened(path: Path) -> SavedFusion:
    """A model as a fusion of itself alone; a fused one as it is."""
    saved = load_any(path)
    if isinstance(saved, SavedFusion):
        return saved
    return SavedFusion(
        members=(saved,), fusion_weights=(1.0,), origins=(str(path.resolve()),), weights_from=""
    )


def save_fusion(folder: Path, fusion: SavedFusion) -> None:
    """Write a fused model's folder atomically, replacing one that stands there.

    Raises:
        OutputError: when it cannot be written.
    """
    names = [f"member_{i + 1}" for i in range(len(fusion.members))]
    config = {
        "format_version": FORMAT_VERSION,
        "lrcn_version": __version__,
        "task": FUSION_TASK,
        "class_names": list(fusion.class_names),
        "multi_label": fusion.multi_label,
        "members": [
            {
                "folder": name,
                "origin": origin,
                "fusion_weight": weight,
                "model_hash": weights_hash(member.model),
            }
            for name, origin, weight, member in zip(
                names, fusion.origins, fusion.fusion_weights, fusion.members, strict=True
            )
        ],
        "weights_from": fusion.weights_from,
        "unlike": list(fusion.unlike),
        "search_video_ids": list(fusion.search_video_ids),
    }
    with new_folder(folder) as draft:
        for name, member in zip(names, fusion.members, strict=True):
            (draft / name).mkdir()
            member.write_files(draft / name)
        text = json.dumps(config, indent=2) + "\n"
        (draft / CONFIG_NAME).write_text(text, encoding="utf-8")
        labels = "\n".join(fusion.class_names) + "\n"
        (draft / LABELS_NAME).write_text(labels, encoding="utf-8")
        (draft / CARD_NAME).write_text(_card_text(fusion, names), encoding="utf-8")


def load_any(path: str | os.PathLike[str]) -> SavedModel | SavedFusion:
    """Load a model folder of either kind, or the best model of a run folder.

    Raises:
        ModelError: it is absent, damaged, or of a newer format.
    """
    folder = find_model_folder(path)
    config = read_config(folder / CONFIG_NAME)
    if config.get("task") != FUSION_TASK:
        return load_model(folder)
    try:
        about: list[dict[str, Any]] = config["members"]
        # The last part alone: a member lies in the folder, whatever the file says.
        names = [Path(entry["folder"]).name for entry in about]
        fusion = SavedFusion(
            members=tuple(load_model(folder / name) for name in names),
            fusion_weights=normalised([float(e["fusion_weight"]) for e in about], len(about)),
            origins=tuple(str(entry["origin"]) for entry in about),
            weights_from=str(config["weights_from"]),
            unlike=tuple(config["unlike"]),
            search_video_ids=tuple(config["search_video_ids"]),
            source=str(folder),
        )
    except (KeyError, TypeError, ValueError, ConfigError) as error:
        raise ModelError(
            f"{folder / CONFIG_NAME} does not describe a fused model ({error})."
            " Fuse the models again, or restore the file"
        ) from error
    _unlike(fusion.members)
    return fusion


def is_fusion_folder(folder: Path) -> bool:
    """Whether a fused model stands there."""
    try:
        return read_config(folder / CONFIG_NAME).get("task") == FUSION_TASK
    except ModelError:
        return False


def _unlike(members: Sequence[SavedModel]) -> list[str]:
    """In what the members' sampling differs.

    Raises:
        ModelError: no answer of them could be fused.
    """
    first, found = members[0], []
    for member in members[1:]:
        names = first.source, member.source
        _columns(first, member)
        if first.model.multi_label != member.model.multi_label:
            raise ModelError(
                f"{names[0]} and {names[1]} cannot be fused: one tells a single class per video,"
                " the other several. Fuse models of one kind"
            )
        inputs = [(m.model.backbone is None) and m.model.feature_dim for m in (first, member)]
        if inputs[0] != inputs[1]:
            raise ModelError(
                f"{names[0]} and {names[1]} cannot answer together: they take other inputs (videos,"
                " or features of one width). Evaluate each, and fuse their results files"
            )
        own, other = to_dict(first.sampling), to_dict(member.sampling)
        keys = [k for k in own if own[k] != other[k]]
        found += [f"{names[1]} has {k} {other[k]}, {names[0]} has {own[k]}" for k in keys]
    return found


def _columns(first: SavedModel, member: SavedModel) -> list[int]:
    return class_columns(
        first.model.class_names,
        member.model.class_names,
        names=(first.source or "the first model", member.source or "another model"),
    )


def _card_text(fusion: SavedFusion, names: Sequence[str]) -> str:
    """The model card: who answers, and with which weight."""
    rows = [
        f"| {name} | {weight:.4f} | {m.model.config.kind} on {m.model.config.backbone} | {origin} |"
        for name, weight, m, origin in zip(
            names, fusion.fusion_weights, fusion.members, fusion.origins, strict=True
        )
    ]
    lines = [
        "---",
        "library_name: lrcn",
        "tags: [lrcn, video-classification]",
        "---",
        "",
        f"# {len(fusion.members)} models, fused",
        "",
        f"Recognises {len(fusion.class_names)} classes of activity in a video by the weighted mean"
        " of the probabilities of:",
        "",
        "| folder | weight | model | taken from |",
        "|---|---|---|---|",
        *rows,
        "",
        f"Weights: {fusion.weights_from}. Each member's own card tells what it was trained on.",
        "",
        *card_ending(),
    ]
    return "\n".join(lines)
