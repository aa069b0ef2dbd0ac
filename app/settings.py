"""The settings of the service, and the only reader of the environment."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from nextvec.training.checked import faults
from nextvec.training.context_length import CONTEXT_LENGTH
from nextvec.training.errors import ProjectError


class Settings(BaseSettings):
    """Everything an operator can choose; `docs/configuration.md` lists it.

    Read from the environment with the prefix ``NEXTVEC_``, or given by name.
    """

    model_config = SettingsConfigDict(
        env_prefix="NEXTVEC_",
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
    )

    bundles: Path = Path("artifacts/bundles")
    """Folder that holds the bundles and the LIVE pointer."""

    bundle: str | None = None
    """Version to serve; not set: the one LIVE points at."""

    live_poll_s: float = Field(default=1.0, ge=0)
    """How often LIVE is looked at for another bundle, in seconds; 0 only at the
    start."""

    keep_previous: bool = True
    """Whether the bundle that was live before stays in memory, for a rollback at once;
    without, it is loaded again."""

    host: str = "127.0.0.1"
    """Address to listen on."""

    port: int = Field(default=8000, ge=0, le=65535)
    """TCP port to listen on; 0 takes a free one."""

    default_k: int = Field(default=10, ge=1)
    """Neighbors returned when a request names no k."""

    max_k: int = Field(default=1000, ge=1)
    """Largest k a request may ask for, in neighbors."""

    max_context: int = Field(default=CONTEXT_LENGTH, ge=1, le=CONTEXT_LENGTH)
    """Longest context a request may send, in vectors; no model takes more than 100."""

    max_contexts: int = Field(default=32, ge=1)
    """Most contexts of one call of /predict/batch; never more than may wait."""

    max_body_bytes: int = Field(default=8 << 20, ge=1)
    """Largest request body, in bytes, counted while it arrives."""

    max_batch: int = Field(default=32, ge=1)
    """Most contexts computed together, of one request or of several."""

    max_queue: int = Field(default=256, ge=1)
    """Most contexts that wait for the inference thread; more get a 503."""

    request_timeout_s: float = Field(default=10.0, gt=0)
    """Longest wait for a prediction, in seconds; after that a 504."""

    retry_after_s: int = Field(default=1, ge=1)
    """What a 503 tells the client to wait, in seconds."""

    threads: int | None = Field(default=None, ge=1)
    """Threads of torch and of the index; not set: half of the CPUs this process may
    use, at least 1."""

    hitk_step_ms: float | None = Field(default=None, gt=0)
    """How long one step of a validation run may hold the inference thread, in
    milliseconds; not set: half of what one prediction takes. Never less than one
    window."""

    hitk_timeout_s: float = Field(default=60.0, gt=0)
    """Longest wait for a validation run, in seconds; after that a 504, and the run goes
    on for whoever asks next."""

    max_hitk_k: int = Field(default=100, ge=10)
    """Largest cut-off of /metrics/hitk, in ranks."""

    max_sessions: int = Field(default=10_000, ge=1)
    """Most open sessions; when one more is opened, the one not used for longest
    goes."""

    max_session_bytes: int = Field(default=256 << 20, ge=1)
    """Most memory of all open sessions, in bytes; beyond it the same."""

    session_idle_s: float = Field(default=1800.0, gt=0)
    """How long a session is kept that is not used, in seconds."""

    session_key: SecretStr | None = Field(default=None, min_length=16)
    """Key that signs the states of sessions that clients hold, the same in all
    processes that answer them; not set: one of this process alone, and every state is
    refused after a restart."""

    shutdown_timeout_s: int = Field(default=10, ge=0)
    """How long open requests may finish after a stop signal, in seconds."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Least severe level that is logged."""

    @property
    def most_contexts(self) -> int:
        """Most contexts of one call: all of them have to fit into the queue."""
        return min(self.max_contexts, self.max_queue)

    @property
    def k_by_default(self) -> int:
        """K where none is given."""
        return min(self.default_k, self.max_k)

    @property
    def url(self) -> str:
        """Where this machine reaches the service."""
        # who listens on every address is found on the machine's own
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 - compared, not listened on
        shown = f"[{host}]" if ":" in host else host
        return f"http://{shown}:{self.port}"


class SettingsError(ProjectError):
    """A setting is of another type or out of bounds."""


def read_settings(**told: Any) -> Settings:  # noqa: ANN401 - each checked by its field
    """Read the settings from the environment and from what an operator said.

    Args:
        told: settings by name, which win over the environment; None is not set.

    Raises:
        SettingsError: one cannot be used; the message names it.
    """
    try:
        return Settings(**{k: v for k, v in told.items() if v is not None})
    except ValidationError as error:
        msg = f"setting {faults(error)}"
        raise SettingsError(msg) from error
