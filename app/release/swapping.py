"""Which bundle answers, and how another takes its place while requests come."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final, Generic, Protocol, TypeVar

from nextvec.app.bundle.bundle import Bundle
from nextvec.app.errors import (
    BundleRefusedError,
    NotReadyError,
    UnknownBundleError,
)
from nextvec.app.inference.engine import Engine
from nextvec.app.metrics import Metrics
from nextvec.app.release.loader import Loader
from nextvec.app.release.refusal import AskedBy, Code, Refusal, told
from nextvec.app.release.registry import Pointer, Registry
from nextvec.app.release.sight import look, when_made
from nextvec.training.errors import BundleError, ProjectError

log = logging.getLogger(__name__)

_AGAIN_S: Final = 60.0
# What could not be used is tried again when a file of it has changed, and after this
# long in any case: a file system that was away does not change when it is back.


class Served(Protocol):
    """Whatever answers requests, made from one bundle."""

    @property
    def engine(self) -> Engine:
        """What computes the answers."""
        ...


S = TypeVar("S", bound=Served)


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap(Generic[S]):
    """What a promotion or a rollback has done."""

    name: str
    """Of the bundle that answers now."""

    served: S
    was_warm: bool
    """Whether nothing had to be loaded."""


@dataclass(frozen=True, slots=True)
class _Kept(Generic[S]):
    name: str
    made: object
    served: S

    @property
    def what(self) -> tuple[str, object]:
        return self.name, self.made


class Swapping(Generic[S]):
    """Owns what answers, and puts another bundle in its place.

    Lives in the event loop. One change at a time: a bundle is loaded aside, asked its
    golden query and warmed, and only then takes over, between two turns of the loop.
    Whoever took `serving` before goes on with that.
    """

    def __init__(
        self,
        registry: Registry,
        loader: Loader,
        metrics: Metrics,
        *,
        pinned: str | None,
        keeps_previous: bool,
        prepare: Callable[[Engine], Awaitable[S]],
        on_swap: Callable[[S], None],
        on_drop: Callable[[S], None],
    ) -> None:
        """Set it up; nothing answers yet.

        Args:
            registry: where the bundles and LIVE are.
            loader: loads them.
            metrics: told what was swapped and what was refused.
            pinned: the only version that is served, whatever LIVE names.
            keeps_previous: whether what answered before stays in memory.
            prepare: makes of a loaded engine what answers, tried out.
            on_swap: told what answers from now on.
            on_drop: told what will not answer again and is to be let go.
        """
        self.registry, self._loader, self._metrics = registry, loader, metrics
        self._pinned, self._keeps_previous = pinned, keeps_previous
        self._prepare, self._on_swap, self._on_drop = prepare, on_swap, on_drop
        self._lock = asyncio.Lock()
        self._serving: _Kept[S] | None = None
        self._previous: _Kept[S] | None = None
        self._tried: object = None
        self._again_at = 0.0
        self.pointer: Pointer | None = None
        """What LIVE held when it was last looked at."""

        self.refusal: Refusal | None = None
        """What was refused last, until something goes live."""

    @property
    def serving(self) -> S | None:
        """What answers; None if nothing does."""
        return None if self._serving is None else self._serving.served

    @property
    def name(self) -> str | None:
        """Name of the bundle that answers."""
        return None if self._serving is None else self._serving.name

    @property
    def kept(self) -> str | None:
        """Name of the bundle that is kept in memory for a rollback."""
        return None if self._previous is None else self._previous.name

    @property
    def in_memory(self) -> list[S]:
        """Everything that could answer: what does, and what is kept."""
        here = (self._serving, self._previous)
        return [one.served for one in here if one is not None]

    @property
    def code(self) -> Code:
        """Why nothing answers, while that is so."""
        return "starting" if self.refusal is None else self.refusal.code

    async def look(self) -> None:
        """Take up what LIVE names, unless it was tried as it is.

        What cannot be used is noted and logged, and changes nothing.
        """
        async with self._lock:
            what = None if self._serving is None else self._serving.what
            seen = await self._loader.call(
                partial(look, self.registry, pinned=self._pinned, serving=what)
            )
            self.pointer = seen.pointer
            if (seen.wanted, seen.made) == what:
                if self.refusal is not None and self.refusal.asked_by == "LIVE":
                    self._settle()
                return
            if seen.mark == self._tried and time.monotonic() < self._again_at:
                return
            self._tried, self._again_at = seen.mark, time.monotonic() + _AGAIN_S
            if seen.fault is not None:
                self._refuse(seen.wanted, *seen.fault, "LIVE")
            elif seen.wanted is not None:
                # the refusal is noted, and nobody waits for it
                with contextlib.suppress(BundleRefusedError):
                    await self._take(seen.wanted, "LIVE")

    async def promote(self, name: str, *, require_go: bool = False) -> Swap[S]:
        """Load a bundle, make it live on disk, and let it answer.

        Args:
            name: of the bundle.
            require_go: refuse one whose readiness is not GO.

        Raises:
            UnknownBundleError: there is none of that name.
            BundleRefusedError: it cannot be used, and why; what answers stays.
        """
        async with self._lock:
            return await self._promote(name, require_go=require_go)

    async def rollback(self) -> Swap[S]:
        """Let the bundle answer that was live before, and make it live on disk.

        Raises:
            BundleRefusedError: there is none, or it cannot be used; what answers stays.
        """
        async with self._lock:
            self._require_free()
            try:
                pointer = await self._loader.call(self.registry.pointer)
            except BundleError as error:
                raise BundleRefusedError(told(error, self.registry.folder)) from error
            if pointer is None or pointer.previous is None:
                msg = "no bundle was live before this one"
                raise BundleRefusedError(msg)
            return await self._promote(pointer.previous)

    def stop(self) -> None:
        """Let go of everything."""
        there, self._serving, self._previous = self.in_memory, None, None
        for served in there:
            self._on_drop(served)

    async def _promote(self, name: str, *, require_go: bool = False) -> Swap[S]:
        self._require_free()
        if name not in await self._loader.call(self.registry.versions):
            msg = "there is none of that name"
            raise UnknownBundleError(msg)
        return await self._take(
            name,
            "admin",
            lambda bundle: self._point(bundle, require_go=require_go),
        )

    def _require_free(self) -> None:
        if self._pinned is not None:
            msg = "NEXTVEC_BUNDLE names the bundle that this service serves"
            raise BundleRefusedError(msg)

    def _point(self, bundle: Bundle, *, require_go: bool) -> None:
        """Write LIVE; a rollback goes back to what answers, whatever LIVE named."""
        previous = self.name if self.name != bundle.manifest.version else self.kept
        self.registry.make_live(bundle, require_go=require_go, previous=previous)
        self.pointer = self.registry.pointer()

    async def _take(
        self,
        name: str,
        asked_by: AskedBy,
        point: Callable[[Bundle], None] = lambda _: None,
    ) -> Swap[S]:
        """Let a bundle answer, once it is in memory and ``point`` has gone well."""
        began = time.perf_counter()
        here = [one for one in (self._serving, self._previous) if one is not None]
        folder = self.registry.folder / name
        what = name, await self._loader.call(partial(when_made, folder))
        known = next((one for one in here if one.what == what), None)
        try:
            new = known or await self._load(*what)
            await self._loader.call(partial(point, new.served.engine.bundle))
        except NotReadyError:
            # the service stops: nothing is wrong with the bundle
            raise
        except (ProjectError, OSError) as error:
            reason = told(error, self.registry.folder)
            self._refuse(name, "bundle-refused", reason, asked_by)
            raise BundleRefusedError(reason) from error
        except Exception as error:
            # the edge of the process: whatever is in a bundle must not take it down
            log.exception("bundle failed", extra={"bundle": name})
            reason = f"it cannot be loaded: {type(error).__name__}"
            self._refuse(name, "bundle-refused", reason, asked_by)
            raise BundleRefusedError(reason) from error
        self._swap(new, took_s=time.perf_counter() - began)
        return Swap(name=name, served=new.served, was_warm=known is not None)

    async def _load(self, name: str, made: object) -> _Kept[S]:
        folder = await self._loader.call(partial(self.registry.path, name))
        return _Kept(name, made, await self._prepare(await self._loader.open(folder)))

    def _swap(self, new: _Kept[S], *, took_s: float) -> None:
        old = self._serving
        self._settle()
        if old is new:
            return
        out = [one for one in (self._previous, old) if one is not None]
        self._serving = new
        if old is None or old.name != new.name:
            # nobody goes back to what was made anew under its name
            self._previous = old if self._keeps_previous else None
        self._on_swap(new.served)
        self._metrics.swaps.labels("done").inc()
        log.info(
            "bundle is live",
            extra={
                "bundle": new.name,
                "before": None if old is None else old.name,
                "verdict": new.served.engine.bundle.verdict,
                "num_vectors": new.served.engine.bundle.manifest.num_vectors,
                "took_s": round(took_s, 3),
            },
        )
        for one in out:
            if one is not self._serving and one is not self._previous:
                self._on_drop(one.served)

    def _settle(self) -> None:
        """Note that what is wanted is what answers."""
        self._tried = self.refusal = None
        self._metrics.live_refused.set(0)

    def _refuse(
        self,
        name: str | None,
        code: Code,
        reason: str,
        asked_by: AskedBy,
    ) -> None:
        self.refusal = Refusal(
            bundle=name,
            code=code,
            reason=reason,
            asked_by=asked_by,
            at=datetime.now(UTC),
        )
        if name is not None:
            self._metrics.swaps.labels("refused").inc()
        if asked_by == "LIVE":
            self._metrics.live_refused.set(1)
        log.error(
            "bundle refused",
            extra={
                "bundle": name,
                "code": code,
                "reason": reason,
                "asked_by": asked_by,
                "serving": self.name,
            },
        )
