"""Which autoencoders does a network have, and does a phase teach them to rebuild what they read?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from app.errors import Fault
from app.spec.blocks import Autoencoder, Block, Connect, Stack
from app.spec.training import Phase, Training


def autoencoders(blocks: Sequence[Block]) -> Iterator[tuple[int, Autoencoder]]:
    """Those that a forecast runs, in document order, each with the number of the outermost block that it is in.

    Args:
        blocks: of the outermost stack.
    """
    for number, block in enumerate(blocks):
        yield from ((number, found) for found in _within(block))


def _within(block: Block) -> Iterator[Autoencoder]:
    match block:
        case Autoencoder():
            yield block
            yield from _within(block.encoder)  # its decoder runs in no forecast
        case Stack():
            for one in block.blocks * block.repeat:
                yield from _within(one)
        case Connect():
            for one in block.branches[: 1 if block.share_weights else None]:
                yield from _within(one)
        case _:
            return


def reconstruct_faults(blocks: Sequence[Block], training: Training, phase: Phase, pointer: str) -> Iterator[Fault]:
    """What is wrong with a phase `reconstruct`.

    Args:
        blocks: of the outermost stack.
        training: that it is a phase of.
        phase: the phase.
        pointer: its JSON pointer.
    """
    if not any(autoencoders(blocks)):
        sentence = "the network has no block 'autoencoder', so there is nothing to rebuild; put one in, or leave the phase out"
        yield Fault(f"{pointer}/learn", "inert", sentence)
    elif training.phases[-1] is phase:
        sentence = "nothing learns to forecast from the codes that the last phase leaves; put {'learn': 'all'} or another phase behind it"
        yield Fault(f"{pointer}/learn", "no_forecast", sentence)


def reconstruct_warnings(blocks: Sequence[Block], training: Training) -> Iterator[str]:
    """What is allowed and may surprise: an autoencoder that is never taught to rebuild anything.

    Args:
        blocks: of the outermost stack.
        training: of the network.
    """
    if any(phase.learn == "reconstruct" for phase in training.phases):
        return
    for number, found in autoencoders(blocks):
        called = repr(found.name) if found.name else f"in block {number + 1}"
        yield f"the autoencoder {called} learns its code with the forecast, and its decoder nothing; a phase 'reconstruct' would teach both"
