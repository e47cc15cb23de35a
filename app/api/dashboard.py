"""Where is the dashboard? At `/`, with its files below `/dashboard`, under a policy that lets no other script, style or host in."""

from __future__ import annotations

from fastapi import APIRouter, Response

from app.api import session
from app.api.job_body import IfNoneMatch, is_known
from app.dashboard.files import static_files
from app.errors import NotFoundError

router = APIRouter()
router.include_router(session.router)

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self'",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


@router.get("/", include_in_schema=False)
async def get_page(if_none_match: IfNoneMatch = None) -> Response:
    """The page; which part of it is shown stands behind the `#` of its address."""
    return _answer("index.html", if_none_match)


@router.get("/dashboard/{name:path}", include_in_schema=False)
async def get_file(name: str, if_none_match: IfNoneMatch = None) -> Response:
    """A file of the page."""
    return _answer(name, if_none_match)


def _answer(name: str, if_none_match: str | None) -> Response:
    file = static_files().get(name)
    if file is None:
        raise NotFoundError(f"{name[:128]!r} is no file of the dashboard; it is at /")
    headers = {**HEADERS, "ETag": file.etag}
    if file.is_for_ever:
        headers["Cache-Control"] = "public, max-age=31536000, immutable"
    if is_known(file.etag, if_none_match):
        return Response(status_code=304, headers=headers)
    return Response(file.content, headers=headers, media_type=file.media_type)
