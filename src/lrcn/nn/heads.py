"""What reads the recurrent outputs: a classifier over time steps."""

from __future__ import annotations

import torch
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
