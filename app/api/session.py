"""How does a browser stay signed in? Its key goes into a cookie that no script can read (docs/decisions/0031)."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from app.api.access import Asker, cookie_name, shown_token

router = APIRouter(tags=["keys"])

COOKIE_SECONDS = 30 * 24 * 3600


class SignedInBody(BaseModel):
    """Who is signed in, and what they may do."""

    owner: str
    scopes: list[str]


def _body(asker: Asker) -> SignedInBody:
    return SignedInBody(owner=asker.owner_name, scopes=sorted(asker.scopes))


@router.get("/v1/session")
def get_session(asker: Asker) -> SignedInBody:
    """Who asks."""
    return _body(asker)


@router.post("/v1/session")
def sign_in(request: Request, response: Response, asker: Asker) -> SignedInBody:
    """Keep the key of this request in a cookie: HttpOnly, SameSite=Strict, for 30 days."""
    response.set_cookie(
        cookie_name(request),
        shown_token(request),
        max_age=COOKIE_SECONDS,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return _body(asker)


@router.delete("/v1/session", status_code=204, response_class=Response)
def sign_out(request: Request, response: Response) -> None:
    """Forget the cookie; the key stays as it is."""
    response.delete_cookie(cookie_name(request), httponly=True, samesite="strict", secure=request.url.scheme == "https")
