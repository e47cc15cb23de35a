"""What does a request for a search decide beside the network? What is varied, how often, and by which cutoffs trials are compared.

    one series   |-------------------|= window 1 =|                       |= test =|
                 |-------------------------|= window 2 =|                 |= test =|
                 |-------------------------------|= window 3 =|           |= test =|

A trial is a training on what comes before a window, for each window. What the winner is scored on in the end is in none of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from app.errors import Fault, SpecError, pointer_to
from app.spec.compile import compile_spec
from app.spec.facts import PanelFacts
from app.spec.forecaster import ForecasterSpec
from app.spec.limits import NetworkLimits
from app.spec.resolve import HELD_OUT_HORIZONS
from app.spec.space import Choices, Drawn, Range, Space, default_values, drawn_spec, ends, parse_space, written_space

DEFAULT_TRIALS = 20
MOST_TRIALS = 1000

DEFAULT_WINDOWS = 3
MOST_WINDOWS = 20


@dataclass(frozen=True)
class SearchPlan:
    """What a search does.

    Attributes:
        space: what is varied.
        trials: how often, at most; the first is the document as it is.
        windows: cutoffs of each series by which trials are compared.
        step: steps from one cutoff to the next.
        budget_seconds: of all trials, after which none begins.
        facts: of the dataset.
    """

    space: Space
    trials: int
    windows: int
    step: int
    budget_seconds: int | None
    facts: PanelFacts

    def room(self, horizon: int) -> int:
        """Steps of the longest context that leaves something to train on before the oldest window."""
        return self.facts.longest - (1 + HELD_OUT_HORIZONS) * horizon - (self.windows - 1) * self.step

    def written(self) -> dict[str, Any]:
        """What `search_plan` reads."""
        numbers = {"trials": self.trials, "windows": self.windows, "step": self.step, "budget_seconds": self.budget_seconds}
        return {"space": written_space(self.space), **numbers, "facts": asdict(self.facts)}


def search_plan(written: Mapping[str, Any]) -> SearchPlan:
    """The plan that `SearchPlan.written` gave, from a database or not.

    Args:
        written: a JSON object.
    """
    facts: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in written["facts"].items()}
    return SearchPlan(
        space=parse_space(written["space"]),
        trials=written["trials"],
        windows=written["windows"],
        step=written["step"],
        budget_seconds=written["budget_seconds"],
        facts=PanelFacts(**facts),
    )


def plan_search(request: Mapping[str, Any], spec: ForecasterSpec, facts: PanelFacts, limits: NetworkLimits) -> SearchPlan:
    """The plan of a request, proven.

    Args:
        request: the body.
        spec: complete: with context and horizon.
        facts: of the dataset.
        limits: of a network.

    Raises:
        SpecError: the series are too short for the windows, or a parameter or one of its values is not for this document.
    """
    windows = request.get("windows") or DEFAULT_WINDOWS
    plan = SearchPlan(
        space={},
        trials=request.get("trials") or DEFAULT_TRIALS,
        windows=windows,
        step=_step(spec, facts, windows),
        budget_seconds=request.get("budget_seconds"),
        facts=facts,
    )
    written = request.get("space")
    space = parse_space(written) if written is not None else _default_space(plan, spec, limits)
    if not space:
        sentence = "space: nothing of this document is varied by default; say what is, such as {'/training/lr': {'choices': [0.01, 0.001]}}"
        raise SpecError(sentence, code="missing", pointer="#/space")
    plan = replace(plan, space=space)
    _check_values(plan, spec, limits)
    return plan


def _default_space(plan: SearchPlan, spec: ForecasterSpec, limits: NetworkLimits) -> Space:
    """What is varied of a document that says nothing: of the words those that it has a use for, with values that suit it."""
    document = spec.model_dump(mode="json", by_alias=True)
    space: dict[str, Range | Choices] = {}
    for name, wanted in default_values(spec, plan.room(spec.horizon or 1)).items():
        fitting = (one for one in wanted if not any(_fault_of(plan, document, {name: value}, limits) for _, value in ends(one)))
        found = next(fitting, None)
        if found is not None:
            space[name] = found
    return space


def _step(spec: ForecasterSpec, facts: PanelFacts, windows: int) -> int:
    """Steps from one cutoff to the next: a horizon, or less where the series are short.

    Raises:
        SpecError: they are too short for so many windows.
    """
    horizon = spec.horizon or 1
    needed = spec.least_context + (HELD_OUT_HORIZONS + 1) * horizon
    room = facts.longest - needed
    if room >= windows - 1:
        return min(horizon, room // (windows - 1)) if windows > 1 else horizon
    way_out = f"at most {room + 1} windows would do" if room >= 0 else "use longer series, or a shorter context or horizon"
    sentence = (
        f"windows: the longest series has {facts.longest} steps; context {spec.least_context} and {HELD_OUT_HORIZONS + 1} horizons of "
        f"{horizon} (to train, to stop, to compare trials and to score the winner by) need {needed}, and each further window one more; "
        f"{way_out}"
    )
    raise SpecError(sentence, code="series_too_short", pointer="#/windows")


def _check_values(plan: SearchPlan, spec: ForecasterSpec, limits: NetworkLimits) -> None:
    """Refuses a parameter with a value that the document does not take, each alone, and all the largest together.

    Raises:
        SpecError: there is one; all are named.
    """
    document = spec.model_dump(mode="json", by_alias=True)
    faults: list[Fault] = []
    for name, values in plan.space.items():
        for place, value in ends(values):
            sentence = _fault_of(plan, document, {name: value}, limits)
            if sentence:
                pointer = pointer_to("#/space", [name, *place.split("/")])
                faults.append(Fault(pointer, "not_for_document", f"space.{name}: {sentence}"))
    if not faults:
        largest = {name: values.high for name, values in plan.space.items() if isinstance(values, Range)}
        sentence = _fault_of(plan, document, largest, limits, codes=("too_large",))
        if sentence:
            faults.append(Fault("#/space", "too_large", f"space: with the largest values of all parameters {sentence}"))
    if faults:
        raise SpecError("; ".join(fault.detail for fault in faults[:3]), faults=tuple(faults))


def _fault_of(plan: SearchPlan, document: Mapping[str, Any], drawn: Drawn, limits: NetworkLimits, codes: tuple[str, ...] = ()) -> str:
    """What is wrong with a draw, or nothing; of some codes alone, where any are given."""
    try:
        check_draw(plan, document, drawn, limits)
    except SpecError as error:
        return error.detail if not codes or any(fault.code in codes for fault in error.faults) else ""
    return ""


def check_draw(plan: SearchPlan, document: Mapping[str, Any], drawn: Drawn, limits: NetworkLimits) -> tuple[ForecasterSpec, int]:
    """The description that a draw makes, proven, and its parameters.

    Args:
        plan: of the search.
        document: complete, with its defaults written out.
        drawn: values by parameter.
        limits: of a network.

    Raises:
        SpecError: it cannot be trained.
    """
    spec = drawn_spec(document, drawn, plan.facts)
    room = plan.room(spec.horizon or 1)
    if spec.least_context > room:
        sentence = f"context {spec.least_context} leaves nothing to train on before the oldest window; at most {room} would do"
        raise SpecError(sentence, code="series_too_short", pointer="#/context")
    return spec, compile_spec(spec, limits).parameters
