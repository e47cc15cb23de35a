"""What have the phases brought, beside the same network trained all together from the same weights? Loss, scores, time, and a sentence.

The joint training is the first stage of such a job; its weights were put aside, and are scored here as the model's are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.nets.build import Network, build
from app.spec.forecaster import ForecasterSpec
from app.spec.stages import JUDGED, MEMBER
from worker.training.fit import Training
from worker.training.state import StageOutcome

Scores = Mapping[str, float | None]

COMPARED = ("mase", "mae")
"""The scores that a sentence may compare, the first that both have: errors, of which half is twice as good."""


@dataclass(frozen=True)
class Side:
    """One of the two.

    Attributes:
        val_loss: under the network's own decoder, at its best epoch.
        scores: on steps that training never saw.
        seconds: of all its stages.
        cpu_seconds: the same, of all threads.
        epochs: the same.
    """

    val_loss: float | None
    scores: Scores
    seconds: float
    cpu_seconds: float
    epochs: int


@dataclass(frozen=True)
class Comparison:
    """Both, and what is to be said of them."""

    phases: Side
    joint: Side
    sentence: str


def members_of(spec: ForecasterSpec, training: Training) -> tuple[list[Network], list[Network]]:
    """The networks that are scored, and those that forecast: the same ones unless they have learnt on from all windows."""
    count = spec.training.members
    final = [network_aside(spec, training, f"{MEMBER}{number}") for number in range(count)] if count > 1 else [training.network]
    names = [name for name in training.kept if name.startswith(JUDGED)]
    return [network_aside(spec, training, name) for name in names] or final, final


def network_aside(spec: ForecasterSpec, training: Training, name: str) -> Network:
    """A network whose weights were put aside under this name, to forecast with."""
    network = build(spec)
    network.load_state_dict(training.kept[name])
    network.to(next(training.network.parameters()).device).eval().requires_grad_(requires_grad=False)
    return network


def compare(outcomes: Sequence[StageOutcome], phases: Scores, joint: Scores) -> Comparison:
    """What the phases have brought.

    Args:
        outcomes: of all stages.
        phases: scores of the model.
        joint: scores of the network that was trained all together.
    """
    first = _side([outcome for outcome in outcomes if not outcome.is_reference], phases)
    second = _side([outcome for outcome in outcomes if outcome.is_reference], joint)
    return Comparison(first, second, _sentence(first, second))


def _side(outcomes: Sequence[StageOutcome], scores: Scores) -> Side:
    return Side(
        val_loss=next((outcome.val_loss for outcome in reversed(outcomes) if outcome.val_loss is not None), None),
        scores=dict(scores),
        seconds=round(sum(outcome.seconds for outcome in outcomes), 2),
        cpu_seconds=round(sum(outcome.cpu_seconds or 0.0 for outcome in outcomes), 2),
        epochs=sum(outcome.epochs for outcome in outcomes),
    )


def _sentence(phases: Side, joint: Side) -> str:
    """`99.1 % of the joint accuracy ...`: the accuracy is one over an error, and a likelihood below zero is none."""
    measured = [("validation loss", phases.val_loss, joint.val_loss)]
    name = next((name for name in COMPARED if phases.scores.get(name) is not None and joint.scores.get(name) is not None), None)
    if name is not None:
        measured.append((name, phases.scores[name], joint.scores[name]))
    said = [_accuracy(what, mine, other) for what, mine, other in measured if mine is not None and other is not None]
    cost = f" at {100.0 * phases.cpu_seconds / joint.cpu_seconds:.0f} % of its CPU time" if joint.cpu_seconds > 0.0 else ""
    return f"{' and '.join(said) or 'nothing to compare the joint training by,'}{cost}"


def _accuracy(name: str, phases: float, joint: float) -> str:
    if phases > 0.0 and joint > 0.0:
        return f"{100.0 * joint / phases:.1f} % of the joint accuracy by {name} ({phases:.4g} against {joint:.4g})"
    return f"{name} {phases:.4g} against {joint:.4g} of the joint training"
