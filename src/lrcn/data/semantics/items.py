"""Semantic predictions in place of a CNN: the vectors of captioned items, by their ids."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch

from lrcn.data.semantics.read import Beliefs, find_beliefs, read_semantics
from lrcn.data.semantics.space import LabelSpace
from lrcn.errors import ConfigError, DataError
from lrcn.structures import CaptionItem, SkippedFile, VideoFeatures, VideoInfo


@dataclass(frozen=True, kw_only=True)
class SemanticSource:
    """Predictions of items, and how a model takes them."""

    files: str
    """Where they come from; see `read_semantics`."""
    space: LabelSpace
    semantics: Mapping[str, Beliefs]
    noise: float = 0.0
    """Share 0...1 of every distribution that goes to false labels."""
    seed: int = 0
    """Of the noise."""

    def __post_init__(self) -> None:
        if not 0 <= self.noise <= 1:
            raise ConfigError(
                f"the noise of semantic predictions is {self.noise}; a share from 0 to 1 is"
                " allowed. Choose one, 0 for none"
            )

    @classmethod
    def read(
        cls, files: str, space: LabelSpace, *, noise: float = 0.0, seed: int = 0
    ) -> SemanticSource:
        """Of files, for a model that was trained with these labels.

        Raises:
            ConfigError: the noise is no share.
            DataError: a file is absent or not understood, or has no node of the model's.
        """
        semantics = read_semantics(files)
        given = {node: None for beliefs in semantics.values() for node in beliefs}
        if not set(given) & set(space.nodes):
            raise DataError(
                f"{files} has the nodes {', '.join(given) or 'none'}; the model was trained with"
                f" {', '.join(space.nodes)}, and at least one of them is needed. Rename them"
                " (name=FILE names the node of a results file)"
            )
        return cls(files=files, space=space, semantics=semantics, noise=noise, seed=seed)

    @property
    def description(self) -> str:
        """One line for records."""
        noise = f", noise {self.noise:g} (seed {self.seed})" if self.noise else ""
        return f"semantic predictions of {self.files}, form {self.space.form}{noise}"

    def extract(self, items: Sequence[CaptionItem]) -> Iterator[VideoFeatures | SkippedFile]:
        """features_VTD of every item (V = 1), in order, or why there are none."""
        for item in items:
            beliefs = find_beliefs(self.semantics, item.item_id)
            if beliefs is None:
                reason = f"{self.files} says nothing of {item.item_id}"
                yield SkippedFile(path=item.path, reason=reason)
                continue
            features_TD = self.space.features(
                beliefs, noise=self.noise, seed=self.seed, key=item.item_id
            )
            time = len(features_TD)
            yield VideoFeatures(
                video_id=item.item_id,
                features_VTD=features_TD[None],
                pts_seconds_T=torch.arange(time, dtype=torch.float64),
                frame_indices_T=torch.arange(time),
                info=VideoInfo(height=0, width=0, num_frames=time, container="semantics"),
            )
