"""How long batches take of late, so that what cannot be done in time is told early."""

from typing import Final

_KEPT: Final = 0.9
# Of the weight of all batches before, at each: the last ten or so count, a second or
# two under load, and after a pause of the machine it is forgotten as soon.

_APART: Final = 0.05
# Standard deviation of the sizes, as a share of their mean, from which on a slope is
# more than noise.


class Pace:
    """A straight line through the seconds of the last batches by their size.

    Least squares, each batch with a tenth less weight than the next. Twice the size
    never takes less than once, nor more than twice as long.
    """

    def __init__(self) -> None:
        """Know nothing yet."""
        self._weight = self._size = self._seconds = 0.0
        self._size_size = self._size_seconds = 0.0
        self._missed_s = 0.0

    @property
    def missed_s(self) -> float:
        """Seconds by which the last batches missed what was expected, in the mean."""
        return self._missed_s

    def note(self, size: int, seconds: float) -> None:
        """Take in how long a batch of at least one took."""
        if self._weight:
            missed_s = abs(seconds - self.seconds(size))
            self._missed_s = _KEPT * self._missed_s + (1 - _KEPT) * missed_s
        self._weight = _KEPT * self._weight + 1
        self._size = _KEPT * self._size + size
        self._seconds = _KEPT * self._seconds + seconds
        self._size_size = _KEPT * self._size_size + size * size
        self._size_seconds = _KEPT * self._size_seconds + size * seconds

    def seconds(self, size: int) -> float:
        """Return what a batch of that size should take; 0 before the first.

        Example:
            >>> pace = Pace()
            >>> pace.note(1, 0.02)
            >>> pace.note(31, 0.08)
            >>> round(pace.seconds(16), 3)
            0.05
        """
        if self._weight == 0:
            return 0.0
        mean = self._size / self._weight
        mean_s = self._seconds / self._weight
        variance = self._size_size / self._weight - mean * mean
        steepest = mean_s / mean
        # between none and in proportion, where sizes say nothing
        slope = steepest / 2
        if variance > (_APART * mean) ** 2:
            slope = (self._size_seconds / self._weight - mean * mean_s) / variance
        return mean_s + min(max(slope, 0.0), steepest) * (size - mean)
