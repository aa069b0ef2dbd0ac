"""When to stop: the words are those of Keras and Lightning."""


class EarlyStopping:
    """Remembers the best score, and how long ago it was.

    Higher is better. ``min_delta`` is absolute: a relative one turns around where a
    score is negative.
    """

    def __init__(self, patience: int, min_delta: float = 0.0) -> None:
        """Stop after ``patience`` epochs (at least 1) without a better score."""
        self.patience, self.min_delta = patience, min_delta
        self.best_score = float("-inf")
        self.best_epoch = 0
        self._epoch = -1

    def update(self, score: float) -> bool:
        """Take the score of the next epoch, starting with epoch 0, the untrained state.

        Returns:
            Whether it is a new best.

        Example:
            >>> stopping = EarlyStopping(patience=1)
            >>> stopping.update(0.5), stopping.update(0.4), stopping.should_stop
            (True, False, True)
        """
        self._epoch += 1
        is_best = self._epoch == 0 or score > self.best_score + self.min_delta
        if is_best:
            self.best_score, self.best_epoch = score, self._epoch
        return is_best

    @property
    def should_stop(self) -> bool:
        """Whether ``patience`` epochs have passed since the best one."""
        return self._epoch - self.best_epoch >= self.patience
