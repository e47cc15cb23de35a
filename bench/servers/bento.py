"""The traced network behind BentoML, in adaptive batches; run by the environment's own `bentoml serve bento:Forecasts`."""

import os

import bentoml  # type: ignore[import-not-found]
import numpy as np
import torch


@bentoml.service(workers=1, logging={"access": {"enabled": False}})
class Forecasts:
    """Means of one series, `{"target": [[...]]}`."""

    def __init__(self) -> None:
        torch.set_num_threads(1)
        self.network = torch.jit.load(os.environ["BENCH_TRACED"])  # type: ignore[no-untyped-call]

    @bentoml.api(route="/forecast", batchable=True, max_batch_size=64, max_latency_ms=1000)  # type: ignore[untyped-decorator]
    def forecast(self, target: np.ndarray) -> np.ndarray:
        """Means [batch, 24] of the last 96 values of each row."""
        with torch.inference_mode():
            found: np.ndarray = self.network(torch.from_numpy(np.asarray(target, dtype=np.float32)[:, -96:])).numpy()
        return found
