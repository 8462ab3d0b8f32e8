"""`lrcn train`: from labelled videos to a run folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from lrcn.cli.options import DEFAULTS, ComputeOptions
from lrcn.cli.output import print_json, print_line, report_skipped, say
from lrcn.cli.parser import UsageError, hidden_from_parser, option
from lrcn.cli.settings import read_config, resolve, to_yaml
from lrcn.cli.task import Task, choose_task
from lrcn.cli.train_captions import caption_experiment
from lrcn.errors import LrcnError

if TYPE_CHECKING:
    from lrcn.train.caption_config import AnyExperiment
    from lrcn.train.config import Experiment
    from lrcn.train.session import TrainSummary


def train(
    *,
    data: Path | None = None,
    out: Path | None = None,
    recipe: str | None = None,
    config: Path | None = None,
    init: Path | None = None,
    task: Task | None = None,
    finetune: bool = False,
    modality: Literal["rgb", "flow"] | None = None,
    flow: Literal["auto", "computed", "stored"] | None = None,
    backbone: str | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    lr: float | None = None,
    clip_length: int | None = None,
    layout: str | None = None,
    fold: int | None = None,
    split: Path | None = None,
    val_data: Path | None = None,
    images: Path | None = None,
    semantics: str | None = None,
    videos_root: Path | None = None,
    group_by: Literal["column", "folder", "pattern", "file"] | None = None,
    group_pattern: str | None = None,
    missing: Literal["error", "skip"] | None = None,
    allow_leaks: bool = False,
    resume: bool = False,
    overwrite: bool = False,
    print_config: bool = False,
    as_json: Annotated[bool, option("--json")] = False,
    compute: ComputeOptions = DEFAULTS,
    settings: Annotated[Mapping[str, str | None], hidden_from_parser],
) -> int:
    """Train a model on labelled videos, or on photos or videos with sentences.

    DATA alone is enough: layout and task are recognised, a part of the groups (of sentences: of
    the photos) is held out, the pretrained backbone stays frozen and its features are cached. The
    run folder then holds the resolved experiment, log, split and the models `best` and `last`.

    Args:
        data: Folder or list file with the labelled videos, or list of captions.
        out: Run folder to make.
        recipe: Start from a recipe of `lrcn recipes` instead of the default.
        config: YAML file with any part of the settings; RUN/experiment.yaml repeats a run.
        init: Model or run folder to start from, also with other classes.
        task: activity (classes) or caption (sentences); default: as the data's columns say.
        finetune: After the frozen stage go on end to end through the CNN.
        modality: What the network sees: rgb, the frames; flow, the motion between them.
        flow: For modality flow: computed from the videos, or stored as images; default:
            recognised.
        backbone: Name of the CNN, for example efficientnet_lite0, small, timm/resnet18.
        epochs: Passes over the training videos (with --finetune: of the frozen stage).
        batch_size: Clips per update.
        lr: Learning rate of the recurrent part and the classifier.
        clip_length: Frames per clip.
        layout: Name of the data's layout; default: recognised.
        fold: Official division of UCF101 or HMDB51: 1, 2 or 3.
        split: Division of this data by `lrcn data split`; the same as giving it as DATA.
        val_data: Folder or list for validation; default: the data's own, or a part of train.
        images: Where the photos or videos of a list of captions lie.
        semantics: Of a list of captions: what recognisers believe of the items, in place of a CNN
            (.jsonl, .csv, .npz, MSVD's triplets, results files; commas between several).
        videos_root: Where the listed files lie, when not beside the list.
        group_by: How sources are told: column, folder, pattern, or file (every file for itself).
        group_pattern: Regular expression on paths; its brackets are the source.
        missing: What happens when a listed file is absent or unreadable.
        allow_leaks: Go on although a group or a file stands on both sides of the split.
        resume: Continue the run in --out; nothing else need be given.
        overwrite: Replace the run in --out.
        print_config: Print the resolved experiment as YAML and stop.
        as_json: Print the results as one JSON document.
        compute: Options of every command that computes.
        settings: Dotted settings, taken out before parsing.
    """
    flags: dict[str, Any] = {
        "dataset.data": _absolute(data),
        "dataset.layout": layout,
        "dataset.fold": fold,
        "dataset.val_data": _absolute(val_data),
        "dataset.images": _absolute(images),
        "dataset.semantics": _absolute_files(semantics),
        "dataset.videos_root": _absolute(videos_root),
        "dataset.group_by": group_by,
        "dataset.group_pattern": group_pattern,
        "dataset.missing": missing,
        "dataset.allow_leaks": allow_leaks or None,
        "dataset.modality": modality,
        "dataset.flow_source": flow,
        "dataset.sampling.clip_length": clip_length,
        "model.backbone": backbone,
        "train.epochs": epochs,
        "train.batch_size": batch_size,
        "train.lr": lr,
        "train.seed": compute.seed,
        "train.precision": None if compute.precision == "auto" else compute.precision,
        "init": _absolute(init),
    }
    given = {key: value for key, value in flags.items() if value is not None}
    continued = _continued(out, config) if resume else None
    kind = choose_task(
        task,
        recipe=recipe,
        config=config,
        continued=continued,
        data=data,
        has_images=images is not None,
    )
    tree = read_config(config) if config else None
    experiment: AnyExperiment
    if kind == "caption":
        if split is not None:
            raise UsageError("--split names a division of classes; captions have their own parts")
        experiment = caption_experiment(
            given,
            settings,
            config=tree,
            recipe=recipe,
            init=init,
            continued=continued,
            finetune=finetune,
        )
    else:
        base = _base(recipe, config, init, continued)
        experiment = _activity_experiment(base, tree, given, settings, split=split)
        if finetune:
            from lrcn.recipes.auto import with_finetuning

            experiment = with_finetuning(experiment)
    if not experiment.dataset.data:
        raise UsageError(
            "--data is missing: give a folder or a list file with labelled videos, or a list of"
            " captions. `lrcn data make motion DATA` makes one to try with"
        )
    if print_config:
        sys.stdout.write(to_yaml(experiment))
        return 0
    if out is None:
        raise UsageError("--out is missing: give the run folder to make")
    from lrcn.train.session import train as run_training

    summary = run_training(
        experiment,
        out,
        resume=resume,
        overwrite=overwrite,
        device=compute.device,
        threads=compute.threads,
        quiet=compute.quiet,
        command_line=sys.argv,
    )
    if os.environ.get("RANK", "0") != "0":
        return 0  # one of several processes: the first one speaks for all
    _show(summary, as_json=as_json)
    for path in summary.truncated:
        say(f"{path}: ends or breaks early, used as far as it goes")
    return report_skipped(summary.skipped, quiet=compute.quiet)


def _absolute(path: Path | None) -> str | None:
    """A run is evaluated, repeated and resumed from other folders than it was started in."""
    return None if path is None else str(path.absolute())


def _absolute_files(files: str | None) -> str | None:
    """The same for several files with commas between, each perhaps as `node=path`."""
    if files is None:
        return None
    parts = [part.strip().rpartition("=") for part in files.split(",")]
    return ",".join(f"{node}{equals}{Path(path).absolute()}" for node, equals, path in parts)


def _continued(out: Path | None, config: Path | None) -> AnyExperiment | None:
    """The experiment of the run to be continued, unless settings are given whole."""
    from lrcn.train.run import EXPERIMENT_NAME, load_any_experiment

    if out is None:
        raise UsageError("--out is missing: name the run folder to continue")
    if config is not None or not (out / EXPERIMENT_NAME).is_file():
        return None
    return load_any_experiment(out)


def _base(
    recipe: str | None, config: Path | None, init: Path | None, continued: AnyExperiment | None
) -> Experiment:
    """What the settings are applied to: the run to be continued, a recipe, or the default.

    Without a recipe a model to start from brings its network and sampling along.
    """
    from lrcn import recipes
    from lrcn.train.config import Experiment

    if recipe is not None:
        return recipes.get(recipe)
    if isinstance(continued, Experiment):
        return continued
    base = recipes.get("auto")
    if init is None or config is not None:
        return base
    from lrcn.checkpoint import CAPTION_TASK, load_model, task_of

    if task_of(init) == CAPTION_TASK:
        return _like_captioner(base, init)
    start = load_model(init)
    dataset = replace(base.dataset, sampling=start.sampling)
    own = start.model.preprocessing
    if own is not None and own.modality == "flow":
        dataset = replace(dataset, modality=own.modality, flow=own.flow)
    return replace(base, model=start.model.config, dataset=dataset)


def _like_captioner(base: Experiment, init: Path) -> Experiment:
    """The experiment with the CNN of a captioner, and with its layers over frames if it has any."""
    from lrcn.checkpoint import load_captioner

    start = load_captioner(init)
    own = start.model.config
    names = ["backbone", "feature_layer", "input_px", "crop_fraction", "feature_dim"]
    if own.reads_frames:
        names += ["hidden_size", "num_layers", "unit"]
    model = replace(base.model, **{name: getattr(own, name) for name in names})
    dataset = replace(base.dataset, sampling=start.sampling)
    return replace(base, model=model, dataset=dataset)


def _activity_experiment(
    base: Experiment,
    config: Mapping[str, Any] | None,
    given: Mapping[str, Any],
    settings: Mapping[str, str | None],
    *,
    split: Path | None,
) -> Experiment:
    """The resolved experiment with classes."""
    if "dataset.images" in given:
        raise UsageError("--images belongs to sentences; of classes use --videos-root")
    experiment = resolve(base, config, given, settings)
    if split is not None:
        experiment = _divided_by(split, experiment)
    if base.name == "auto" and experiment.model.backbone == base.model.backbone:
        experiment = _without_backbone_for_features(experiment)
    return experiment


def _divided_by(split: Path, experiment: Experiment) -> Experiment:
    """The experiment on a saved division, which is a list of the same data with their parts.

    Raises:
        DataError: the file is no division, or one of other data.
    """
    from lrcn.data.split_file import load_division
    from lrcn.train.data import list_videos

    own = experiment.dataset
    if own.data:
        load_division(split, list_videos(own))
    dataset = replace(own, data=str(split.absolute()), layout="csv", fold=None)
    return replace(experiment, dataset=dataset)


def _without_backbone_for_features(experiment: Experiment) -> Experiment:
    """The default takes precomputed features as they are, where DATA holds nothing else."""
    from lrcn.train.data import list_videos
    from lrcn.video.features import is_feature_path

    own = experiment.dataset
    if not own.data:
        return experiment
    try:
        listed = list_videos(replace(own, missing="skip"))
    except LrcnError:
        return experiment  # training tells what is wrong with the data
    if not all(is_feature_path(item.path) for item in listed.items):
        return experiment
    return replace(experiment, model=replace(experiment.model, backbone="none"))


def _show(summary: TrainSummary, *, as_json: bool) -> None:
    """The validation score and where everything is."""
    found = {f.name: getattr(summary, f.name) for f in fields(summary)}
    found["skipped"] = [{"path": s.path, "reason": s.reason} for s in summary.skipped]
    if as_json:
        print_json(found)
        return
    run = summary.run_dir
    print_line(f"run                 {run}")
    print_line(f"trained             {summary.epochs} epochs, {summary.steps} steps")
    items = "items" if summary.task == "caption" else "videos"
    of = f"   ({summary.num_val} {items}, {summary.split}; epoch {summary.best_epoch})"
    if summary.val_accuracy_top1 is not None:
        print_line(f"val_accuracy_top1   {summary.val_accuracy_top1:.4f}{of}")
    if summary.val_mean_average_precision is not None:
        print_line(f"val_mAP             {summary.val_mean_average_precision:.4f}{of}")
    if summary.val_cider_d is not None:
        print_line(f"val_cider_d         {summary.val_cider_d:.4f}{of}")
    if summary.task == "caption":
        print_line(
            f"next                lrcn evaluate {run} --data CAPTIONS; lrcn caption {run} FILE"
        )
        return
    print_line(
        f"next                lrcn evaluate {run}; lrcn report {run}; lrcn predict {run} VIDEO"
    )
