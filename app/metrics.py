"""What Prometheus is told; `docs/operations.md` lists every name."""

from collections.abc import Callable, Sized
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

from nextvec.app.bundle.bundle import Bundle

_SECONDS: Final = tuple(round(0.0005 * 1.5**step, 6) for step in range(24))
# Half a millisecond to 5.6 s, each half as much again: fine enough for a p99.

_SIZES: Final = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """The service's own registry: two apps in one process do not meet in it."""

    def __init__(self, queue_depth: Callable[[], float]) -> None:
        """Register everything.

        Args:
            queue_depth: asked for the number of waiting requests at each scrape.
        """
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        self.requests = Counter(
            "nextvec_requests",
            "Answered HTTP requests.",
            ["route", "method", "status"],
            registry=registry,
        )
        self.request_seconds = Histogram(
            "nextvec_request_seconds",
            "From the head of a request to the end of its answer.",
            ["route"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.decode_seconds = Histogram(
            "nextvec_decode_seconds",
            "Decoding one body: of a prediction, a session or a step.",
            ["encoding"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.stage_seconds = Histogram(
            "nextvec_stage_seconds",
            "Time of a prediction waiting (queue), in the network (model) and in the "
            "index (search).",
            ["stage"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.inferences = Counter(
            "nextvec_inferences", "Contexts answered.", registry=registry
        )
        self.executions = Counter(
            "nextvec_executions", "Batches computed.", registry=registry
        )
        self.batch_size = Histogram(
            "nextvec_batch_size",
            "Contexts in a batch.",
            buckets=_SIZES,
            registry=registry,
        )
        self.batch_seconds = Histogram(
            "nextvec_batch_seconds",
            "Computing one batch.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.dropped = Counter(
            "nextvec_dropped",
            "Predictions not made: overloaded, deadline, or disconnected.",
            ["reason"],
            registry=registry,
        )
        self.refused = Counter(
            "nextvec_refused",
            "Refused before the app, by the server (connections, ...) or at the "
            "door (unauthenticated, ...).",
            ["reason"],
            registry=registry,
        )
        self.connections = Gauge(
            "nextvec_connections", "Open connections.", registry=registry
        )
        self.upload_bytes = Gauge(
            "nextvec_upload_bytes",
            "Bytes of all bodies that are held now.",
            registry=registry,
        )
        self.sessions_gone = Counter(
            "nextvec_sessions_gone",
            "Sessions that ended: deleted, expired, evicted, or of another bundle.",
            ["reason"],
            registry=registry,
        )
        self.session_steps = Counter(
            "nextvec_session_steps",
            "Steps of sessions; reads new: the new vectors alone, anew: a context.",
            ["reads"],
            registry=registry,
        )
        Gauge(
            "nextvec_queue_depth", "Predictions that wait.", registry=registry
        ).set_function(queue_depth)
        self.swaps = Counter(
            "nextvec_swaps",
            "Bundles that were to go live: done or refused.",
            ["outcome"],
            registry=registry,
        )
        self.live_refused = Gauge(
            "nextvec_live_refused",
            "1 while LIVE names what cannot be served, and the bundle before it is.",
            registry=registry,
        )
        self.ready = Gauge(
            "nextvec_ready", "1 if a bundle is live, else 0.", registry=registry
        )
        self.model_info = Gauge(
            "nextvec_model_info",
            "Always 1; what is live is in the labels.",
            ["bundle", "model_version", "index_version", "architecture", "verdict"],
            registry=registry,
        )
        self.index_vectors = Gauge(
            "nextvec_index_vectors", "Vectors in the index.", registry=registry
        )
        self.hitk = Gauge(
            "nextvec_hitk",
            "Hit@K of the newest validation run, a fraction.",
            ["pool", "k", "through"],
            registry=registry,
        )
        self.hitk_timestamp = Gauge(
            "nextvec_hitk_timestamp_seconds",
            "When that run ended, in Unix time.",
            registry=registry,
        )

    def watch_sessions(self, sessions: Sized, size_bytes: Callable[[], float]) -> None:
        """Register what is asked of the open sessions at each scrape."""
        Gauge(
            "nextvec_sessions", "Open sessions.", registry=self.registry
        ).set_function(lambda: len(sessions))
        Gauge(
            "nextvec_session_bytes",
            "Memory of the open sessions.",
            registry=self.registry,
        ).set_function(size_bytes)

    def batch_done(self, size: int, seconds: float) -> None:
        """Note one executed batch."""
        self.inferences.inc(size)
        self.executions.inc()
        self.batch_size.observe(size)
        self.batch_seconds.observe(seconds)

    def bundle_live(self, bundle: Bundle) -> None:
        """Note which bundle is live."""
        manifest = bundle.manifest
        self.ready.set(1)
        self.index_vectors.set(manifest.num_vectors)
        # of the one before, and what it was measured at
        self.model_info.clear()
        self.hitk.clear()
        self.hitk_timestamp.set(0)
        self.model_info.labels(
            manifest.version,
            manifest.model_version,
            manifest.index_version,
            bundle.checkpoint.model.config.architecture,
            bundle.verdict,
        ).set(1)

    def exposition(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self.registry)
