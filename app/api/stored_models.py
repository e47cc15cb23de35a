"""Which stored models does a document have in it? Each is looked up by who asks, and what it is made of is written beside its name."""

from __future__ import annotations

from sqlalchemy.orm import Session

from app.errors import NotFoundError
from app.spec.blocks import Block, Model, every, replaced
from app.spec.forecaster import ForecasterSpec
from app.spec.parse import parse_spec
from app.store.models import get_model


def has_models(spec: ForecasterSpec) -> bool:
    """Whether a document has the network of a stored model in it."""
    return any(isinstance(block, Model) for block in every(spec.network))


def with_models(spec: ForecasterSpec, db: Session, owner: str) -> ForecasterSpec:
    """The document with what its models are made of; whatever it said of that itself is forgotten, as is a model that the owner has not.

    Args:
        spec: the document.
        db: to look them up.
        owner: whose they must be.
    """

    def filled(block: Block) -> Block:
        if not isinstance(block, Model):
            return block
        try:
            row = get_model(db, owner, block.model)
        except NotFoundError:
            return block.model_copy(update=dict.fromkeys(("digest", "inputs", "target", "over", "network")))
        stored = parse_spec(row.spec)
        scaled = {"target": stored.scaling.target, "over": stored.scaling.over}
        made_of = {"digest": row.digest, "inputs": stored.inputs, **scaled, "network": stored.network}
        return block.model_copy(update=made_of)

    return spec.model_copy(update={"network": replaced(spec.network, filled)}) if has_models(spec) else spec
