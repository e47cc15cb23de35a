"""What is a network's mean over its newest epochs? Weights that lie between those of noisy steps, which often forecast better than any."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager

import torch
from torch import Tensor

from worker.training.stage import StageRun
from worker.training.state import clone

EPOCH = "epoch"
"""What the weights at the end of an epoch are put aside as, with its place among the newest ones."""


@contextmanager
def averaged(run: StageRun, kept: MutableMapping[str, dict[str, Tensor]], epoch: int, count: int) -> Iterator[None]:
    """Inside, a stage has the mean of its weights at the end of its newest epochs (Izmailov et al. 2018); behind it its own again.

    Args:
        run: the stage, at the end of an epoch.
        kept: where the weights of the newest epochs are put aside.
        epoch: its number.
        count: epochs that are averaged; one changes nothing.
    """
    if count == 1:
        yield
        return
    own = clone(run.weights())
    kept[f"{EPOCH}{epoch % count}"] = {name: own[name] for name in run.learners}
    # In one order always: a sum of the same numbers in another one may differ in its last bit.
    newest = [kept[name] for name in sorted(kept) if name.startswith(EPOCH)]
    run.load({**own, **{name: torch.stack([aside[name] for aside in newest]).mean(dim=0) for name in run.learners}})
    yield
    run.load(own)
