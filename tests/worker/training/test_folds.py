"""What learns on branches learns on what they give for windows that they have not seen; nothing that a fold holds has moved it."""

from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from app.errors import UnfitDataError
from app.series.panel import Panel
from app.series.windows import Cutoffs, train_cutoffs
from tests.worker.training.lessons import spec_of, training_of, waves
from worker.training.fit import Training, fit
from worker.training.folds import apart_from, fold_numbers
from worker.training.state import StageOutcome, clone

BRANCHES: dict[str, Any] = {
    "kind": "stack",
    "blocks": [
        {"kind": "lstm", "units": 4},
        {"kind": "connect", "branches": [{"kind": "gru", "units": 3, "dropout": 0.2}, {"kind": "lstm", "units": 2, "from": "weather"}]},
        {"kind": "dense", "units": 3},
    ],
}
INPUTS = {"demand": {"columns": ["y"]}, "weather": {"columns": ["x"]}}
FOLDS = 3
SPAN = 14 + 4


def folded(panel: Panel | None = None, folds: int | None = FOLDS) -> Training:
    phase = {"learn": "each branch", "epochs": 2, **({"folds": folds} if folds else {})}
    training = {"phases": [phase], "batch_size": 16, "lr": 0.01, "patience": None}
    return training_of(spec_of(network=BRANCHES, inputs=INPUTS, training=training), panel)


def at_the_merge(training: Training) -> Training:
    """Trained until its merge begins."""
    for event in fit(training):
        if isinstance(event, StageOutcome) and len(training.progress.outcomes) == len(training.stages) - 1:
            return training
    raise AssertionError


def test_each_fold_is_a_block_of_time_of_every_series() -> None:
    cutoffs = train_cutoffs(waves(series=3, length=60), 14, 4)
    numbers = fold_numbers(cutoffs, FOLDS)
    for series in range(3):
        own = numbers[cutoffs.series == series]
        assert (np.diff(own) >= 0).all()
        assert np.bincount(own).max() - np.bincount(own).min() <= 1


def test_of_many_series_each_is_of_one_fold() -> None:
    cutoffs = train_cutoffs(waves(series=20, length=40), 14, 4)
    numbers = fold_numbers(cutoffs, 2)
    assert all(len(np.unique(numbers[cutoffs.series == series])) == 1 for series in range(20))
    assert np.bincount(numbers).tolist() == [len(cutoffs) // 2] * 2


@given(st.lists(st.integers(0, 60), max_size=8), st.lists(st.integers(0, 60), max_size=8, unique=True), st.integers(1, 9))
def test_windows_that_share_a_value_are_not_apart(positions: list[int], others: list[int], span: int) -> None:
    found = apart_from(np.array(positions, dtype=np.int64), np.array(sorted(others), dtype=np.int64), span)
    assert found.tolist() == [all(abs(position - other) >= span for other in others) for position in positions]


@pytest.mark.parametrize("fold", range(FOLDS))
def test_changing_the_values_of_a_fold_does_not_move_what_its_branches_give(fold: int) -> None:
    panel = waves(series=2)
    straight = folded(panel)
    cutoffs = straight.material.split.train
    of_fold = cutoffs.position[fold_numbers(cutoffs, FOLDS) == fold]
    touched = np.unique(of_fold[:, None] + np.arange(-14, 4))
    target = panel.columns["y"].copy()
    target[touched] += np.random.default_rng(1).normal(size=len(touched))
    other = folded(Panel(panel.ids, panel.freq, panel.starts, panel.offsets, {**panel.columns, "y": target}))
    at_the_merge(straight)
    at_the_merge(other)
    # Everything before the merge is as it was; the network that is kept has seen the change.
    assert equal(straight.kept[f"fold{fold}"], other.kept[f"fold{fold}"])
    assert not equal(clone(straight.network.state_dict()), clone(other.network.state_dict()))
    rows = np.flatnonzero(np.isin(cutoffs.position, of_fold))
    windows = straight.material.source.batch(cutoffs.position[rows])
    for training in (straight, other):
        training.cache()
    given_by = [training.run._computed(windows, training.lessons.train, rows).sequence for training in (straight, other)]
    assert torch.equal(*given_by)


def equal(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return all(torch.equal(weight, second[name]) for name, weight in first.items() if name.startswith(("body.blocks.0", "body.blocks.1")))


def test_the_merge_learns_on_what_has_not_seen_a_window_and_is_judged_on_what_is_kept() -> None:
    training = at_the_merge(folded())
    training.cache()
    lessons, run, source = training.lessons, training.run, training.material.source
    assert lessons.folds is not None
    present = clone(training.network.state_dict())
    rows = np.array([3, 150, 80, 4])  # of several folds, in no order
    learnt_on, _ = run.look(source.batch(lessons.train[rows]), lessons.train, rows)
    judged_on, _ = run.look(source.batch(lessons.validation[:4]), lessons.validation, np.arange(4))
    windows = source.batch(lessons.validation[:4])
    torch.testing.assert_close(judged_on, training.network(windows.inputs, windows.future))
    for place, row in enumerate(rows):
        without = training.kept[f"fold{lessons.folds[row]}"]
        frozen = {name: weight for name, weight in without.items() if name.startswith(("body.blocks.0", "body.blocks.1"))}
        training.network.load_state_dict({**present, **frozen})
        windows = source.batch(lessons.train[[row]])
        torch.testing.assert_close(learnt_on[place], training.network(windows.inputs, windows.future)[0])


def test_the_network_that_is_kept_has_branches_as_without_folds() -> None:
    plain, straight = folded(folds=None), folded()
    at_the_merge(plain)
    at_the_merge(straight)
    assert equal(clone(plain.network.state_dict()), clone(straight.network.state_dict()))


def test_the_folds_cost_as_many_trainings_of_what_stands_before_the_merge() -> None:
    plain, straight = folded(folds=None), folded()
    assert len(straight.stages) - 1 == (FOLDS + 1) * (len(plain.stages) - 1)
    for _ in islice(fit(straight), 5):
        pass
    assert straight.batches < plain.batches
    assert straight.batches == -(-len(straight.lessons.train) // 16)


def test_what_is_aside_is_forgotten_when_nothing_wants_it_any_more() -> None:
    training = folded()
    assert set(training.kept) == {"start"}
    at_the_merge(training)
    assert set(training.kept) == {"fold0", "fold1", "fold2"}
    for _ in fit(training):
        pass
    assert training.kept == {}


def test_folds_that_leave_nothing_to_learn_from_are_refused_before_anything_is_learnt() -> None:
    with pytest.raises(UnfitDataError, match="use fewer folds or none, or a shorter context") as caught:
        folded(waves(series=1, length=60))
    assert caught.value.pointer == "#/training/phases/0/folds"


def test_windows_of_two_series_share_nothing() -> None:
    cutoffs = train_cutoffs(waves(series=2, length=40), 14, 4)
    of_first = Cutoffs(cutoffs.series[cutoffs.series == 0], cutoffs.position[cutoffs.series == 0])
    assert apart_from(cutoffs.position, of_first.position, SPAN).tolist() == (cutoffs.series == 1).tolist()
