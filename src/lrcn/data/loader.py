"""Batches for training, made ahead of the model: in a thread, or in worker processes.

The same batches come out in the same order whatever the number of workers, and from any batch of an
epoch on. At most `prefetch_batches` per worker wait in memory.
"""

from __future__ import annotations

import queue
import signal
import threading
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch.utils.data import DataLoader, Dataset

from lrcn.data.cache import CachedFeatures
from lrcn.data.clips import ClipDataset, FeatureDataset, label_targets
from lrcn.data.collate import collate
from lrcn.data.sampler import EpochSampler, ItemKey, class_balanced_weights, keyed_generator
from lrcn.errors import LrcnError
from lrcn.structures import ClipBatch, Example, SkippedFile

__all__ = [
    "CachedFeatures",
    "ClipDataset",
    "ClipLoader",
    "EpochSampler",
    "FeatureDataset",
    "ItemKey",
    "class_balanced_weights",
    "keyed_generator",
    "label_targets",
    "make_loader",
]

_POLL_SECONDS = 0.1


class _Made(NamedTuple):
    """What a worker sends: a batch with what was left out of it, or the error that ended it."""

    batch: ClipBatch | None
    skipped: tuple[SkippedFile, ...]
    error: LrcnError | None = None


class _BatchDataset(Dataset[_Made]):
    """Whole batches as items, so that padding happens in the worker."""

    def __init__(self, dataset: ClipDataset | FeatureDataset) -> None:
        self._dataset = dataset

    def __getitem__(self, keys: Sequence[ItemKey]) -> _Made:
        examples: list[Example] = []
        skipped: list[SkippedFile] = []
        try:
            for key in keys:
                made = self._dataset[key]
                if isinstance(made, SkippedFile):
                    skipped.append(made)
                else:
                    examples.append(made)
            batch = collate(examples or [self._dataset.stand_in()])
        except LrcnError as error:
            # As a value: torch would turn it into another text with a traceback inside.
            return _Made(None, (), error)
        return _Made(batch, tuple(skipped))


class ClipLoader:
    """Iterates the batches of the sampler's epoch; see `make_loader`."""

    def __init__(
        self,
        dataset: ClipDataset | FeatureDataset,
        sampler: EpochSampler,
        *,
        num_workers: int,
        prefetch_batches: int,
    ) -> None:
        self.sampler = sampler
        self._batches = _BatchDataset(dataset)
        self._prefetch_batches = prefetch_batches
        self._skipped: dict[str, SkippedFile] = {}
        self._workers: DataLoader[_Made] | None = None
        if num_workers > 0:
            self._workers = DataLoader(
                self._batches,
                sampler=sampler,  # its "indices" are batches of keys: hence no batch_size
                batch_size=None,
                collate_fn=_as_made,  # type: ignore[arg-type] # typed for lists only
                num_workers=num_workers,
                prefetch_factor=prefetch_batches,
                persistent_workers=True,
                worker_init_fn=_start_worker,
                # Otherwise torch draws from the global generator at every epoch, and a resumed
                # run gets other dropout masks.
                generator=torch.Generator().manual_seed(sampler.seed),
            )

    @property
    def skipped(self) -> tuple[SkippedFile, ...]:
        """Files that could not be read up to now and were left out of their batches."""
        return tuple(self._skipped.values())

    def set_epoch(self, epoch: int, start_batch: int = 0) -> None:
        """Choose what the next iteration gives."""
        self.sampler.set_epoch(epoch, start_batch)

    def __len__(self) -> int:
        return len(self.sampler)

    def __iter__(self) -> Iterator[ClipBatch]:
        """The batches from `start_batch` to the end of the epoch, one for each of the sampler's.

        A batch all of whose videos failed has no valid step, so that places in the epoch keep
        their numbers and other processes do not wait in vain.

        Raises:
            MediaError: If a video cannot be read (unless the dataset skips it).
        """
        made = iter(self._workers) if self._workers is not None else self._in_thread()
        for batch, skipped, error in made:
            if error is not None:
                raise error
            for file in skipped:
                self._skipped.setdefault(file.path, file)
            assert batch is not None
            yield batch

    def _in_thread(self) -> Iterator[_Made]:
        """Make batches ahead in a thread; decoding and resizing let go of the interpreter."""
        ready: queue.Queue[_Made | BaseException | None] = queue.Queue(self._prefetch_batches)
        stop = threading.Event()

        def put(value: _Made | BaseException | None) -> bool:
            while not stop.is_set():
                try:
                    ready.put(value, timeout=_POLL_SECONDS)
                except queue.Full:
                    continue
                return True
            return False

        def work() -> None:
            try:
                for keys in self.sampler:
                    if not put(self._batches[keys]):
                        return
                put(None)
            except BaseException as error:
                put(error)

        thread = threading.Thread(target=work, name="lrcn-loader", daemon=True)
        thread.start()
        try:
            while (made := ready.get()) is not None:
                if isinstance(made, BaseException):
                    raise made
                yield made
        finally:
            stop.set()
            thread.join()


def make_loader(
    dataset: ClipDataset | FeatureDataset,
    sampler: EpochSampler,
    *,
    num_workers: int = 0,
    prefetch_batches: int = 2,
) -> ClipLoader:
    """A loader whose batches are made ahead of the model.

    Args:
        dataset: What makes examples from the sampler's keys.
        sampler: Which batches; `set_epoch` on the loader sets it.
        num_workers: Processes that make batches; 0 makes them in one thread of this process.
        prefetch_batches: How many finished batches may wait, for each worker.
    """
    return ClipLoader(dataset, sampler, num_workers=num_workers, prefetch_batches=prefetch_batches)


def _as_made(made: _Made) -> _Made:
    """Instead of torch's conversion, which takes a batch apart."""
    return made


def _start_worker(_worker: int) -> None:
    """Leave Ctrl-C to the parent, which saves and then stops its workers; one thread each."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
