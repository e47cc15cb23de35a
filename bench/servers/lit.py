"""The traced network behind LitServe, in batches of whatever waits; run by the environment's own Python: `python lit.py PORT FILE`."""

import sys
from typing import Any

import litserve  # type: ignore[import-not-found]
import torch


class Forecasts(litserve.LitAPI):  # type: ignore[misc]
    """Means of one series, `{"target": [...]}`."""

    def setup(self, device: str) -> None:
        """Reads the network, in the process that computes."""
        torch.set_num_threads(1)
        self.network = torch.jit.load(sys.argv[2])  # type: ignore[no-untyped-call]

    def decode_request(self, request: dict[str, Any]) -> torch.Tensor:
        """The last 96 values."""
        return torch.tensor(request["target"][-96:])

    def batch(self, inputs: list[torch.Tensor]) -> torch.Tensor:
        """Series as rows."""
        return torch.stack(inputs)

    def predict(self, x: torch.Tensor) -> torch.Tensor:
        """Means of each row."""
        with torch.inference_mode():
            return self.network(x)  # type: ignore[no-any-return]

    def unbatch(self, output: torch.Tensor) -> list[torch.Tensor]:
        """Rows again."""
        return list(output)

    def encode_response(self, output: torch.Tensor) -> dict[str, list[float]]:
        """What is answered."""
        return {"mean": output.tolist()}


if __name__ == "__main__":
    api = Forecasts(max_batch_size=64, batch_timeout=0.0, api_path="/forecast")
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False, log_level="warning")
