"""Captioners to be trained: their data, their words, their model, and what it starts from."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from lrcn.checkpoint import ModelCard, SavedCaptioner, load_captioner
from lrcn.data.caption_split import divide_captions, refuse_caption_leaks
from lrcn.data.captions import read_captions, select_captions, with_caption_items
from lrcn.data.sampler import keyed_generator
from lrcn.data.semantics import LabelSpace, SemanticSource, read_semantics
from lrcn.data.semantics.read import find_beliefs
from lrcn.engine import Processes
from lrcn.errors import ConfigError
from lrcn.metrics.caption_scores import splitter
from lrcn.metrics.document_frequencies import DocumentFrequencies
from lrcn.models.image_captioner import Captioner, create_captioner
from lrcn.models.visual import NO_BACKBONE
from lrcn.structures import CaptionBatch, CaptionItem, CaptionList, SkippedFile
from lrcn.tasks.captioning import CaptioningTask
from lrcn.tasks.self_critical import SelfCriticalTask
from lrcn.tasks.task import Task
from lrcn.text.vocabulary import Vocabulary
from lrcn.train.activity_run import let_random_cnn_learn, take_normalisation
from lrcn.train.caption_config import CaptionDataConfig, CaptionExperiment
from lrcn.train.caption_examples import CaptionExamples
from lrcn.train.log import RunLog
from lrcn.train.problem import Problem
from lrcn.train.run import SPLIT_NAME, write_text
from lrcn.train.start import load_start, start_captioner
from lrcn.video.features import read_features


@dataclass(frozen=True, kw_only=True)
class CaptionData:
    """The captions of a run, divided."""

    train: CaptionList
    val: CaptionList | None
    how: str
    """How the validation part was chosen."""
    warnings: tuple[str, ...]
    skipped: tuple[SkippedFile, ...]


def prepare_captions(
    experiment: CaptionExperiment, run_dir: Path, processes: Processes, *, resume: bool
) -> Problem[CaptionBatch]:
    """Read the captions, number the words, make or load the model.

    Raises:
        LrcnError: settings or data do not allow it.
    """
    sees = experiment.model.visual != "none"
    advice: tuple[str, ...] = ()
    if experiment.dataset.semantics is not None:
        blind = replace(experiment.model, backbone=NO_BACKBONE, weights="auto", feature_layer=None)
        experiment = replace(experiment, model=blind)
    if sees:
        changed, advice = let_random_cnn_learn(
            experiment.train,
            backbone=experiment.model.backbone,
            weights=experiment.model.weights,
            init=experiment.init,
        )
        experiment = replace(experiment, train=changed)
    data = caption_parts(experiment.dataset, seed=experiment.train.seed, need_media=sees)
    if processes.is_main and not (run_dir / SPLIT_NAME).exists():
        write_text(run_dir / SPLIT_NAME, _division_text(data))
    source = _semantics(experiment, data.train)
    saved, started = _build_model(experiment, data, run_dir, source, resume=resume)

    def make_examples(processes: Processes, device: torch.device, log: RunLog) -> CaptionExamples:
        return CaptionExamples(
            experiment,
            data.train,
            data.val,
            saved.model,
            processes=processes,
            device=device,
            log=log,
            semantics=source,
        )

    return Problem(
        experiment=experiment,
        saved=saved,
        task=_task(experiment, data.train),
        make_examples=make_examples,
        item_ids=tuple(item.item_id for item in data.train.items),
        split=data.how,
        num_train=len(data.train),
        num_val=0 if data.val is None else len(data.val),
        warnings=(*advice, *started, *data.warnings),
        skipped=data.skipped,
        what=_what(data, saved.model),
    )


def _semantics(experiment: CaptionExperiment, train: CaptionList) -> SemanticSource | None:
    """The semantic predictions that are learnt from; their labels are those of training items.

    Raises:
        DataError: they are absent, or say nothing of the training items.
    """
    settings = experiment.dataset
    if settings.semantics is None:
        return None
    semantics = read_semantics(settings.semantics)
    found = (find_beliefs(semantics, item.item_id) for item in train.items)
    space = LabelSpace.build(
        [beliefs for beliefs in found if beliefs is not None],
        form=settings.semantic_form,
        reversed_words=settings.semantic_reversed,
        min_count=settings.semantic_min_count,
    )
    return SemanticSource(files=settings.semantics, space=space, semantics=semantics)


def _task(experiment: CaptionExperiment, train: CaptionList) -> Task[CaptionBatch]:
    """What is learnt: the words that people wrote, or sentences that score well."""
    if experiment.task.objective == "words":
        return CaptioningTask(experiment.task)
    if experiment.init is None:
        raise ConfigError(
            "task.objective cider_d refines a captioner that was trained on words, and none is"
            " given. Train one first, then name its run with --init"
        )
    split = splitter("ptb")
    references = {item.item_id: item.captions for item in train.items}
    return SelfCriticalTask(
        experiment.task,
        references,
        DocumentFrequencies.count(split(captions) for captions in references.values()),
        max_tokens=experiment.dataset.max_tokens,
    )


def caption_parts(
    settings: CaptionDataConfig, *, seed: int, need_media: bool = True
) -> CaptionData:
    """Read the captions of a run and divide them: by files, by their own parts, or by photo.

    Raises:
        ConfigError: no data are named.
        DataError, MissingFilesError: they cannot be trained on.
        LeakError: a photo stands on both sides.
    """
    if not settings.data:
        raise ConfigError("no data to train on: give --data DATA, a list of captions")
    listed = _widened(_read(settings, settings.data, need_media=need_media), settings.train_parts)
    val_fraction = 0.0 if settings.val_data is not None else settings.val_fraction
    division = divide_captions(listed, val_fraction=val_fraction, seed=seed)
    train, val, how = division.train, division.val, str(division.val_how or "none")
    if settings.val_data is not None:
        given = _read(settings, settings.val_data, need_media=need_media)
        own = any(item.split == "val" for item in given.items)
        val, how = select_captions(given, "val") if own else given, "given"
    parts = {"train": train, "val": val, "test": division.test}
    leaks = refuse_caption_leaks(
        {name: part for name, part in parts.items() if part is not None},
        allow_leaks=settings.allow_leaks,
    )
    warnings = [*listed.notes, *division.warnings, *(val.notes if val is not None else ())]
    if leaks:
        warnings.append(f"leaks allowed: {len(leaks)} files stand on both sides of the split")
    if settings.max_examples is not None:
        order = torch.randperm(len(train), generator=keyed_generator(seed, "subset")).tolist()
        kept = sorted(order[: settings.max_examples])
        train = with_caption_items(train, [train.items[i] for i in kept])
    return CaptionData(
        train=train,
        val=val,
        how=how,
        warnings=tuple(dict.fromkeys(warnings)),
        skipped=tuple(dict.fromkeys((*listed.skipped, *(val.skipped if val is not None else ())))),
    )


def _widened(listed: CaptionList, train_parts: str) -> CaptionList:
    """The list with those parts named train that are to be learnt from."""
    taken = {"train": (), "trainval": ("val",), "all": ("val", "test")}[train_parts]
    items = [replace(i, split="train") if i.split in taken else i for i in listed.items]
    return with_caption_items(listed, items)


def _read(settings: CaptionDataConfig, data: str, *, need_media: bool) -> CaptionList:
    need_media = need_media and settings.semantics is None
    return read_captions(
        data,
        layout=settings.layout,
        images=settings.images,
        missing=settings.missing,
        media=settings.media,
        need_media=need_media,
    )


def _division_text(data: CaptionData) -> str:
    """Who was trained on and who was held out, as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("path", "item_id", "split"))
    rows: list[tuple[CaptionItem, str]] = [(item, "train") for item in data.train.items]
    if data.val is not None:
        rows += [(item, "val") for item in data.val.items]
    writer.writerows((item.path, item.item_id, split) for item, split in rows)
    return text.getvalue()


def _build_model(
    experiment: CaptionExperiment,
    data: CaptionData,
    run_dir: Path,
    semantics: SemanticSource | None,
    *,
    resume: bool,
) -> tuple[SavedCaptioner, tuple[str, ...]]:
    """A new model, the one to start from, or the one to continue; and what it started from."""
    if resume and (run_dir / "last").is_dir():
        return load_captioner(run_dir / "last"), ()
    config, settings = experiment.model, experiment.dataset
    if semantics is not None:
        config = replace(config, feature_dim=semantics.space.feature_dim)
    elif config.visual != "none" and config.backbone == NO_BACKBONE and config.feature_dim is None:
        first = data.train.items[0]
        width = int(read_features(first.path, first.item_id).shape[1])
        config = replace(config, feature_dim=width)
    start = None if experiment.init is None else load_start(experiment.init)
    if start is not None and start.backbone is not None:
        config = replace(config, weights="random")
    if isinstance(start, Captioner):
        vocabulary = start.vocabulary
    else:
        captions = [caption for item in data.train.items for caption in item.captions]
        vocabulary = Vocabulary.build(
            captions,
            tokenizer=settings.tokenizer,
            min_count=settings.min_count,
            max_size=settings.max_size,
        )
    model = create_captioner(config, vocabulary, seed=experiment.train.seed)
    started: tuple[str, ...] = ()
    if start is not None:
        started = (start_captioner(model, start, str(experiment.init)),)
        take_normalisation(model, start)
    model.config = experiment.model if config.backbone != NO_BACKBONE else config
    saved = SavedCaptioner(
        model,
        ModelCard(data=settings.data),
        media=data.train.media,
        sampling=settings.sampling,
        decoding=experiment.decoding,
        semantics=None if semantics is None else semantics.space,
    )
    return saved, started


def _what(data: CaptionData, model: Captioner) -> str:
    """One line on what is trained on what."""
    val = "none" if data.val is None else f"{len(data.val)} ({data.how})"
    size = sum(p.numel() for p in model.parameters())
    captions = sum(len(item.captions) for item in data.train.items)
    return (
        f"{model.config.kind} on {model.config.backbone}, {size:,} weights,"
        f" {len(model.vocabulary):,} words; {len(data.train)} training {data.train.media}s with"
        f" {captions} captions, validation: {val}"
    )
