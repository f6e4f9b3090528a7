"""How slow the other side of a connection may be."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Pace:
    """Patience that silence uses up and bytes win back: a leaky bucket of seconds.

    Whoever keeps up ``rate`` bytes a second never runs out; whoever falls silent has ``patience`` seconds; whoever
    sends a byte now and then hardly more.

    Attributes:
        patience: seconds of silence.
        rate: bytes that win back a second.
        left: seconds that are left.
    """

    patience: float
    rate: float
    left: float = field(init=False)

    def __post_init__(self) -> None:
        self.left = self.patience

    def renew(self) -> None:
        """Begin again with all patience."""
        self.left = self.patience

    def pass_time(self, seconds: float, size: int) -> bool:
        """Whether patience has run out after so many seconds, in which so many bytes came."""
        self.left = min(self.patience, self.left - seconds + size / self.rate)
        return self.left <= 0
