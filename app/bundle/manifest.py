"""`bundle.json`: what a bundle is made of, and how to tell that it is whole."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final, Self

import orjson

from nextvec.app.bundle.checksums import Checksums, sha256_of
from nextvec.app.bundle.verified import VerifiedFiles
from nextvec.training.checked import from_json
from nextvec.training.corpus.corpus import Kind
from nextvec.training.errors import BundleError
from nextvec.training.files import read_versioned, write_json
from nextvec.training.steps import Steps, ignore_steps

MANIFEST: Final = "bundle.json"
FORMAT: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Golden:
    """A question whose answer is known, asked before a bundle goes live."""

    context_rows: list[int]
    """Rows of the context, oldest first."""

    prediction: list[float]
    """What the model predicted when the bundle was made, in the searched space."""

    rows: list[int]
    """The neighbors found then, best first, the context left out."""

    scores: list[float]
    """Their scores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderFacts:
    """What made the vectors of a corpus out of its texts."""

    name: str
    """As `nextvec.training.corpus.text.encoders.get_encoder` takes it."""

    version: str
    """Package and version of the code."""

    checksum: str
    """SHA-256 of the weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineTrial:
    """How one engine did when a bundle was made."""

    times_ms: dict[str, float]
    """Of a batch of full contexts, by how many there were; the median."""

    cosine: float
    """Mean cosine of its predictions to those of the network as it was trained."""

    hit: float
    """Hit@K of validation in what is searched, as a fraction."""

    copies: float | None
    """Of items that return, how far the log weights of copies are apart, the mean; None
    where nothing is copied."""

    is_passed: bool
    """Whether that is close enough to be served."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFacts:
    """What runs the network of a bundle, and why."""

    name: str = "eager"
    """One of `nextvec.app.bundle.engine_names.ENGINES`."""

    reason: str = "made before engines were chosen"
    """Why this one, in plain words."""

    threads: int | None = None
    """Threads of torch during the trials; None without trials."""

    k: int | None = None
    """Cut-off of the hits; None without trials."""

    num_windows: int | None = None
    """Windows of validation that all were asked; None without trials."""

    trials: dict[str, EngineTrial] = field(default_factory=dict)
    """How each engine did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Everything `bundle.json` holds."""

    version: str
    """Name of the bundle: the run's, and a digest of its content."""

    created: str
    """When it was made, ISO 8601 in UTC."""

    run: str
    """Name of the run it was made from."""

    index_kind: str
    """Kind of the index."""

    dim: int
    """Length D of a vector."""

    num_vectors: int
    """Rows of the index, N."""

    betas: dict[str, float]
    """By pool, the share of its hubness that a candidate scores less; "index" is what
    `/predict` searches."""

    corpus_name: str
    """What people call the corpus."""

    corpus_fingerprint: str
    """Fingerprint of the corpus whose rows the index holds."""

    corpus_kind: Kind
    """documents or items."""

    model_version: str
    """First 12 digits of the SHA-256 of the weights."""

    index_version: str
    """First 12 digits of the SHA-256 of the index, vectors included."""

    files: dict[str, str]
    """SHA-256 of every other file."""

    encoder: EncoderFacts | None = None
    """What encodes texts as this corpus was encoded; None for vectors that were
    brought, and of items."""

    engine: EngineFacts = field(default_factory=EngineFacts)
    """What runs the network."""

    golden: Golden | None
    """The question with the known answer; None until the bundle has been asked, and
    such a one never goes live."""

    format: int = FORMAT
    """Version of this layout."""

    def save(self, folder: Path) -> None:
        """Write `bundle.json`."""
        write_json(folder / MANIFEST, asdict(self))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read `bundle.json`.

        Raises:
            BundleError: missing, unreadable or of another format, or a field is
                missing, unknown or of another type.
        """
        path = folder / MANIFEST
        fields = read_versioned(path, what="bundle", version=FORMAT, error=BundleError)
        try:
            return from_json(cls, orjson.dumps(fields))
        except ValueError as error:
            msg = f"{path}: {error}"
            raise BundleError(msg) from error

    def verify(
        self,
        folder: Path,
        progress: Steps = ignore_steps,
        verified: VerifiedFiles | None = None,
    ) -> None:
        """Compare every file with its checksum, a few files at once.

        Args:
            folder: of the bundle.
            progress: told as by `Checksums`.
            verified: files that need not be read again; None reads all.

        Raises:
            BundleError: a file is missing or is not the one that was sealed.
        """
        paths = [folder / name for name in self.files]
        checksums = Checksums(paths, progress, verified)
        found_of = checksums.all()
        for name, expected in self.files.items():
            found = found_of[name]
            if found != expected and verified is not None:
                # what is remembered may be wrong, and then it refuses nothing
                found = sha256_of(folder / name)
            if found != expected:
                msg = (
                    f"{folder / name}: damaged: expected SHA-256 {expected[:12]}, "
                    f"got {found[:12]}"
                )
                raise BundleError(msg)
