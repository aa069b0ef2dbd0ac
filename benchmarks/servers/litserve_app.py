"""The prediction behind LitServe, with batches; runs in its environment.

``python -m benchmarks.servers.litserve_app PORT``, as
https://lightning.ai/docs/litserve/features/batching has it. Processes and the fast
queue are those that the docstring of its `LitServer` advises for a CPU and for more
than a hundred requests a second.
"""

import base64
import sys
from typing import Any

import litserve
import numpy as np

from benchmarks.servers.answering import MAX_BATCH, Answering, num_workers
from nextvec.training.vectors import Float32


class NextVector(litserve.LitAPI):
    """One context in, its neighbors out; LitServe stacks what waits."""

    def setup(self, device: str) -> None:
        """Load the bundle, once in each process."""
        del device
        self._answering = Answering()

    def decode_request(self, request: dict[str, Any]) -> Float32:
        """Read a context: an array of arrays, or base64 of little-endian float32."""
        context = request["context"]
        if isinstance(context, str):
            read = np.frombuffer(base64.b64decode(context), "<f4")
            return read.reshape(-1, self._answering.dim)
        return np.asarray(context, np.float32)

    def predict(self, context_BTD: Float32) -> list[dict[str, Any]]:
        """Answer a stack of contexts."""
        return self._answering(context_BTD)


def main() -> None:
    """Serve on 127.0.0.1 until the process is stopped."""
    server = litserve.LitServer(
        # batch_timeout is 0, its default: what waits is a batch
        NextVector(max_batch_size=MAX_BATCH),
        accelerator="cpu",
        devices=1,
        workers_per_device=num_workers(),
        fast_queue=True,
    )
    server.run(
        host="127.0.0.1",
        port=int(sys.argv[1]),
        log_level="warning",
        generate_client_file=False,
    )


if __name__ == "__main__":
    main()
