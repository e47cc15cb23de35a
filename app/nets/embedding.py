"""What stands for a word? Numbers that are learnt: of what never changes within a series, the same at every step."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from app.nets.cells import Drawn
from app.spec.inputs import UNKNOWN


class Embedding(Drawn):
    """A row of a table for each word, side by side for several columns; all zeros for an unknown one.

    Args:
        words: how many each column has.
        width: of a row.
    """

    def __init__(self, words: Sequence[int], width: int) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(count + 1, width, padding_idx=UNKNOWN) for count in words)

    def initialise(self) -> None:
        """See `Drawn`: rows of about length 1."""
        for table in self.tables:
            assert isinstance(table, nn.Embedding)  # noqa: S101 for the type checker
            nn.init.normal_(table.weight, std=table.embedding_dim**-0.5)
            nn.init.zeros_(table.weight.data[UNKNOWN])

    def forward(self, codes: Float[Tensor, "batch time columns"]) -> Float[Tensor, "batch time width"]:
        """The rows of the first step's codes, at every step."""
        first = codes[:, :1].long()
        rows = [table(first[..., column]) for column, table in enumerate(self.tables)]
        return torch.cat(rows, dim=2).expand(-1, codes.shape[1], -1)
