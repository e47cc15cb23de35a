"""Which windows does a stage learn from, and what of the network has not seen them?

    one series    |--- fold 1 ---|--- fold 2 ---|--- fold 3 ---|       a block of time each
    without 2      ------------.                .--------------        no window that shares a value with one of fold 2
    many series    every third is of the same fold                     no window shares a value with another series

A branch gives better outputs for windows that it has learnt from than for those to come. What learns on its outputs must not rely on that
(Wolpert 1992, Stacked generalization, Neural Networks 5).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import Tensor

from app.errors import UnfitDataError
from app.nets.build import Network
from app.series.split import Split
from app.series.windows import Cutoffs
from app.spec.stages import Stage, kept_without

SERIES_A_FOLD = 10
"""Series from which on a fold is made of series: so many stand for those that are left. Of fewer series it is a block of time of each."""

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Lessons:
    """The windows of a stage, as flat positions of their first horizon steps.

    Attributes:
        train: it learns from.
        validation: it is judged by; fewer, or none, without a fold that reaches into their contexts.
        folds: which fold each of `train` is of, where the stage learns on what was trained without it.
    """

    train: Rows
    validation: Rows
    folds: Rows | None = None


def lessons_of(stage: Stage, split: Split, span: int) -> Lessons:
    """What a stage learns from.

    Args:
        stage: the stage.
        split: all windows.
        span: steps of a window, context and horizon.

    Raises:
        UnfitDataError: nothing is left without the stage's fold.
    """
    if stage.is_refit:
        return Lessons(split.whole.position, np.empty(0, dtype=np.int64))
    train, validation = split.train.position, split.validation.position
    if stage.folds is None:
        return Lessons(train, validation)
    numbers = fold_numbers(split.train, stage.folds)
    if stage.fold is None:
        return Lessons(train, validation, numbers)
    left_out = train[numbers == stage.fold]
    lessons = Lessons(train[apart_from(train, left_out, span)], validation[apart_from(validation, left_out, span)])
    if len(left_out) == 0 or len(lessons.train) == 0:
        raise UnfitDataError(
            f"the phase 'each branch' has {stage.folds} folds, and of the {len(train)} training windows of {span} steps "
            f"{len(left_out)} are of fold {stage.fold + 1} and {len(lessons.train)} share no value with them; use fewer folds or none, or "
            "a shorter context",
            pointer="#/training/phases/0/folds",
        )
    return lessons


def check_folds(stages: Sequence[Stage], split: Split, span: int) -> None:
    """Finds out before anything is learnt whether every stage has something to learn from.

    Args:
        stages: of a training.
        split: all windows.
        span: steps of a window.

    Raises:
        UnfitDataError: nothing is left without a stage's fold.
    """
    for stage in stages:
        lessons_of(stage, split, span)


def fold_numbers(cutoffs: Cutoffs, folds: int) -> Rows:
    """Which fold each window is of.

    Blocks of time leave out the windows that reach from one into another; where there are many series nothing need be left out.

    Args:
        cutoffs: series by series, ascending.
        folds: how many.
    """
    series, first, count = np.unique(cutoffs.series, return_index=True, return_counts=True)
    if len(series) >= SERIES_A_FOLD * folds:
        return np.repeat(np.arange(len(series), dtype=np.int64) % folds, count)
    place = np.arange(len(cutoffs), dtype=np.int64) - np.repeat(first, count)
    return place * folds // np.repeat(count, count)


def apart_from(positions: Rows, others: Rows, span: int) -> npt.NDArray[np.bool_]:
    """Which windows share no value with any of the others.

    Args:
        positions: of the windows.
        others: ascending.
        span: steps of a window. Windows of two series are always as far from each other.
    """
    if len(others) == 0:
        return np.ones(len(positions), dtype=np.bool_)
    after = np.searchsorted(others, positions)
    to_next = np.abs(others[np.minimum(after, len(others) - 1)] - positions)
    to_last = np.abs(others[np.maximum(after - 1, 0)] - positions)
    is_apart: npt.NDArray[np.bool_] = np.minimum(to_next, to_last) >= span
    return is_apart


class OutOfFold:
    """The network once more for each fold, as it was trained without it.

    Args:
        network: the whole network.
        kept: weights by what they were put aside as.
        lessons: with the fold of each training window.
    """

    def __init__(self, network: Network, kept: Mapping[str, Mapping[str, Tensor]], lessons: Lessons) -> None:
        assert lessons.folds is not None  # noqa: S101 for the type checker: only such stages have it
        self.cutoffs = lessons.train
        self._folds = lessons.folds
        self._networks: list[Network] = []
        for fold in range(int(lessons.folds.max()) + 1):
            without = copy.deepcopy(network)
            without.load_state_dict(dict(kept[kept_without(fold)]))
            self._networks.append(without.eval().requires_grad_(requires_grad=False))

    def parts(self, rows: Rows) -> Iterator[tuple[Network, Rows]]:
        """For each fold the network that has not seen it, and which of the rows are of it.

        Args:
            rows: of the training windows.
        """
        folds = self._folds[rows]
        for fold in np.unique(folds):
            yield self._networks[fold], np.flatnonzero(folds == fold)
