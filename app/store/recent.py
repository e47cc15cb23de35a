"""What was read a moment ago? Answers of the hot path's queries, for as long as nothing was written here, and a second at most.

A forecast asks the same two things each time: whose key it is, and which artifact a model is. Another process's write (a key that was
revoked, a model that was deleted) is seen a second later; this process's own at once.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple, TypeVar

from sqlalchemy.orm import Session

from app.store.database import Database

SECONDS = 1.0
RENEWED = 0.8
"""From this part of its time on who asks first has an answer read anew, while others go on with it: they need not all read at once."""
MOST = 10_000
"""Answers that are kept."""

Answer = TypeVar("Answer")


class _Kept(NamedTuple):
    answer: Any
    commits: int
    renewed: float
    until: float
    is_being_read: bool = False


class Recent:
    """Answers of a database's queries.

    Args:
        database: whose they are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def known(self, key: Hashable) -> Any | None:
        """The answer to a query, if it was read a moment ago and nobody has to read it anew; it waits for nothing."""
        kept = self._kept.get(key)
        return None if kept is None or kept.commits != self._database.commits or kept.renewed < time.monotonic() else kept.answer

    def known_still(self, key: Hashable) -> Any | None:
        """As `known`; once an answer has to be read anew, only who asks first gets None and reads it, while others go on with it."""
        kept, now = self._kept.get(key), time.monotonic()
        if kept is None or kept.commits != self._database.commits or kept.until < now:
            return None
        if kept.renewed < now and not kept.is_being_read:
            self._kept[key] = kept._replace(is_being_read=True)
            return None
        return kept.answer

    def read(self, key: Hashable, query: Callable[[Session], Answer]) -> Answer:
        """The answer to a query, which is kept unless it is None."""
        commits, began_at = self._database.commits, time.monotonic()
        with self._database.read() as db:
            answer = query(db)
        if answer is not None:
            with self._lock:
                self._kept[key] = _Kept(answer, commits, began_at + RENEWED * SECONDS, began_at + SECONDS)
                self._kept.move_to_end(key)
                while len(self._kept) > MOST:
                    self._kept.popitem(last=False)
        return answer
