"""What can be rebuilt from a code? An encoder makes the code of a sequence; a decoder, which no forecast runs, the sequence of the code."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from app.nets.blocks import Affine
from app.nets.run import Run


class Autoencoder(nn.Module):
    """c_t = C e_t + d, e the encoder's output; the rebuilt sequence is R f(c_T, c_T, ...) + r, f the decoder.

    Args:
        encoder: the encoder.
        encoded: width of what it gives.
        code: units of the code.
        decoder: the decoder.
        decoded: width of what it gives.
        width: of the sequence.
        every_step: whether a code is wanted after every step, or of the newest alone.
    """

    def __init__(
        self, encoder: nn.Module, encoded: int, code: int, decoder: nn.Module, decoded: int, width: int, *, every_step: bool
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.code = Affine(encoded, code, "linear")
        self.decoder = decoder
        self.rebuilt = Affine(decoded, width, "linear")
        self._every_step = every_step

    def forward(self, sequence: Float[Tensor, "batch time width"], run: Run) -> Float[Tensor, "batch codes code"]:
        """The code of the newest step; of every step where those are wanted."""
        encoded: Tensor = self.encoder(sequence, run)
        codes: Tensor = self.code(encoded if self._every_step else encoded[:, -1:], run)
        return codes

    def rebuild(self, sequence: Float[Tensor, "batch time width"], run: Run) -> Float[Tensor, "batch time width"]:
        """The sequence as its decoder has it from the code of the whole."""
        code = self(sequence, run)[:, -1:].expand(-1, sequence.shape[1], -1)
        rebuilt: Tensor = self.rebuilt(self.decoder(code, run), run)
        return rebuilt
