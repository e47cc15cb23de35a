"""What are things called? A prefix that says which, and a ULID that sorts by the time of birth."""

from __future__ import annotations

from typing import Literal

from ulid import ULID

Prefix = Literal["own", "key", "ds", "arc", "job", "ckpt", "mdl", "ses", "req"]


def new_id(prefix: Prefix) -> str:
    """A new id, such as `ds_01JD2V6W2Q7YH0S0V5S1G4Z8KX`."""
    return f"{prefix}_{ULID()}"
