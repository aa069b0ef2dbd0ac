"""`bundle.json`: what a bundle is made of, and how to tell that it is whole."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final, Self

import orjson

from nextvec.app.bundle.checksums import Checksums, sha256_of
from nextvec.app.bundle.engine_names import AUTO
from nextvec.app.bundle.sealed_json import is_sealed, sealed
from nextvec.app.bundle.verified import VerifiedFiles
from nextvec.training.checked import from_json
from nextvec.training.corpus.corpus import Kind
from nextvec.training.errors import BundleError
from nextvec.training.files import write_bytes
from nextvec.training.run_folder import BUNDLED, ITEM_BASELINE
from nextvec.training.steps import Steps, ignore_steps
from nextvec.training.vectors import CONTEXT_LENGTH

MANIFEST: Final = "bundle.json"
FORMAT: Final = 5

GOLDEN_K: Final = 10
"""Neighbors that the golden query asks for."""

MAX_BYTES: Final = 1_048_576
"""What `bundle.json` may hold. Nearly all of it is the golden prediction: 25 bytes for
each of D numbers, so this is enough for D = 40,000."""

_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_CHECKSUM: Final = re.compile(r"[0-9a-f]{64}")


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

    reason: str = "none was chosen"
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
    """Name of the bundle: the run's, and a digest of its content (`version_of`). Its
    folder is called the same."""

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

    sizes: dict[str, int]
    """Size of every other file, in bytes."""

    texts_checksum: str | None = None
    """SHA-256 of the texts of the corpus, each ended by a zero; None if it has none."""

    engine_asked: str = AUTO
    """What was to run the network: a name, or auto."""

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
        """Write `bundle.json`, sealed."""
        write_bytes(folder / MANIFEST, sealed(asdict(self)))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read `bundle.json`.

        Nothing is parsed before its seal is found whole; what is listed there is not
        looked at (`verify`).

        Raises:
            BundleError: missing, too large, changed, of another format; or a field is
                missing, unknown, of another type, or says what cannot be.
        """
        path = folder / MANIFEST
        data = _read(path)
        if not is_sealed(data):
            raise BundleError(_why_unsealed(path, data))
        try:
            # which refuses numbers that are not finite
            fields = orjson.loads(data)
            del fields["seal"]
            if fields.get("format") != FORMAT:
                raise BundleError(_other_format(path, fields.get("format")))
            manifest = from_json(cls, orjson.dumps(fields))
        except ValueError as error:
            msg = f"{path}: {error}"
            raise BundleError(msg) from error
        fault = next(_faults(manifest), None)
        if fault is not None:
            msg = f"{path}: {fault}"
            raise BundleError(msg)
        return manifest

    def version_as(self, name: str) -> str:
        """Return what a bundle of this content is called, made by a run of that name.

        Args:
            name: as `version_of` takes it.
        """
        return version_of(
            name,
            files=self.files,
            index_kind=self.index_kind,
            corpus_fingerprint=self.corpus_fingerprint,
            betas=self.betas,
            engine_asked=self.engine_asked,
            texts_checksum=self.texts_checksum,
        )

    def require_folder(self, folder: Path) -> None:
        """Refuse a bundle that lies in the place of another one.

        Raises:
            BundleError: the folder is not called what the bundle is.
        """
        found = folder.resolve().name
        if found != self.version:
            msg = (
                f"{folder}: holds the bundle {self.version}: a bundle lies in a folder "
                f"of its own name, so rename this one, or build {found} again"
            )
            raise BundleError(msg)

    def require_sizes(self, folder: Path) -> None:
        """Compare the size of every file, which takes no time.

        Raises:
            BundleError: a file is missing or of another size.
        """
        for name, expected in self.sizes.items():
            path = folder / name
            try:
                found = path.stat().st_size
            except OSError as error:
                msg = f"{path}: missing from the bundle: {error.strerror}"
                raise BundleError(msg) from error
            if found != expected:
                msg = f"{path}: damaged: expected {expected:,} bytes, got {found:,}"
                raise BundleError(msg)

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
        self.require_sizes(folder)
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


def version_of(
    name: str,
    *,
    files: Mapping[str, str],
    index_kind: str,
    corpus_fingerprint: str,
    betas: Mapping[str, float],
    engine_asked: str,
    texts_checksum: str | None,
) -> str:
    """Name a bundle after its run and everything that goes into it.

    Args:
        name: of the run; only letters and digits of it are kept.
        files: checksums, of which only those count that a run brings: the others are
            made of these, and are known only when they are made.
        index_kind: as in the manifest, like all that follows.
        corpus_fingerprint: likewise.
        betas: likewise.
        engine_asked: likewise.
        texts_checksum: likewise.
    """
    brought = {n: files[n] for n in (*BUNDLED, ITEM_BASELINE) if n in files}
    told = {
        "betas": {pool: float(beta) for pool, beta in betas.items()},
        "corpus": corpus_fingerprint,
        "engine": engine_asked,
        "files": brought,
        "format": FORMAT,
        "index": index_kind,
        "texts": texts_checksum,
    }
    digest = hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS))
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40].strip("-")
    return f"{slug or 'run'}-{digest.hexdigest()[:8]}"


def _read(path: Path) -> bytes:
    """Read no more than a manifest may hold."""
    try:
        # a pipe would be waited for
        if not path.is_file():
            raise FileNotFoundError
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        msg = (
            f"{path.parent}: no bundle here (expected {path.name} in that folder, "
            "readable)"
        )
        raise BundleError(msg) from error
    if len(data) > MAX_BYTES:
        msg = f"{path}: expected at most {MAX_BYTES // 1024:,} KiB, got more"
        raise BundleError(msg)
    return data


def _why_unsealed(path: Path, data: bytes) -> str:
    """Tell a manifest that was changed from one made before there were seals."""
    try:
        fields = orjson.loads(data)
    except ValueError:
        fields = None
    if isinstance(fields, dict) and "seal" not in fields:
        found = fields.get("format")
        if isinstance(found, int) and found < FORMAT:
            return _other_format(path, found)
    return (
        f"{path}: the manifest was changed after the bundle was made: its checksum "
        "does not fit; copy the bundle again from where it is whole, or make it anew "
        "with: nextvec bundle build RUN"
    )


def _other_format(path: Path, found: object) -> str:
    if isinstance(found, int) and found < FORMAT:
        return (
            f"{path}: made by an older nextvec (bundle format {found}, expected "
            f"{FORMAT}): build it again with: nextvec bundle build RUN"
        )
    return (
        f"{path}: expected bundle format {FORMAT}, got {found!r}: was it made by a "
        "newer nextvec?"
    )


def _faults(manifest: Manifest) -> Iterator[str]:
    """Yield what is in no manifest that was ever made, whatever its seal says."""
    if not (manifest.dim >= 1 and manifest.num_vectors >= 1):
        yield (
            "expected dim and num_vectors of at least 1, got "
            f"{manifest.dim} and {manifest.num_vectors}"
        )
    for name, checksum in manifest.files.items():
        if not _PLAIN.fullmatch(name):
            yield f"files: expected plain names of files in this folder, got {name!r}"
        if not _CHECKSUM.fullmatch(checksum):
            yield f"files: {name}: expected 64 hexadecimal digits, got {checksum!r}"
    if manifest.sizes.keys() != manifest.files.keys():
        yield "sizes: expected the size of every file in files, and of no other"
    name = manifest.version.rpartition("-")[0]
    derived = manifest.version_as(name)
    if derived != manifest.version:
        yield f"what it holds is the bundle {derived}, but it says {manifest.version!r}"
    if manifest.golden is not None:
        yield from _golden_faults(manifest.golden, manifest)


def _golden_faults(golden: Golden, manifest: Manifest) -> Iterator[str]:
    """Yield why a golden query is none of this bundle, before anybody asks it."""
    n, length = manifest.num_vectors, len(golden.context_rows)
    if not 1 <= length <= CONTEXT_LENGTH:
        yield f"golden: expected 1 to {CONTEXT_LENGTH} context_rows, got {length}"
    # an item that has no vector is -1 in a context
    elif min(golden.context_rows) < -1 or max(golden.context_rows) >= n:
        yield f"golden: context_rows: expected rows below {n}"
    # a closed form over ids predicts no vector
    dim = 0 if ITEM_BASELINE in manifest.files else manifest.dim
    if len(golden.prediction) != dim:
        found = len(golden.prediction)
        yield f"golden: expected a prediction of {dim} numbers, got {found}"
    num_rows, num_scores = len(golden.rows), len(golden.scores)
    if num_rows != num_scores or not 1 <= num_rows <= min(GOLDEN_K, n):
        yield (
            f"golden: expected as many rows as scores, 1 to {min(GOLDEN_K, n)}, got "
            f"{num_rows} and {num_scores}"
        )
    elif min(golden.rows) < 0 or max(golden.rows) >= n:
        yield f"golden: rows: expected rows from 0 to {n - 1}"
