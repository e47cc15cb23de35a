"""How is a long list answered? In pages, each of which says what to ask for next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel

from app.api.bodies import NO_NUL
from app.store.pages import Page, Row

DEFAULT_LIMIT = 50
MOST_ROWS = 500
"""Of one page."""

Limit = Annotated[int, Query(ge=1, le=MOST_ROWS, description="Rows at most.")]
"""An endpoint's parameter, with `DEFAULT_LIMIT` as its default."""

After = Annotated[str | None, Query(max_length=1024, pattern=NO_NUL, description="`next_after` of the page before.")]
"""An endpoint's parameter, with None (the first page) as its default."""

Body = TypeVar("Body")


class PageOf(BaseModel, Generic[Body]):
    """One page of a list."""

    data: list[Body]
    has_more: bool
    next_after: str | None


def page_body(page: Page[Row], render: Callable[[Row], Body]) -> PageOf[Body]:
    """A page of rows as it is answered.

    Args:
        page: what the store gave.
        render: makes a row's body.
    """
    return PageOf(data=[render(row) for row in page.rows], has_more=page.has_more, next_after=page.next_after)
