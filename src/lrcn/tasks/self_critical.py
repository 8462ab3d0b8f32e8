"""Learning to be scored well: sentences drawn, rewarded by CIDEr-D (Rennie et al., 1612.00563).

The loss of a row is -(CIDEr-D of a drawn sentence - CIDEr-D of the greedy one) times the drawn
sentence's log-probability: what beats the model's own best guess becomes likelier. No deviation
that the score does not see is punished, so it refines a trained captioner and makes no new one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lrcn.decoding.describe import describe
from lrcn.decoding.options import DecodingOptions
from lrcn.metrics.caption_scores import score_captions
from lrcn.metrics.document_frequencies import DocumentFrequencies
from lrcn.models.image_captioner import Captioner
from lrcn.structures import IGNORE_INDEX, Caption, CaptionBatch
from lrcn.tasks.captioning import CaptioningConfig, visual_features
from lrcn.tasks.task import LossSums, Task


class SelfCriticalTask(Task[CaptionBatch]):
    """The loss of sentences that the model says itself.

    Args:
        config: Its settings.
        references: Item id → what people wrote about it.
        frequencies: Document frequencies of the training captions.
        max_tokens: Longest sentence drawn, its end counted.
    """

    def __init__(
        self,
        config: CaptioningConfig,
        references: Mapping[str, Sequence[str]],
        frequencies: DocumentFrequencies,
        *,
        max_tokens: int,
    ) -> None:
        self.config = config
        self.loss_weight = config.loss_weight
        self.references = references
        self.frequencies = frequencies
        self.greedy = DecodingOptions(method="greedy", max_tokens=max_tokens, allow_unk=True)
        self.drawn = DecodingOptions(
            method="sample", num_samples=1, max_tokens=max_tokens, allow_unk=True
        )

    def losses(self, model: nn.Module, batch: CaptionBatch) -> LossSums:
        """See `Task.losses`: a step is a sentence, right where it beats the greedy one."""
        captioner = cast(Captioner, model)
        features_BTD = visual_features(captioner, batch)
        greedy, drawn = self._say(captioner, features_BTD.detach(), batch.valid_mask_BT)
        rewards_B = self._scores(batch.item_ids, drawn) - self._scores(batch.item_ids, greedy)
        counts_B = _counting(batch)
        rewards_B = torch.where(counts_B, rewards_B.to(counts_B.device), 0.0)
        inputs_BL, targets_BL = _as_tensors(drawn, captioner, features_BTD.device)
        state = captioner.start(features_BTD, batch.valid_mask_BT)
        logits_BLV = captioner.unroll(inputs_BL, state).float()
        loss_BL = F.cross_entropy(
            logits_BLV.transpose(1, 2), targets_BL, ignore_index=IGNORE_INDEX, reduction="none"
        )
        return LossSums(
            loss_sum=(rewards_B * loss_BL.sum(dim=1)).sum(), num_correct=(rewards_B > 0).sum()
        )

    def count_steps(self, model: nn.Module, batch: CaptionBatch) -> int:
        """See `Task.count_steps`: sentences."""
        del model
        return self.count_answers(batch)

    def count_answers(self, batch: CaptionBatch) -> int:
        """See `Task.count_answers`: sentences."""
        return int(_counting(batch).sum())

    def _say(
        self, model: Captioner, features_BTD: Tensor, valid_mask_BT: Tensor
    ) -> tuple[list[Caption], list[Caption]]:
        """The greedy sentence and a drawn one of every row, without dropout.

        The seed comes from torch's generator, which the loop keys to the step, as for dropout.
        """
        seed = int(torch.randint(2**31, ()))
        learning = model.training
        model.eval()
        try:
            greedy = describe(model, features_BTD, valid_mask_BT, options=self.greedy)
            rows = range(len(features_BTD))
            drawn = describe(
                model, features_BTD, valid_mask_BT, options=self.drawn, seed=seed, row_keys=rows
            )
        finally:
            model.train(learning)
        return [found[0] for found in greedy], [found[0] for found in drawn]

    def _scores(self, item_ids: Sequence[str], captions: Sequence[Caption]) -> Tensor:
        """CIDEr-D of every row, float32."""
        rows = [str(row) for row in range(len(item_ids))]
        scores = score_captions(
            {row: self.references[item] for row, item in zip(rows, item_ids, strict=True)},
            {row: caption.text for row, caption in zip(rows, captions, strict=True)},
            metrics=("cider_d",),
            frequencies=self.frequencies,
        )
        by_row = dict(zip(scores.ids, scores.per_item["cider_d"].tolist(), strict=True))
        return torch.tensor([by_row[row] for row in rows])


def _counting(batch: CaptionBatch) -> Tensor:
    """B, bool: False for a stand-in."""
    return (batch.targets_BL != IGNORE_INDEX).any(dim=1)


def _as_tensors(
    captions: Sequence[Caption], model: Captioner, device: torch.device
) -> tuple[Tensor, Tensor]:
    """inputs_BL and targets_BL of sentences that the model said."""
    longest = max(len(caption.token_ids) for caption in captions)
    words = model.vocabulary
    inputs_BL = torch.full((len(captions), longest), words.pad_id)
    targets_BL = torch.full((len(captions), longest), IGNORE_INDEX)
    for row, caption in enumerate(captions):
        ids = caption.token_ids
        inputs_BL[row, : len(ids)] = torch.tensor([words.bos_id, *ids[:-1]])
        targets_BL[row, : len(ids)] = torch.tensor(ids)
    return inputs_BL.to(device), targets_BL.to(device)
