"""There is no state of a job in which two attempts can commit, nor one that it cannot leave: all of them are visited."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import pytest

from tests.chaos.exploration import Facts, State, Step, World, ends_by_itself, explore

ENDED = {"succeeded", "failed", "cancelled"}
HELD = {"running", "cancelling", "pausing"}

FOLLOWING: Mapping[str, set[str]] = MappingProxyType(
    {
        "queued": {"running", "paused", "cancelled"},
        "running": {"queued", "pausing", "cancelling", "succeeded", "failed"},
        "pausing": {"running", "paused", "cancelling", "succeeded", "failed"},
        "paused": {"queued", "cancelled"},
        "cancelling": {"cancelled", "succeeded", "failed"},
        "succeeded": set(),
        "failed": {"queued"},
        "cancelled": {"queued"},
    }
)
"""What may follow what: a cancel is never forgotten, an end only by a retry."""


def check_state(facts: Facts) -> None:
    assert facts.models == facts.succeeded == (facts.status == "succeeded")
    assert facts.open_attempts == ((facts.attempt,) if facts.status in HELD else ())
    assert (facts.lease != "none") == (facts.status in HELD)
    assert facts.status != "queued" or facts.attempts_left > 0
    assert not facts.has_gaps


def check_step(step: Step) -> None:
    before, after = step.before, step.after
    assert after.status == before.status or after.status in FOLLOWING[before.status]
    if before.status in {"failed", "cancelled"} and after.status != before.status:
        assert step.name == "retry"
    if step.attempt is None:
        return
    may_write = step.attempt == before.attempt and before.status in HELD
    assert step.is_refused == (not may_write)
    if step.is_refused or not may_write:
        assert (after.status, after.attempt, after.lease, after.models) == (before.status, before.attempt, before.lease, before.models)


def visit(template: Path, max_attempts: int, most_attempts: int) -> tuple[int, int, Sequence[Facts]]:
    """States, steps, and the states that a job could stay in for ever."""
    world = World(template, max_attempts)
    states: list[tuple[State, Facts]] = []
    steps = 0
    for step in explore(world, most_attempts, lambda state, facts: states.append((state, facts))):
        check_step(step)
        steps += 1
    hanging = []
    for state, facts in states:
        check_state(facts)
        if not ends_by_itself(world, state):
            hanging.append(facts)
    world.database.dispose()
    return len(states), steps, hanging


@pytest.mark.slow
def test_no_state_lets_two_attempts_commit_or_a_job_hang(migrated_sqlite: Path) -> None:
    states, steps, hanging = visit(migrated_sqlite, max_attempts=1, most_attempts=2)
    assert not hanging
    assert states > 40
    assert steps > 500


@pytest.mark.chaos
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_state_after_more_attempts_does_either(migrated_sqlite: Path) -> None:
    states, steps, hanging = visit(migrated_sqlite, max_attempts=2, most_attempts=4)
    assert not hanging
    assert states > 200
    assert steps > 2000
