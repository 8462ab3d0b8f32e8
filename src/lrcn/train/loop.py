"""The training loop: one for frozen, joint and staged training, for one process or several.

::

    for every epoch
        for every batch of the epoch            keyed by (seed, epoch): the same after a resume
            loss = sum over valid steps / their number over all processes and slices
            backward, add up over processes, clip, step, mean weights
        validate, keep the best, save `last`

Nothing random is remembered: dropout is keyed by (seed, step), data by (seed, epoch, index).
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic

import torch
from torch import Tensor

from lrcn.checkpoint import ModelCard, Saved, save_model
from lrcn.engine import Processes, autocast_train
from lrcn.errors import TrainingDivergedError
from lrcn.nn.backbone import find_layer, freeze_batch_norm, set_trainable
from lrcn.tasks.task import BatchT, Task
from lrcn.train.config import TrainConfig
from lrcn.train.examples import Examples
from lrcn.train.log import RunLog
from lrcn.train.optim import MeanWeights, clip_gradients, lr_factor, make_optimizer, set_lr
from lrcn.train.state import Progress, has_state, load_state, save_state
from lrcn.train.step import fitting_rows, seed_step, split_batch, step_seed
from lrcn.train.stop import stop_on_signal
from lrcn.train.validate import Score, is_better


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A span of epochs in which the same parts learn; each has its own schedule."""

    first_epoch: int
    end_epoch: int
    joint: bool
    """Whether the CNN learns too."""


def stages(config: TrainConfig, num_epochs: int) -> list[Stage]:
    """The stages of a training: frozen, joint, or first the one and then the other.

    >>> [(s.first_epoch, s.end_epoch, s.joint) for s in stages(TrainConfig(unfreeze_at=6), 9)]
    [(0, 6, False), (6, 9, True)]
    """
    border = num_epochs if config.unfreeze_at is None else min(config.unfreeze_at, num_epochs)
    found = []
    if border > 0:
        found.append(Stage(first_epoch=0, end_epoch=border, joint=False))
    if border < num_epochs:
        found.append(Stage(first_epoch=border, end_epoch=num_epochs, joint=True))
    return found


@dataclass(kw_only=True)
class Trainer(Generic[BatchT]):
    """A training under way: the parts, and where it stands."""

    config: TrainConfig
    saved: Saved
    task: Task[BatchT]
    examples: Examples[BatchT]
    processes: Processes
    device: torch.device
    dtype: torch.dtype
    run_dir: Path
    log: RunLog
    fingerprint: str
    progress: Progress = field(default_factory=Progress)
    stop_requested: bool = False
    preparing: bool = False
    """While features are made a stop need not wait: what is done is cached."""

    def __post_init__(self) -> None:
        self.model = self.saved.model.to(self.device)
        self.optimizer = make_optimizer(self.model.parts(), self.config)
        decay = self.config.ema_decay
        self.mean_weights = MeanWeights(self.model, decay) if decay is not None else None

    def restore(self) -> bool:
        """Continue from `last` where there is one; whether there was."""
        folder = self.run_dir / "last"
        if not has_state(folder):
            return False
        self.progress = load_state(
            folder, self.optimizer, self.mean_weights, fingerprint=self.fingerprint
        )
        return True

    def fit(self) -> Progress:
        """Train to the end, or until a stop is requested (Ctrl-C): then the state is saved.

        Raises:
            KeyboardInterrupt: after saving, when a stop was requested.
            TrainingDivergedError: the loss became infinite or no number.
        """
        joint: bool | None = None
        try:
            with stop_on_signal(self._stop):
                while not self.progress.finished and (stage := self._stage()) is not None:
                    if stage.joint is not joint:
                        self.preparing = True
                        self._begin_stage(stage)
                        self.preparing = False
                        joint = stage.joint
                    self._train_epoch(stage)
                    self._end_epoch()
        except KeyboardInterrupt as stop:
            raise KeyboardInterrupt(
                stop.args[0] if stop.args else f"stopped. {self._how_to_go_on}"
            ) from None
        if not self.progress.finished:
            self.progress.finished = True
            self._save_last()
        return self.progress

    def _stop(self) -> None:
        """A stop was asked for: after the step under way, or at once when asked again."""
        if self.stop_requested or self.preparing:
            raise KeyboardInterrupt(f"stopped at once. {self._how_to_go_on}")
        self.stop_requested = True
        self.log.say("stopping after this step; press Ctrl-C again to stop at once")

    @property
    def _how_to_go_on(self) -> str:
        return f"Go on with: lrcn train --resume --out {self.run_dir}"

    @property
    def num_epochs(self) -> int:
        """Epochs of the whole training."""
        config = self.config
        if config.max_steps is None:
            return config.epochs
        return math.ceil(config.max_steps / self.examples.num_batches)

    def _stage(self) -> Stage | None:
        """The stage that the next epoch belongs to; None after the last one."""
        for stage in stages(self.config, self.num_epochs):
            if stage.first_epoch <= self.progress.epoch < stage.end_epoch:
                return stage
        return None

    def _begin_stage(self, stage: Stage) -> None:
        if self.model.backbone is not None:
            set_trainable(self.model.backbone, stage.joint)
            for name in self.config.always_trained:
                set_trainable(find_layer(self.model.backbone, name), True)
            if stage.joint and self.config.freeze_batch_norm:
                freeze_batch_norm(self.model.backbone)
        self.examples.begin_stage(self.model, joint=stage.joint)
        if stage.joint and self.model.backbone is not None:
            self.model.backbone.to(memory_format=torch.channels_last)
        what = "CNN and recurrent part together" if stage.joint else "recurrent part, CNN frozen"
        self.log.say(f"training {what}: epochs {stage.first_epoch + 1} to {stage.end_epoch}")

    def _train_epoch(self, stage: Stage) -> None:
        progress, config = self.progress, self.config
        num_batches = self.examples.num_batches
        total = (stage.end_epoch - stage.first_epoch) * num_batches
        if config.max_steps is not None:
            total = min(total, config.max_steps - stage.first_epoch * num_batches)
        self.model.train()
        self.log.start_bar(f"epoch {progress.epoch + 1}/{self.num_epochs}", num_batches)
        started = time.monotonic()
        for batch in self.examples.batches(progress.epoch, progress.batch_in_epoch):
            step_in_stage = progress.step - stage.first_epoch * num_batches
            set_lr(self.optimizer, lr_factor(step_in_stage, total, config))
            self._update(batch)
            progress.seconds += time.monotonic() - started
            started = time.monotonic()
            self._after_update(num_batches)
            if progress.finished:
                break
        self.log.stop_bar()

    def _update(self, batch: BatchT) -> None:
        """One update of the weights from one batch over all processes."""
        progress, config = self.progress, self.config
        seed_step(config.seed, progress.step, self.processes.rank)
        batch = self.examples.mix(
            batch.to(self.device, non_blocking=True),
            step_seed(config.seed, progress.step, self.processes.rank + 1),
        )
        num_answers = float(self.task.count_answers(batch))
        counts = torch.tensor(
            [float(self.task.count_steps(self.model, batch)), 0.0, 0.0, num_answers],
            dtype=torch.float64,
        )
        num_steps = float(self.processes.all_reduce_sum(counts)[0])
        self.optimizer.zero_grad(set_to_none=True)
        for part in split_batch(batch, config.micro_batch_size or fitting_rows(batch)):
            with autocast_train(self.device, self.dtype):
                sums = self.task.losses(self.model, part)
            mean = sums.loss_sum / max(num_steps, 1.0) * self.task.loss_weight
            mean.backward()  # type: ignore[no-untyped-call] # torch's
            counts[1] += float(sums.loss_sum.detach())
            counts[2] += float(sums.num_correct)
        totals = self.processes.all_reduce_sum(counts)
        if not math.isfinite(float(totals[1])):
            raise TrainingDivergedError(
                f"the loss is {float(totals[1])} at step {progress.step}: training diverged."
                " Lower --train.lr, set --train.clip-norm, or use --train.precision float32"
            )
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        self.processes.sum_gradients(parameters)
        norm = clip_gradients((p for p in parameters if p.grad is not None), config.clip_norm)
        self.optimizer.step()
        if self.mean_weights is not None:
            self.mean_weights.update(self.model)
        self._count(totals, batch, norm)

    def _count(self, totals: Tensor, batch: BatchT, norm: Tensor | None) -> None:
        sums = self.progress.sums
        frames = int(batch.valid_mask_BT.sum()) * self.processes.world_size
        values = {
            "steps": float(totals[0]),
            "loss": float(totals[1]),
            "correct": float(totals[2]),
            "answers": float(totals[3]),
            "frames": float(frames),
            "norm": 0.0 if norm is None else float(norm),
            "updates": 1.0,
        }
        for key, value in values.items():
            sums[key] = sums.get(key, 0.0) + value

    def _after_update(self, num_batches: int) -> None:
        """Counters, log, checkpoint and a stop that was asked for."""
        progress, config = self.progress, self.config
        progress.step += 1
        progress.batch_in_epoch += 1
        sums = progress.sums
        loss = sums["loss"] / max(sums["steps"], 1.0)
        accuracy = sums["correct"] / max(sums["answers"], 1.0)
        if progress.step % 10 == 0 or progress.batch_in_epoch == 1:
            rate = self.optimizer.param_groups[-1]["lr"]
            self.log.write(
                "step", progress.step, {"epoch": progress.epoch, "loss": loss, "lr": rate}
            )
        speed = progress.step / progress.seconds if progress.seconds else 0.0
        frames = sums["frames"] / max(sums["updates"], 1.0) * speed
        self.log.move_bar(
            progress.batch_in_epoch, f"loss {loss:.3f} acc {accuracy:.3f} {frames:.0f} frames/s"
        )
        if config.max_steps is not None and progress.step >= config.max_steps:
            progress.finished = True
        stop = self.stop_requested and not progress.finished
        if self.processes.several:
            stop = progress.step % 10 == 0 and any(self.processes.gather_objects(stop))
        at_end = progress.batch_in_epoch >= num_batches or progress.finished
        if stop or (progress.step % config.checkpoint_every == 0 and not at_end):
            self._save_last()
        if stop:
            raise KeyboardInterrupt(
                f"stopped at step {progress.step}; everything is saved. {self._how_to_go_on}"
            )

    def _end_epoch(self) -> None:
        progress, config = self.progress, self.config
        sums = progress.sums
        values: dict[str, Any] = {
            "epoch": progress.epoch,
            "loss": sums.get("loss", 0.0) / max(sums.get("steps", 0.0), 1.0),
            "accuracy": sums.get("correct", 0.0) / max(sums.get("answers", 0.0), 1.0),
            "grad_norm": sums.get("norm", 0.0) / max(sums.get("updates", 0.0), 1.0),
            "lr": self.optimizer.param_groups[-1]["lr"],
            "seconds": round(progress.seconds, 3),
        }
        progress.epoch += 1
        progress.batch_in_epoch = 0
        progress.sums = {}
        last = progress.epoch >= self.num_epochs or progress.finished
        line = f"epoch {progress.epoch}/{self.num_epochs}: loss {values['loss']:.4f}"
        line += f", accuracy {values['accuracy']:.3f}"
        if last or progress.epoch % config.validate_every == 0:
            score = self._validate()
            if score is not None:
                values["val"] = score.to_dict()
                line += f"; validation loss {score.loss:.4f}"
                line += f", {score.name} {score.value:.3f}"
                if score.warning is not None:
                    values["warning"] = score.warning
                    line += f"\nwarning: {score.warning}"
        self.log.write("epoch", progress.step, values)
        self.log.say(line)
        if config.patience is not None and progress.epochs_without_better >= config.patience:
            self.log.say(f"no better for {config.patience} epochs: stopping early")
            progress.finished = True
        self._save_last()

    def _validate(self) -> Score | None:
        """Score the model (its mean weights where kept) and keep it when it is the best."""
        progress, config = self.progress, self.config
        with self._using_mean_weights():
            self.model.eval()
            score = self.examples.validate(self.model)
            better = score is None or is_better(score, progress, config.select_by)
            if better:
                progress.best_epoch = progress.epoch
                progress.epochs_without_better = 0
                if score is not None:
                    progress.best_key = score.key
                    progress.best_loss, progress.best_score = score.loss, score.value
                if self.processes.is_main:
                    save_model(self.run_dir / "best", self._snapshot(score))
            else:
                progress.epochs_without_better += config.validate_every
        return score

    def _snapshot(self, score: Score | None = None) -> Saved:
        card = self.saved.card
        if score is not None:
            card = ModelCard(
                data=card.data,
                results={f"val_{k}": v for k, v in score.to_dict().items()},
                protocol={"split": "val", "epoch": self.progress.epoch},
                notes=card.notes,
            )
        return self.saved.with_card(card)

    def _save_last(self) -> None:
        if not self.processes.is_main:
            return
        save_state(
            self.run_dir / "last",
            self._snapshot(),
            self.optimizer,
            self.mean_weights,
            replace(self.progress),
            fingerprint=self.fingerprint,
        )

    @contextmanager
    def _using_mean_weights(self) -> Iterator[None]:
        if self.mean_weights is None:
            yield
            return
        self.mean_weights.swap(self.model)
        try:
            yield
        finally:
            self.mean_weights.swap(self.model)
