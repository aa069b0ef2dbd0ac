"""One session: what it has been given, and what the model keeps of it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from nextvec.app.inference.engine import Answer, Engine, Query
from nextvec.app.sessions.trail import Trail
from nextvec.training.models.stepping import State


@dataclass(slots=True, eq=False)
class Session:
    """What is known of a session; changed in the inference thread alone."""

    engine: Engine
    """What answers it, to its end: in another bundle rows and state mean nothing."""

    window: int
    """How many of its vectors count, at most."""

    trail: Trail
    """The newest vectors that it has been given."""

    state: State | None = None
    """What the model keeps of the newest of them; None to read them anew."""

    total: int = 0
    """Vectors that it has been given altogether."""

    on_change: Callable[[], None] = lambda: None
    """Called in the inference thread when it has changed."""

    @classmethod
    def new(cls, engine: Engine, window: int) -> "Session":
        """Open a session that has been given nothing."""
        dim = engine.bundle.index.dim
        return cls(engine, window, Trail.empty(dim))

    @property
    def size_bytes(self) -> int:
        """What it takes in memory, in bytes."""
        state = 0 if self.state is None else self.state.size_bytes
        return self.trail.size_bytes + state


@dataclass(slots=True, eq=False)
class Step:
    """New vectors of a session, and the options of the answer."""

    session: Session

    query: Query
    """Its context holds the new vectors alone."""

    answer: Answer | None = field(default=None, init=False)
    """Once it is made; a step that is asked for again must not be taken twice."""

    reads_anew: bool = field(default=False, init=False)
    """Whether vectors that were there already had to be read once more."""

    @property
    def num_new(self) -> int:
        """New vectors."""
        given = self.query.context if self.query.rows is None else self.query.rows
        return 0 if given is None else len(given)

    def settle(
        self, answer: Answer, trail: Trail, state: State | None, *, reads_anew: bool
    ) -> None:
        """Note that it is taken."""
        self.answer, self.reads_anew = answer, reads_anew
        session = self.session
        session.trail, session.state = trail, state
        session.total += self.num_new
        session.on_change()
