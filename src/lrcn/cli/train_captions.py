"""`lrcn train` on sentences: from flags and settings to an experiment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lrcn.cli.parser import UsageError
from lrcn.cli.settings import resolve
from lrcn.errors import LrcnError

if TYPE_CHECKING:
    from lrcn.train.caption_config import AnyExperiment, CaptionExperiment

_NOT_OF_CAPTIONS = {
    "dataset.fold": "--fold",
    "dataset.group_by": "--group-by",
    "dataset.group_pattern": "--group-pattern",
    "dataset.modality": "--modality",
    "dataset.flow_source": "--flow",
}


def caption_experiment(
    given: Mapping[str, Any],
    dotted: Mapping[str, str | None],
    *,
    config: Mapping[str, Any] | None,
    recipe: str | None,
    init: Path | None,
    continued: AnyExperiment | None,
    finetune: bool,
) -> CaptionExperiment:
    """The resolved experiment.

    Args:
        given: Dotted key → value, of the flags that were given.
        dotted: Dotted settings as typed.
        config: The tree of `--config`.
        recipe: To start from.
        init: Model to start from.
        continued: The experiment of the run that is resumed.
        finetune: Whether to go on through the CNN.

    Raises:
        UsageError: a flag has no meaning for sentences.
        ConfigError: a setting is unknown or wrong.
    """
    useless = [flag for key, flag in _NOT_OF_CAPTIONS.items() if key in given]
    if useless:
        raise UsageError(f"{', '.join(useless)} belong to classes, not to sentences: leave out")
    flags = dict(given)
    if "dataset.videos_root" in flags:
        flags.setdefault("dataset.images", flags.pop("dataset.videos_root"))
        flags.pop("dataset.videos_root", None)
    base = _base(recipe, init, continued, config)
    experiment = resolve(base, config, flags, dotted)
    if base.name == "captions" and experiment.model.backbone == base.model.backbone:
        experiment = _without_backbone_for_features(experiment)
    if finetune:
        from lrcn.recipes.captions import with_caption_finetuning

        experiment = with_caption_finetuning(experiment)
    return experiment


def _base(
    recipe: str | None,
    init: Path | None,
    continued: AnyExperiment | None,
    config: Mapping[str, Any] | None,
) -> CaptionExperiment:
    """What settings are applied to; a captioner to start from brings its network along."""
    from lrcn.recipes.captions import CAPTION_RECIPES, captions
    from lrcn.train.caption_config import CaptionExperiment

    if isinstance(continued, CaptionExperiment):
        return continued
    base = captions() if recipe is None else CAPTION_RECIPES[recipe]()
    if init is None or recipe is not None or config is not None:
        return base
    from lrcn.checkpoint import CAPTION_TASK, load_captioner, load_model, task_of

    if task_of(init) == CAPTION_TASK:
        start = load_captioner(init)
        if start.model.config.visual == "none":
            return base
        dataset = replace(base.dataset, sampling=start.sampling)
        return replace(base, model=start.model.config, dataset=dataset, decoding=start.decoding)
    recogniser = load_model(init)
    own, dataset = recogniser.model.config, replace(base.dataset, sampling=recogniser.sampling)
    model = replace(
        base.model,
        backbone=own.backbone,
        feature_layer=own.feature_layer,
        input_px=own.input_px,
        crop_fraction=own.crop_fraction,
    )
    return replace(base, model=model, dataset=dataset)


def _without_backbone_for_features(experiment: CaptionExperiment) -> CaptionExperiment:
    """The default takes precomputed features as they are, where DATA holds nothing else."""
    from lrcn.data.captions import read_captions
    from lrcn.video.features import is_feature_path

    own = experiment.dataset
    if not own.data:
        return experiment
    try:
        listed = read_captions(own.data, layout=own.layout, images=own.images, missing="skip")
    except LrcnError:
        return experiment  # training tells what is wrong with the data
    if not all(is_feature_path(item.path) for item in listed.items):
        return experiment
    return replace(experiment, model=replace(experiment.model, backbone="none"))
