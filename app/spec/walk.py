"""What is known of a document while it is followed? What each block gives, who reads it, and what was found wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from app.errors import Fault, SpecError
from app.spec.blocks import Block
from app.spec.forecaster import ForecasterSpec
from app.spec.limits import NetworkLimits
from app.spec.shapes import VECTOR, window_steps


@dataclass(frozen=True)
class BlockShape:
    """One row of the table of blocks.

    Attributes:
        pointer: where it stands in the document.
        kind: its kind.
        name: what its output is called by, or empty.
        reads: where its input comes from.
        width: size of each step of its output.
        parameters: trainable numbers.
        multiply_adds: of one window.
    """

    pointer: str
    kind: str
    name: str
    reads: tuple[str, ...]
    width: int
    parameters: int
    multiply_adds: int


@dataclass
class Output:
    """What a block or an input gives.

    Attributes:
        label: what it is called in sentences.
        pointer: where it stands in the document.
        width: of each step.
        pace: steps of the context that each of its own stands for, see `shapes.py`.
        is_read: whether something reads it.
    """

    label: str
    pointer: str
    width: int
    pace: int = 1
    is_read: bool = False


@dataclass
class Shared:
    """A block with a name, as others may share it.

    Attributes:
        block: what it is.
        width: of what it reads.
        pace: of what it reads.
        output: what it gives.
        multiply_adds: of one run.
    """

    block: Block
    width: int
    pace: int
    output: Output
    multiply_adds: int


@dataclass
class Walk:
    """A document being followed.

    Attributes:
        spec: the document.
        limits: what the deployment allows.
        base: JSON pointer of the document.
        names: of all its blocks, whether they have been met or not.
        is_forked: whether what is followed must give its answer at every step.
        known: inputs, and blocks that have been met, by name.
        blocks: the same blocks, as others may share them.
        outputs: of all blocks that have been met.
        faults: what was found.
        rows: the table.
        activations: numbers that training keeps of a window.
        series_blocks: blocks that take the target apart, so far.
    """

    spec: ForecasterSpec
    limits: NetworkLimits
    base: str
    names: frozenset[str]
    is_forked: bool
    known: dict[str, Output] = field(default_factory=dict)
    blocks: dict[str, Shared] = field(default_factory=dict)
    outputs: list[Output] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    rows: list[BlockShape] = field(default_factory=list)
    activations: int = 0
    series_blocks: int = 0

    def fault(self, pointer: str, code: str, detail: str) -> None:
        """Note what is wrong."""
        self.faults.append(Fault(pointer, code, f"{pointer.removeprefix('#/').replace('/', '.')}: {detail}"))

    def refuse(self) -> NoReturn:
        """End here.

        Raises:
            SpecError: what was found so far.
        """
        raise SpecError("; ".join(fault.detail for fault in self.faults[:3]), faults=tuple(self.faults))

    def steps(self, pace: int) -> int:
        """Steps that a sequence of this pace has in a training window, of a context of 1 where it is not known yet."""
        if pace == VECTOR:
            return self.steps(1) if self.is_forked else 1
        return max(window_steps(self.spec) // pace, 1)

    def read(self, outputs: Sequence[Output], pointer: str) -> Output:
        """What a block reads, side by side."""
        for output in outputs:
            output.is_read = True
        if len({output.pace for output in outputs}) > 1:
            told = ", ".join(f"{output.label} {_paced(output.pace)}" for output in outputs)
            sentence = f"what is put together must have the same steps: {told}; even them with 'last', 'mean', 'attend' or 'segment'"
            self.fault(pointer, "unequal_steps", sentence)
        first = outputs[0]
        return first if len(outputs) == 1 else Output(first.label, first.pointer, sum(one.width for one in outputs), first.pace)

    def output(self, block: Block, pointer: str, width: int, pace: int = 1) -> Output:
        """Note what a block gives."""
        output = Output(f"the block {block.name!r}" if block.name else f"the {block.kind} at {pointer}", pointer, width, pace)
        self.outputs.append(output)
        return output

    def row(self, block: Block, pointer: str, reads: Sequence[Output], width: int, parameters: int, multiply_adds: int) -> None:
        """A row of the table: of a block of its own."""
        self.rows.append(BlockShape(pointer, block.kind, block.name or "", labels(reads), width, parameters, multiply_adds))

    def part(self, kind: str, pointer: str, reads: Sequence[Output], width: int, parameters: int, steps: int) -> None:
        """A row of the table: of what a combinator adds to its blocks, where that has weights."""
        if parameters:
            self.rows.append(BlockShape(pointer, kind, "", labels(reads), width, parameters, parameters * steps))


def labels(outputs: Sequence[Output]) -> tuple[str, ...]:
    """What outputs are called."""
    return tuple(output.label for output in outputs)


def _paced(pace: int) -> str:
    match pace:
        case 0:
            return "gives one vector"
        case 1:
            return "gives every step"
        case _:
            return f"gives one step for each {pace}"
