"""What the storm itself did, with the time: the first half of every judgement. Filled by actions.py."""

import time
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Entry:
    """Something the storm did, or saw. `time` in seconds since 1970; `target` an object's title or a part's name."""

    time: float
    target: str
    text: str


@dataclass
class Journal:
    """All of it, and the moments that judgements need."""

    began: float = field(default_factory=time.time)
    entries: list[Entry] = field(default_factory=list)
    deletion_asked: dict[str, float] = field(default_factory=dict)  # before the API server was asked
    retained: dict[str, float] = field(default_factory=dict)  # when the API server had answered
    vanished: dict[str, float] = field(default_factory=dict)  # before the cloud was changed
    uids: dict[str, str] = field(default_factory=dict)
    unordered_exits: list[str] = field(default_factory=list)

    def note(self, target: str, text: str) -> None:
        """Put something on record."""
        self.entries.append(Entry(time.time(), target, text))

    def about(self, target: str) -> list[Entry]:
        """What happened to one object."""
        return [entry for entry in self.entries if entry.target == target]
