"""What reads the recurrent outputs: a classifier over time steps, a predictor of words."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lrcn.nn.units import Init


class StepClassifier(nn.Module):
    """Dropout and one linear layer, the same at every step (paper 2.3: "fc8-final").

    Paper: the dropout after the LSTM stack is here, 0.5.
    """

    def __init__(
        self, input_size: int, num_classes: int, *, dropout: float = 0.5, init: Init = "modern"
    ) -> None:
        """Make the layer; weights are drawn from torch's current generator.

        Args:
            input_size: Width of what it reads.
            num_classes: K.
            dropout: 0...1, in training.
            init: "paper": gaussian of standard deviation 0.01; "modern": Xavier. Bias 0.
        """
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(input_size, num_classes)
        with torch.no_grad():
            if init == "paper":
                nn.init.normal_(self.linear.weight, std=0.01)
            else:
                nn.init.xavier_uniform_(self.linear.weight)
            self.linear.bias.zero_()

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits (... x K) of inputs (... x input_size)."""
        logits: Tensor = self.linear(self.dropout(inputs))
        return logits


class WordPredictor(nn.Module):
    """Dropout and one linear layer to the vocabulary (paper 3.1: "predict")."""

    weight: nn.Parameter | None

    def __init__(
        self, input_size: int, vocab_size: int, *, dropout: float = 0.0, tied: bool = False
    ) -> None:
        """Make the layer; weights are drawn from torch's current generator.

        Args:
            input_size: Width of what it reads.
            vocab_size: V.
            dropout: 0...1, in training.
            tied: It has no weights of its own but uses those of the word embedding.
        """
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.bias = nn.Parameter(torch.zeros(vocab_size))
        self.weight = None if tied else nn.Parameter(torch.empty(vocab_size, input_size))
        if self.weight is not None:
            with torch.no_grad():
                nn.init.xavier_uniform_(self.weight)

    def forward(self, inputs: Tensor, tied_weight_VR: Tensor) -> Tensor:
        """Logits (... x V) of inputs (... x R), with the given weights where it is tied."""
        weight_VR = tied_weight_VR if self.weight is None else self.weight
        return F.linear(self.dropout(inputs), weight_VR, self.bias)
