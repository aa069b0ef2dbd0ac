"""What the columns of a table of events are called."""

from dataclasses import dataclass

from nextvec.training.errors import CorpusError


@dataclass(frozen=True, slots=True, kw_only=True)
class EventColumns:
    """What the columns of a table are called."""

    sequence: str = "sequence"
    """Whose event: user, session."""

    item: str = "item"
    """What it was about."""

    time: str = "time"
    """When: numbers of any unit, or timestamps in ISO 8601."""

    def __post_init__(self) -> None:
        """Refuse one column in two roles."""
        if len(set(self.names)) < len(self.names):
            msg = (
                "expected three different columns for sequence, item and time, got "
                f"{', '.join(map(repr, self.names))}"
            )
            raise CorpusError(msg)

    @property
    def names(self) -> tuple[str, str, str]:
        """All three, in this order."""
        return self.sequence, self.item, self.time
