"""The settings of the service, and the only reader of the environment."""

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from nextvec.training.checked import faults
from nextvec.training.context_length import CONTEXT_LENGTH
from nextvec.training.errors import ProjectError

KEYS: Final = Path("artifacts/keys.json")
"""Where the API keys are, unless a setting says otherwise."""

Rate = Annotated[
    str,
    Field(pattern=r"^[1-9][0-9]{0,8}/(second|minute|hour|day)$"),
]
"""So many in a time, such as ``100/second``."""

_ORIGIN: Final = re.compile(r"https?://[^/,\s*]+")


def _listed(told: str) -> list[str]:
    return [part.strip() for part in told.split(",")]


def _origins(told: str) -> str:
    for origin in _listed(told):
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            msg = f"cors_origins: expected scheme://host[:port] or *, got {origin!r}"
            raise ValueError(msg)
    return told


def _networks(told: str) -> str:
    for network in _listed(told):
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            msg = f"trusted_proxies: expected addresses or networks: {error}"
            raise ValueError(msg) from error
    return told


class Settings(BaseSettings):
    """Everything an operator can choose; `docs/configuration.md` lists it.

    Read from the environment with the prefix ``NEXTVEC_``, or given by name.
    """

    model_config = SettingsConfigDict(
        env_prefix="NEXTVEC_",
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        # pydantic's own words, at the end of a traceback, would show a secret
        hide_input_in_errors=True,
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

    verify: Literal["changed", "all"] = "changed"
    """Which files of a bundle are read to compare their checksums: those that changed
    since that was done last, or all."""

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

    max_upload_bytes: int = Field(default=256 << 20, ge=1)
    """Most bytes of all bodies that are held at once; past it a 503. At least one body
    always fits."""

    max_connections: int = Field(default=1000, ge=1)
    """Most open connections, less where the process may open fewer files; for one more
    an idle one ends, and where none is idle it gets a 503, unless it is a probe."""

    max_head_bytes: int = Field(default=64 << 10, ge=256)
    """Longest request line and headers, in bytes; past it a 431."""

    head_timeout_s: float = Field(default=10.0, gt=0)
    """Longest time to receive request line and headers, in seconds; after that a
    408."""

    body_timeout_s: float = Field(default=30.0, gt=0)
    """Longest time to receive a body, in seconds, after that a 408; and how long a
    client may read nothing of its answer."""

    keep_alive_s: float = Field(default=75.0, gt=0)
    """How long a connection is kept on which nothing happens, in seconds."""

    max_batch: int = Field(default=32, ge=1)
    """Most contexts computed together, of one request or of several."""

    max_queue: int = Field(default=1024, ge=1)
    """Most contexts that wait for the inference thread; more get a 503. Room for what
    comes in a pause; whom the wait takes too long is refused anyway."""

    request_timeout_s: float = Field(default=10.0, gt=0)
    """Longest wait for a prediction, in seconds; after that a 504."""

    retry_after_s: int = Field(default=1, ge=1)
    """Seconds that a 503 tells the client to wait at least; more if the queue takes so
    long."""

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

    keys: Path | None = None
    """File of the API keys, which then has to be there; not set: artifacts/keys.json,
    if it is there. Without a file of keys everyone is answered."""

    api_key: SecretStr | None = None
    """Key that `nextvec predict` sends; the service itself reads none here."""

    rate_per_key: Rate | None = None
    """Most requests of one API key, such as 100/second (or minute, hour, day); a batch
    counts as its contexts; not set: no limit."""

    rate_per_address: Rate | None = None
    """The same for one address of a client, or one /64 of IPv6, with a key or without;
    not set: no limit."""

    rate_refused: Rate = "30/minute"
    """Most requests without a valid key of one address that get a 401; more get a
    429."""

    trusted_proxies: Annotated[str, AfterValidator(_networks)] | None = None
    """Addresses or networks, with commas between, whose X-Forwarded-For is believed;
    not set: nobody's."""

    cors_origins: Annotated[str, AfterValidator(_origins)] | None = None
    """Origins, with commas between, whose pages may ask (CORS), or *; not set: none
    but the service's own."""

    drain_delay_s: float = Field(default=1.0, ge=0)
    """How long requests are still taken after SIGTERM or SIGHUP, while /readyz says not
    ready, in seconds; Ctrl-C does not wait."""

    shutdown_timeout_s: int = Field(default=10, ge=0)
    """How long open requests may finish after a stop signal, in seconds."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Least severe level that is logged."""

    @property
    def most_contexts(self) -> int:
        """Most contexts of one call: all of them have to fit into the queue."""
        return min(self.max_contexts, self.max_queue)

    @property
    def keys_file(self) -> Path:
        """Where the API keys are."""
        return self.keys or KEYS

    @property
    def origins(self) -> list[str]:
        """Origins whose pages may ask."""
        return [] if self.cors_origins is None else _listed(self.cors_origins)

    @property
    def proxies(self) -> list[str]:
        """Addresses and networks of proxies that are believed."""
        return [] if self.trusted_proxies is None else _listed(self.trusted_proxies)

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


_SECRETS: Final = frozenset(
    name
    for name, field in Settings.model_fields.items()
    if SecretStr in get_args(field.annotation)
)


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
        msg = f"setting {faults(error, secrets=_SECRETS)}"
        raise SettingsError(msg) from error
