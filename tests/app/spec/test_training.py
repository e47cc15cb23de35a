"""What a training may ask for: every key says something, or is refused; and a document keeps its identity when there are more keys."""

from typing import Any

import pytest
from hypothesis import given

from app.errors import SpecError
from app.spec.compile import FULL_BATCH_WINDOWS, compile_spec
from app.spec.limits import NetworkLimits
from app.spec.parse import parse_spec, spec_digest
from app.spec.phases import plan
from app.spec.schedules import SCHEDULES, PlateauSchedule
from tests.strategies_specs import trainings

LSTM: dict[str, Any] = {"kind": "lstm", "units": 4}
PLATEAU: dict[str, Any] = {"kind": "plateau", "patience": 3}


def faults(training: dict[str, Any], **more: Any) -> dict[str, str]:
    with pytest.raises(SpecError) as caught:
        compile_spec(parse_spec({"context": 5, "horizon": 2, "network": LSTM, "training": training, **more}), NetworkLimits())
    return {fault.pointer: fault.detail for fault in caught.value.faults}


@pytest.mark.parametrize(
    ("training", "place", "sentence"),
    [
        ({"batch_size": "full", "accumulate": 2}, "accumulate", "an accumulate of 2 does nothing"),
        ({"batch_size": "full", "steps_per_epoch": 9}, "steps_per_epoch", "9 at most does nothing"),
        ({"batch_size": "all"}, "batch_size", "should be 'full', and is 'all'"),
        ({"batch_size": 0}, "batch_size", "greater than or equal to 1, and is 0"),
        ({"lr": "fast"}, "lr", "should be 'auto', and is 'fast'"),
        ({"lr": -1.0}, "lr", "greater than 0, and is -1.0"),
        ({"schedule": "cosin"}, "schedule", "'cosin' is not a kind of schedule; did you mean 'cosine'?"),
        ({"schedule": {"kind": "stp"}}, "schedule", "did you mean 'step'?"),
        ({"schedule": "plateau"}, "schedule", "'plateau' has options; write it as an object, such as {'kind': 'plateau'}"),
        ({"schedule": {"kind": "step"}}, "schedule/every", "is missing"),
        ({"schedule": {"kind": "plateau", "facto": 0.5}}, "schedule/facto", "did you mean 'factor'?"),
        ({"schedule": {"kind": "step", "every": 50}}, "schedule/every", "after 50 epochs, and training takes 50 at most"),
        ({"schedule": PLATEAU, "patience": 3}, "schedule/patience", "training ends after 3"),
        ({"schedule": PLATEAU, "epochs": 3, "patience": None}, "schedule/patience", "training ends after 3"),
        ({"schedule": {"kind": "one_cycle"}, "warmup": 0.1}, "warmup", "would rise twice"),
        ({"min_delta": 0.1, "patience": None}, "min_delta", "nothing asks whether the loss fell by 0.1"),
        ({"contexts": [3]}, "contexts", "there are 1 of them; make 'members' at least 2"),
        ({"members": 2, "contexts": [2, 3]}, "contexts", "make 'members' at least 3, or leave some out"),
        ({"members": 3, "contexts": [3, 2]}, "contexts", "contexts rise, and these are [3, 2]"),
        ({"members": 3, "contexts": [3, 5]}, "contexts/1", "the newest part of the document's 5 steps, and 5 is no part of them"),
        ({"members": 2, "contexts": []}, "contexts", "should have at least 1 item"),
        ({"precision": "float16"}, "precision", "'float32' or 'bfloat16'"),
    ],
)
def test_what_does_nothing_or_cannot_be_is_refused(training: dict[str, Any], place: str, sentence: str) -> None:
    assert sentence in faults(training)[f"#/training/{place}"]


def test_a_network_is_proven_with_the_context_of_every_member() -> None:
    dilated = {**LSTM, "dilation": 3}
    found = faults({"members": 3, "contexts": [2, 3]}, network=dilated)
    assert list(found) == ["#/network/dilation"]
    assert found["#/network/dilation"].endswith("so it is with the members that have a context of 2")
    spec = parse_spec({"context": 5, "horizon": 2, "network": dilated, "training": {"members": 4, "contexts": [4]}, "min_context": 5})
    assert compile_spec(spec, NetworkLimits()).spec.member_contexts == (5, 4, 5, 4)
    assert parse_spec(spec.model_dump(mode="json", by_alias=True)) == spec


def test_a_phase_may_make_a_key_mean_something() -> None:
    patient = {"patience": None, "min_delta": 0.1, "phases": [{"learn": "all", "patience": 4}]}
    longer = {"epochs": 3, "patience": None, "schedule": PLATEAU, "phases": [{"learn": "all", "epochs": 9}]}
    for training in (patient, longer):
        assert compile_spec(parse_spec({"network": LSTM, "training": training}), NetworkLimits()).parameters > 0


def test_noise_wants_something_that_is_not_known_ahead() -> None:
    inputs = {"a": {"features": ["day_of_week"]}, "b": {"columns": ["x"], "known": "future"}}
    assert "has nothing to be added to" in faults({"input_noise": 0.1}, inputs=inputs)["#/training/input_noise"]


def test_a_phase_may_find_its_own_rate_or_keep_to_one() -> None:
    phases = [{"learn": "all", "lr": 0.01}, {"learn": "all"}, {"learn": "all", "lr": "auto"}]
    spec = parse_spec({"network": LSTM, "training": {"lr": 0.5, "phases": phases}})
    assert [stage.lr for stage in plan(spec)] == [0.01, 0.5, "auto"]


def test_a_full_batch_is_counted_by_the_part_that_is_computed_at_once() -> None:
    def compiled(context: int, units: int) -> Any:
        document = {"context": context, "horizon": 2, "network": {"kind": "lstm", "units": units}, "training": {"batch_size": "full"}}
        return compile_spec(parse_spec(document), NetworkLimits())

    small, large = compiled(10, 4), compiled(10_000, 512)
    assert small.batch == FULL_BATCH_WINDOWS
    assert 1 <= large.batch < 16
    assert large.memory_bytes < 2**30


def test_keys_that_say_nothing_do_not_move_the_identity_and_others_do() -> None:
    plain = parse_spec({"context": 4, "horizon": 1, "network": LSTM})
    silent = {"contexts": None, "accumulate": 1, "warmup": 0.0, "min_delta": 0.0, "input_noise": 0.0, "precision": "float32"}
    written = parse_spec({"context": 4, "horizon": 1, "network": {**LSTM, "l1": 0.0, "l2": 0.0}, "training": silent})
    assert spec_digest(written) == spec_digest(plain)
    speaking: list[dict[str, Any]] = [
        {"accumulate": 2},
        {"warmup": 0.1},
        {"min_delta": 0.1},
        {"input_noise": 0.1},
        {"precision": "bfloat16"},
        {"members": 2, "contexts": [2]},
    ]
    digests = {spec_digest(parse_spec({"context": 4, "horizon": 1, "network": LSTM, "training": training})) for training in speaking}
    digests |= {spec_digest(parse_spec({"context": 4, "horizon": 1, "network": {**LSTM, name: 0.1}})) for name in ("l1", "l2")}
    assert len(digests | {spec_digest(plain)}) == 9


@given(trainings())
def test_any_training_is_accepted_and_written_out_as_itself(training: dict[str, Any]) -> None:
    spec = parse_spec({"context": 4, "horizon": 1, "network": LSTM, "training": training})
    assert compile_spec(spec, NetworkLimits()).batch >= 1
    assert parse_spec(spec.model_dump(mode="json", by_alias=True)) == spec


def test_a_schedule_that_was_read_is_a_schedule() -> None:
    assert parse_spec({"network": LSTM, "training": {"schedule": PLATEAU}}).training.schedule == PlateauSchedule(kind="plateau", patience=3)
    assert {"cosine", "constant"} == {name for name, options in SCHEDULES.items() if options is None}
