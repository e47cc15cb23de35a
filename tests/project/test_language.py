"""The language's page knows every kind and every key that there is."""

import json
import re
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from app.spec.blocks import ALL_KINDS
from app.spec.cells import AnyBlock, AnyCell
from app.spec.compile import compile_spec
from app.spec.forecaster import ForecasterSpec, Scaling
from app.spec.inputs import Input
from app.spec.limits import NetworkLimits
from app.spec.parse import parse_spec
from app.spec.training import Phase, Training

PAGE = (Path(__file__).parents[2] / "docs" / "language.md").read_text()
HEADS = get_args(ForecasterSpec.model_fields["head"].annotation)
DECODERS = get_args(ForecasterSpec.model_fields["decoder"].annotation)
KINDS: list[type[BaseModel]] = [*ALL_KINDS, *DECODERS, *HEADS]
COMMON = set(AnyBlock.model_fields) | {"kind"}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_has_a_row_with_the_keys_of_its_own(kind: type[BaseModel]) -> None:
    (name,) = get_args(kind.model_fields["kind"].annotation)
    (row,) = [line for line in PAGE.splitlines() if line.startswith("|") and f"`{name}`" in line.split("|")[1]]
    own = set(kind.model_fields) - COMMON - (set(AnyCell.model_fields) if issubclass(kind, AnyCell) else set())
    assert own <= set(re.findall(r"`(\w+)`", row))


@pytest.mark.parametrize("model", [AnyCell, Input, Scaling, Training, Phase])
def test_every_key_of_cells_training_and_phases_is_told(model: type[BaseModel]) -> None:
    for key in set(model.model_fields) - COMMON:
        assert f"`{key}`" in PAGE or f'"{key}"' in PAGE, key


def test_the_example_can_be_built() -> None:
    (example,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert compile_spec(parse_spec(json.loads(example)), NetworkLimits()).parameters > 0
