"""Phases become stages that train something, or are refused."""

from dataclasses import replace
from typing import Any

import pytest

from app.errors import SpecError
from app.spec.compile import compile_spec
from app.spec.forecaster import ForecasterSpec
from app.spec.limits import NetworkLimits
from app.spec.parse import parse_spec
from app.spec.phases import plan, side_by_side

LSTM: dict[str, Any] = {"kind": "lstm", "units": 4}
BRANCHES: dict[str, Any] = {"kind": "connect", "branches": [{**LSTM, "name": "demand"}, {"kind": "gru", "units": 3}]}


def spec_of(network: dict[str, Any], *phases: dict[str, Any], **training: Any) -> ForecasterSpec:
    return parse_spec({"context": 5, "horizon": 2, "network": network, "training": {"phases": list(phases), **training}})


def stack(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "stack", "blocks": list(blocks)}


def stages(network: dict[str, Any], *phases: dict[str, Any]) -> list[tuple[str, int, int, int | None, bool]]:
    spec = spec_of(network, *phases)
    compile_spec(spec, NetworkLimits())
    return [(stage.name, stage.first, stage.last, stage.branch, stage.own_head) for stage in plan(spec)]


def test_without_phases_all_learn_together() -> None:
    (stage,) = plan(parse_spec({"network": stack(LSTM, LSTM)}))
    assert (stage.name, stage.first, stage.last, stage.own_head, stage.epochs) == ("all", 0, 2, False, 50)


def test_layers_learn_one_after_another_the_last_under_the_decoder() -> None:
    assert stages(stack(LSTM, LSTM, LSTM), {"learn": "layer by layer"}, {"learn": "all"}) == [
        ("layer 1 of 3", 0, 1, None, True),
        ("layer 2 of 3", 1, 2, None, True),
        ("layer 3 of 3", 2, 3, None, False),
        ("all", 0, 3, None, False),
    ]


def test_a_layer_carries_on_the_head_of_the_one_before_it_unless_the_decoder_has_learnt_already() -> None:
    network = stack(LSTM, LSTM, LSTM)
    first = spec_of(network, {"learn": "layer by layer"})
    later = spec_of(network, {"learn": "all"}, {"learn": "layer by layer"})
    assert [stage.carries_head for stage in plan(first)] == [False, True, True]
    assert [stage.carries_head for stage in plan(first, is_inherited=True)] == [False, True, False]
    assert [stage.carries_head for stage in plan(later)] == [False, False, True, False]


def test_branches_learn_each_on_its_own_and_then_what_follows_them() -> None:
    assert stages(BRANCHES, {"learn": "each branch"}) == [
        ("branch demand", 0, 1, 0, True),
        ("branch 2", 0, 1, 1, True),
        ("merge", 1, 1, None, False),
    ]


def test_blocks_before_and_between_connections_learn_in_their_turn() -> None:
    assert stages(stack(LSTM, BRANCHES, LSTM, LSTM, {**BRANCHES, "branches": [LSTM, LSTM]}), {"learn": "each branch"}) == [
        ("blocks 1 to 1", 0, 1, None, True),
        ("branch demand", 1, 2, 0, True),
        ("branch 2", 1, 2, 1, True),
        ("blocks 3 to 4", 2, 4, None, True),
        ("branch 1", 4, 5, 0, True),
        ("branch 2", 4, 5, 1, True),
        ("merge", 5, 5, None, False),
    ]


def test_named_blocks_alone_learn_or_are_frozen() -> None:
    network = stack(LSTM, {**LSTM, "name": "second"}, LSTM)
    assert stages(network, {"only": ["second"]}) == [("only second", 1, 3, None, False)]
    assert stages(network, {"only": ["decoder"]}) == [("only decoder", 3, 3, None, False)]
    assert stages(stack({**LSTM, "name": "first"}, LSTM), {"freeze": ["first"]}) == [("all but first", 1, 2, None, False)]


def test_a_phase_has_its_own_epochs_rate_and_patience_or_those_of_the_training() -> None:
    phases: list[dict[str, Any]] = [{"learn": "all"}, {"learn": "all", "epochs": 3, "lr": 0.5, "patience": None}]
    first, second = plan(spec_of(LSTM, *phases, epochs=20, lr=0.1, patience=4))
    assert (first.epochs, first.lr, first.patience) == (20, 0.1, 4)
    assert (second.epochs, second.lr, second.patience) == (3, 0.5, None)


def test_with_folds_all_before_the_merge_learns_without_each_of_them_too() -> None:
    spec = spec_of(stack(BRANCHES, LSTM), {"learn": "each branch", "folds": 2}, {"learn": "all"})
    found = [(stage.name, stage.fold, stage.folds, stage.restarts, stage.kept_as, stage.draw) for stage in plan(spec)]
    assert found == [
        ("branch demand, without fold 1 of 2", 0, 2, True, None, 0),
        ("branch 2, without fold 1 of 2", 0, 2, False, "fold0", 1),
        ("branch demand, without fold 2 of 2", 1, 2, True, None, 0),
        ("branch 2, without fold 2 of 2", 1, 2, False, "fold1", 1),
        ("branch demand", None, None, True, None, 0),
        ("branch 2", None, None, False, None, 1),
        ("merge", None, 2, False, None, 2),
        ("all", None, None, False, None, 3),
    ]


def test_a_comparison_trains_all_together_first_and_leaves_the_other_draws_alone() -> None:
    spec = spec_of(stack(LSTM, LSTM), {"learn": "layer by layer", "epochs": 2, "lr": 0.5}, epochs=20, lr=0.1)
    joint, *compared = plan(spec, is_compared=True)
    assert (joint.name, joint.is_reference, joint.epochs, joint.lr, joint.draw) == ("all, for comparison", True, 20, 0.1, 0)
    assert [replace(stage, restarts=False) for stage in compared] == list(plan(spec))
    assert [stage.restarts for stage in compared] == [True, False]


@pytest.mark.parametrize("phase", [{"learn": "all"}, {"learn": "all", "patience": None}, {"learn": "all", "patience": 3, "lr": 0.5}])
def test_a_document_that_is_written_out_has_the_same_stages(phase: dict[str, Any]) -> None:
    spec = spec_of(LSTM, phase, patience=7)
    written_out = spec.model_dump(mode="json", by_alias=True)
    assert plan(parse_spec(written_out)) == plan(spec)
    assert parse_spec(written_out).model_dump(mode="json", by_alias=True) == written_out


@pytest.mark.parametrize(
    ("network", "phase", "pointer", "sentence"),
    [
        (LSTM, {}, "", "has none"),
        (LSTM, {"learn": "all", "only": ["decoder"]}, "", "has learn, only"),
        (LSTM, {"learn": "layer by layer"}, "/learn", "no stack of several blocks"),
        (stack(LSTM, LSTM), {"learn": "each branch"}, "/learn", "no branches to train"),
        (BRANCHES, {"only": ["demand", "wind"]}, "/only/1", "'wind' is not a block; names are: decoder, demand"),
        (BRANCHES, {"freeze": ["wind"]}, "/freeze/0", "'wind' is not a block"),
        ({**LSTM, "name": "one"}, {"freeze": ["one", "decoder"]}, "/freeze", "trains nothing"),
        (stack(LSTM, {"kind": "dropout", "rate": 0.5, "name": "none"}), {"only": ["none"]}, "/only", "trains nothing"),
        (LSTM, {"learn": "rebuild"}, "/learn", "'all', 'layer by layer', 'each branch' or 'reconstruct'"),
        (LSTM, {"learn": "all", "epoch": 3}, "/epoch", "did you mean 'epochs'?"),
        (BRANCHES, {"learn": "all", "folds": 3}, "/folds", "folds are of a phase that learns 'each branch', and are 3 here"),
        (BRANCHES, {"learn": "each branch", "folds": 1}, "/folds", "greater than or equal to 2"),
    ],
)
def test_a_phase_that_does_nothing_or_means_nothing_is_refused(
    network: dict[str, Any], phase: dict[str, Any], pointer: str, sentence: str
) -> None:
    with pytest.raises(SpecError) as caught:
        compile_spec(spec_of(network, phase), NetworkLimits())
    found = {fault.pointer: fault.detail for fault in caught.value.faults}
    assert sentence in found[f"#/training/phases/0{pointer}"]


def test_folds_after_a_phase_that_has_seen_all_windows_are_refused() -> None:
    with pytest.raises(SpecError, match="put this phase first, or leave folds out") as caught:
        compile_spec(spec_of(BRANCHES, {"learn": "all"}, {"learn": "each branch", "folds": 3}), NetworkLimits())
    assert [fault.pointer for fault in caught.value.faults] == ["#/training/phases/1/folds"]


def test_folds_and_layers_that_are_fitted_to_whole_series_are_refused() -> None:
    smooth = {"kind": "smooth", "seasons": [], "series": 1}
    with pytest.raises(SpecError, match="leave folds or the block out"):
        compile_spec(spec_of(stack(smooth, BRANCHES), {"learn": "each branch", "folds": 3}), NetworkLimits())


@pytest.mark.parametrize("merge", ["gate", "attention"])
def test_a_merge_with_weights_of_its_own_wants_a_phase_that_trains_it(merge: str) -> None:
    network = {"kind": "connect", "merge": merge, "branches": [LSTM, LSTM]}
    with pytest.raises(SpecError, match="would never learn") as caught:
        compile_spec(spec_of(network, {"learn": "each branch"}), NetworkLimits())
    assert [fault.pointer for fault in caught.value.faults] == ["#/training/phases"]
    compile_spec(spec_of(network, {"learn": "each branch"}, {"learn": "all"}), NetworkLimits())


def test_no_block_may_be_called_as_the_decoder_is() -> None:
    with pytest.raises(SpecError, match="choose another name"):
        compile_spec(spec_of({**LSTM, "name": "decoder"}, {"learn": "all"}), NetworkLimits())


def test_branches_of_one_connection_can_be_learnt_side_by_side_unless_they_share_weights() -> None:
    spec = spec_of(stack(LSTM, BRANCHES, LSTM, BRANCHES | {"branches": [LSTM] * 3}), {"learn": "each branch"}, {"learn": "all"})
    planned = plan(spec)
    beside = [[run.start for run in side_by_side(spec, planned, first)] for first in range(len(planned))]
    assert beside == [[0], [1, 2], [2], [3], [4, 5, 6], [5, 6], [6], [7], [8]]
    shared = spec_of({**BRANCHES, "branches": [LSTM, LSTM], "share_weights": True}, {"learn": "each branch"})
    assert side_by_side(shared, plan(shared), 0) == (range(1),)


def test_branches_without_each_fold_are_side_by_side_within_their_fold() -> None:
    spec = spec_of(BRANCHES, {"learn": "each branch", "folds": 2})
    planned = plan(spec)
    assert [[run.start for run in side_by_side(spec, planned, first)] for first in (0, 2, 4)] == [[0, 1], [2, 3], [4, 5]]
    twice = spec_of(BRANCHES, {"learn": "each branch"}, {"learn": "each branch"})
    assert [[run.start for run in side_by_side(twice, plan(twice), first)] for first in (0, 3)] == [[0, 1], [3, 4]]


def test_members_are_side_by_side_each_with_all_of_its_stages() -> None:
    spec = spec_of(BRANCHES, {"learn": "each branch"}, members=3, refit=True)
    planned = plan(spec)
    assert side_by_side(spec, planned, 0) == (range(4), range(4, 8), range(8, 12))
    assert [run.start for run in side_by_side(spec, planned, 8)] == [8, 9]
    assert [run.start for run in side_by_side(spec, planned, 5)] == [5]
