"""What `evaluate` and `fuse` share: reading DATA, and measuring a model, fused or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lrcn.cli.parser import UsageError
from lrcn.cli.parts import Run, find_run

if TYPE_CHECKING:
    import torch

    from lrcn.checkpoint import SavedModel
    from lrcn.evaluate.protocol import ProtocolConfig
    from lrcn.evaluate.results import Results
    from lrcn.fusion_folder import SavedFusion
    from lrcn.structures import VideoList
    from lrcn.train.config import DatasetConfig

Missing = Literal["error", "skip"]
FlowChoice = Literal["auto", "computed", "stored"]


def runs_of(model: Path, saved: SavedModel | SavedFusion) -> list[Run]:
    """The run that MODEL is or lies in; of a fused model those of its members, where they are."""
    from lrcn.fusion_folder import SavedFusion

    places = map(Path, saved.origins) if isinstance(saved, SavedFusion) else [model]
    found = [find_run(place) for place in places]
    return [run for run in found if run is not None]


def measure(
    saved: SavedModel | SavedFusion,
    videos: VideoList,
    given: Mapping[str, Any],
    source_of_flow: FlowChoice,
    *,
    device: torch.device,
    model_path: str,
    seed: int,
    **work: Any,
) -> Results:
    """Evaluate a model; of a fused one every member, then all together.

    Args:
        saved: The model.
        videos: What it is measured on.
        given: Settings of the protocol over the model's own; None where not given.
        source_of_flow: For models of flow.
        device: Where to compute.
        model_path: For the record.
        seed: Of the intervals.
        **work: Further arguments of `evaluate_videos`.
    """
    from lrcn.evaluate.fuse import fuse_results
    from lrcn.evaluate.loop import evaluate_videos
    from lrcn.fusion_folder import SavedFusion

    if isinstance(saved, SavedFusion):
        paths = [f"{model_path}/member_{i + 1}" for i in range(len(saved.members))]
        found = []
        for member, path in zip(saved.members, paths, strict=True):
            seen = seen_as(videos, member, source_of_flow)
            found.append(
                measure(
                    member,
                    seen,
                    given,
                    source_of_flow,
                    device=device,
                    model_path=path,
                    seed=seed,
                    **work,
                )
            )
            member.model.cpu()
        return fuse_results(
            found,
            saved.fusion_weights,
            names=paths,
            weights_from=saved.weights_from,
            allow_unlike=True,
            seed=seed,
        )
    return evaluate_videos(
        saved.model.to(device),
        videos,
        protocol_of(saved, **given),
        thresholds=saved.thresholds,
        seed=seed,
        model_path=model_path,
        **work,
    )


@dataclass(frozen=True)
class DataSource:
    """DATA and how it is read: a run's own data as the run read them, unless told otherwise."""

    data: Path | None
    run: Run | None
    layout: str | None
    fold: int | None
    videos_root: Path | None
    given_missing: Missing | None

    @property
    def own(self) -> DatasetConfig | None:
        """The run's settings, where DATA is what it was trained on."""
        if self.run is None:
            return None
        own = self.run.experiment.dataset
        is_own = self.data is None or self.data.resolve() == Path(own.data).resolve()
        return own if is_own else None

    @property
    def missing(self) -> Missing:
        """What happens with absent or unreadable files."""
        if self.given_missing is not None:
            return self.given_missing
        return "error" if self.own is None else self.own.missing

    def read(self) -> VideoList:
        """The list of videos.

        Raises:
            UsageError: there is neither DATA nor a run that knows its own.
        """
        from lrcn.data.datasets import read_dataset

        own = self.own
        data = self.data if own is None else Path(own.data)
        if data is None:
            raise UsageError(
                "--data is missing: a model folder on its own does not know its data."
                " Give a folder or a list file with labelled videos"
            )
        return read_dataset(
            data,
            layout=self.layout or (own.layout if own else None),
            fold=self.fold or (own.fold if own else None),
            videos_root=self.videos_root or (own.videos_root if own else None),
            missing=self.missing,
            group_by=own.group_by if own else None,
            group_pattern=own.group_pattern if own else None,
            min_classes=1,
        )


def seen_as(videos: VideoList, saved: SavedModel | SavedFusion, source: FlowChoice) -> VideoList:
    """The videos as what the model sees, pictures or flow images.

    Of a fused model the members see them in different ways: for it they stay as they are.

    Raises:
        DataError: they do not fit the model.
    """
    from lrcn.data.modality import settle_modality
    from lrcn.fusion_folder import SavedFusion

    if isinstance(saved, SavedFusion):
        return videos
    own = saved.model.preprocessing
    if saved.model.backbone is None or own is None:
        return videos
    settled = settle_modality(
        videos, modality=own.modality, source=source, flow=own.flow, adopt=False
    )
    return replace(settled.videos, notes=(*settled.videos.notes, *settled.notes))


def protocol_of(saved: SavedModel, **given: Any) -> ProtocolConfig:
    """The paper's protocol with the model's own sampling, and what was given over it."""
    from lrcn.evaluate.protocol import ProtocolConfig

    own = {
        name: getattr(saved.sampling, name)
        for name in ("clip_length", "clip_stride", "frame_stride", "sample_fps")
    }
    return ProtocolConfig(**own | {k: v for k, v in given.items() if v is not None})
