"""What is told of bundles that are there, whether they can be used or not."""

from dataclasses import dataclass

from nextvec.app.release.refusal import told
from nextvec.app.release.registry import Registry
from nextvec.training.errors import ProjectError


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedBundle:
    """A folder that should be a bundle."""

    bundle: str
    """Its name."""

    created: str | None = None
    """When it was made, ISO 8601 in UTC."""

    run: str | None = None
    corpus: str | None = None
    num_vectors: int | None = None
    index_kind: str | None = None
    engine: str | None = None

    fault: str | None = None
    """Why its manifest is none of this bundle; then nothing else is known."""


def list_bundles(registry: Registry) -> list[ListedBundle]:
    """Return all bundles of a folder, by name; nothing but manifests is read."""
    return [_listed(registry, name) for name in registry.versions()]


def _listed(registry: Registry, name: str) -> ListedBundle:
    try:
        manifest = registry.manifest(name)
    except ProjectError as error:
        return ListedBundle(bundle=name, fault=told(error, registry.folder))
    return ListedBundle(
        bundle=name,
        created=manifest.created,
        run=manifest.run,
        corpus=manifest.corpus_name,
        num_vectors=manifest.num_vectors,
        index_kind=manifest.index_kind,
        engine=manifest.engine.name,
    )
