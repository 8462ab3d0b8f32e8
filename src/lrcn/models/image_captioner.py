"""Sentences about photos and videos: LRCN for description (paper 3), step by step or at once.

::

    frames ─ backbone ─► features_BTD ─ mean over valid frames ─► static input ─┐
    previous word ─ embedding ─► layer 1 ─► layer 2 (factored: here) ◄──────────┘ ─► logits_NV

An image is a video of one frame. The static input's share of the gates is computed once
(`start`); equal to concatenating it to every word (paper 1.4). Where the order of frames counts
`start` reads them one after the other (`models.video_captioner`); all else stays the same.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple, TypedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lrcn.errors import ConfigError
from lrcn.models.captioner_config import CaptionerConfig
from lrcn.models.video_captioner import FrameEncoder, SharedStack
from lrcn.models.visual import NO_BACKBONE, VisualModel, make_backbone, with_parameters
from lrcn.nn.backbone import Backbone
from lrcn.nn.heads import WordPredictor
from lrcn.nn.recurrent import Recurrent, State, Unit, state_select
from lrcn.nn.seeding import seeded
from lrcn.nn.units import Init
from lrcn.structures import Preprocessing
from lrcn.text.embeddings import read_embeddings
from lrcn.text.vocabulary import Vocabulary

__all__ = ["CaptionState", "Captioner", "CaptionerConfig", "create_captioner"]

_PAPER_RANGE = 0.08
_PAPER_RESIZE_PX = 256


class CaptionState(NamedTuple):
    """Everything that the next word depends on, one row per sentence under way."""

    recurrent: State
    static_gates_NG: Tensor | None
    """What the picture adds to the gates of its layer; None for a language model."""


class Captioner(VisualModel):
    """Features and the words so far in, logits of the next word out.

    Attributes:
        config: As given.
        vocabulary: The words, by id.
        embedding: V x E.
        encoder: Reads the frames where they have layers of their own; else None.
        recurrent: The layers that speak (and, where shared, read).
    """

    def __init__(
        self,
        config: CaptionerConfig,
        vocabulary: Vocabulary,
        *,
        backbone: Backbone | None,
        feature_dim: int,
        preprocessing: Preprocessing | None = None,
    ) -> None:
        """Make the network; weights are drawn from torch's current generator."""
        super().__init__(backbone=backbone, feature_dim=feature_dim, preprocessing=preprocessing)
        self.config = config
        self.vocabulary = vocabulary
        self.embedding = nn.Embedding(len(vocabulary), config.embedding_size)
        self.encoder: FrameEncoder | None = None
        self.recurrent: Recurrent | SharedStack
        if config.visual == "encoder":
            self.encoder = FrameEncoder(feature_dim, *_sizes(config), **_unit(config))
        if config.visual == "shared":
            self.recurrent = SharedStack(feature_dim, *_sizes(config), **_unit(config))
        else:
            self.recurrent = Recurrent(
                *_sizes(config),
                static_size=0 if config.reads_frames else feature_dim,
                static_layer=0 if config.reads_frames or not feature_dim else config.static_layer,
                **_unit(config),
            )
        self.predictor = WordPredictor(
            config.hidden_size, len(vocabulary), dropout=config.output_dropout, tied=config.tied
        )
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        """Paper 3.4: all weights uniform in 0.08, biases 0."""
        with torch.no_grad():
            if self.config.init == "modern":
                self.embedding.weight.normal_(std=self.config.embedding_size**-0.5)
                return
            for part in (self.embedding, self.encoder, self.recurrent, self.predictor):
                for parameter in () if part is None else part.parameters():
                    if parameter.ndim > 1:
                        parameter.uniform_(-_PAPER_RANGE, _PAPER_RANGE)
                    else:
                        parameter.zero_()

    def start(self, features_BTD: Tensor, valid_mask_BT: Tensor | None = None) -> CaptionState:
        """The state before the first word.

        Args:
            features_BTD: Of the frames; a photo has T = 1. A language model only looks at B.
            valid_mask_BT: bool, True where a frame is real; None when all are. What stands
                elsewhere does not matter.

        Raises:
            ValueError: the features are not those of the model's backbone, or a row has no frame.
        """
        if features_BTD.ndim != 3:
            raise ValueError(f"features must be B x T x D, not {tuple(features_BTD.shape)}")
        if self.config.visual == "none":
            return CaptionState(self._silence(len(features_BTD)), None)
        if features_BTD.shape[2] != self.feature_dim:
            raise ValueError(
                f"features are {features_BTD.shape[2]} wide, the model takes {self.feature_dim};"
                " features of one backbone do not fit a model made for another"
            )
        dtype, share = self.embedding.weight.dtype, self.config.feature_dropout
        reader = self.recurrent if isinstance(self.recurrent, SharedStack) else self.encoder
        if reader is not None:
            features_BTD = F.dropout(features_BTD.to(dtype), share, self.training)
            return CaptionState(reader.read(features_BTD, valid_mask_BT), None)
        assert isinstance(self.recurrent, Recurrent)
        static_BD = _mean_of_frames(features_BTD, valid_mask_BT).to(dtype)
        static_BD = F.dropout(static_BD, share, self.training)
        gates_BG = self.recurrent.static_gates(static_BD)
        return CaptionState(self._silence(len(features_BTD)), gates_BG)

    def _silence(self, num_rows: int) -> State:
        assert isinstance(self.recurrent, Recurrent)
        return self.recurrent.initial_state(num_rows)

    def step(self, token_ids_N: Tensor, state: CaptionState) -> tuple[Tensor, CaptionState]:
        """The next word's logits_NV after one more word per row, and the state after it."""
        embedded_NE, recurrent = self._embed(token_ids_N), state.recurrent
        if isinstance(self.recurrent, SharedStack):
            outputs_NR, recurrent = self.recurrent.step(embedded_NE, recurrent)
        else:
            outputs_NR, recurrent = self.recurrent.step(
                embedded_NE, recurrent, static_gates_NG=state.static_gates_NG
            )
        return self.words(outputs_NR), CaptionState(recurrent, state.static_gates_NG)

    def reorder(self, state: CaptionState, source_rows_N: Tensor) -> CaptionState:
        """The state of some rows, in this order; rows may be repeated or left out."""
        gates_NG = state.static_gates_NG
        if gates_NG is not None:
            gates_NG = gates_NG.index_select(0, source_rows_N)
        return CaptionState(state_select(state.recurrent, source_rows_N), gates_NG)

    def unroll(self, inputs_BL: Tensor, state: CaptionState) -> Tensor:
        """logits_BLV: at each place those of the word after it, as `step` would give them."""
        return self.words(self.outputs(inputs_BL, state))

    def outputs(self, inputs_BL: Tensor, state: CaptionState) -> Tensor:
        """outputs_BLR of the recurrent layers, which `words` reads: cheaper where few are needed.

        Args:
            inputs_BL: int64, `<bos>` and the words; what follows the end changes nothing before.
            state: From `start`.
        """
        embedded_BLE = self._embed(inputs_BL)
        if isinstance(self.recurrent, SharedStack):
            return self.recurrent.unroll(embedded_BLE, state.recurrent)
        outputs_BLR, _ = self.recurrent.unroll(
            embedded_BLE, state.recurrent, static_gates_BG=state.static_gates_NG
        )
        return outputs_BLR

    def words(self, outputs: Tensor) -> Tensor:
        """Logits (... x V) of the recurrent layers' outputs (... x R)."""
        logits: Tensor = self.predictor(outputs, self.embedding.weight)
        return logits

    def _embed(self, token_ids: Tensor) -> Tensor:
        embedded = self.embedding(token_ids)
        return F.dropout(embedded, self.config.embedding_dropout, self.training)

    def parts(self) -> dict[str, nn.Module]:
        """See `VisualModel.parts`."""
        return with_parameters(
            {
                "backbone": self.backbone,
                "embedding": self.embedding,
                "encoder": self.encoder,
                "recurrent": self.recurrent,
                "head": self.predictor,
            }
        )


def create_captioner(
    config: CaptionerConfig,
    vocabulary: Vocabulary,
    *,
    seed: int = 0,
    preprocessing: Preprocessing | None = None,
) -> Captioner:
    """Make a captioner; the global generator is not touched.

    Args:
        config: What it consists of.
        vocabulary: Its words.
        seed: Of every weight that is drawn.
        preprocessing: In place of the backbone's own.

    Raises:
        ConfigError: the backbone or a setting of it is unknown, or word vectors do not fit.
        WeightsError: the backbone's weights cannot be had.
    """
    backbone = None
    if config.backbone != NO_BACKBONE and config.visual != "none":
        backbone = _backbone(config, seed, preprocessing)
    feature_dim = backbone.feature_dim if backbone is not None else config.feature_dim
    if config.visual == "none":
        feature_dim = 0
    if feature_dim is None:
        raise ConfigError('backbone "none" needs feature_dim, the width of the features')
    with seeded(seed):
        model = Captioner(
            config,
            vocabulary,
            backbone=backbone,
            feature_dim=feature_dim,
            preprocessing=backbone.preprocessing if backbone is not None else preprocessing,
        )
    if config.embeddings is not None:
        _take_embeddings(model, config.embeddings)
    return model


def _backbone(config: CaptionerConfig, seed: int, preprocessing: Preprocessing | None) -> Backbone:
    backbone = make_backbone(
        config.backbone,
        weights=config.weights,
        feature_layer=config.feature_layer,
        input_px=config.input_px,
        crop_fraction=config.crop_fraction,
        feature_dim=config.feature_dim,
        seed=seed,
        preprocessing=preprocessing,
    )
    own = backbone.preprocessing
    if preprocessing is None and own.resize_mode == "squash":
        # Paper 3.4: photos are squashed to a square before the crop, videos keep 4:3.
        side = max(_PAPER_RESIZE_PX, own.input_px)
        backbone.preprocessing = replace(own, resize_height=side, resize_width=side)
    return backbone


class _Unit(TypedDict):
    unit: Unit
    dropout: float
    init: Init


def _unit(config: CaptionerConfig) -> _Unit:
    """What all recurrent layers of a model have in common."""
    return {"unit": config.unit, "dropout": config.output_dropout, "init": config.init}


def _sizes(config: CaptionerConfig) -> tuple[int, int, int]:
    return config.embedding_size, config.hidden_size, config.num_layers


def _take_embeddings(model: Captioner, path: str) -> None:
    tokens = model.vocabulary.tokens
    found = read_embeddings(path, tokens, model.config.embedding_size)
    with torch.no_grad():
        for row, token in enumerate(tokens):
            if token in found:
                model.embedding.weight[row] = torch.from_numpy(found[token])


def _mean_of_frames(features_BTD: Tensor, valid_mask_BT: Tensor | None) -> Tensor:
    """static_BD, the mean of the valid frames' features."""
    if valid_mask_BT is None or features_BTD.shape[1] == 1:
        return features_BTD.mean(dim=1)
    counts_B1 = valid_mask_BT.sum(dim=1, keepdim=True)
    if not bool((counts_B1 > 0).all()):
        raise ValueError("every row needs a valid frame; one has none")
    sums_BD = features_BTD.masked_fill(~valid_mask_BT[..., None], 0.0).sum(dim=1)
    return sums_BD / counts_B1.to(sums_BD.dtype)
