"""Which files is the dashboard made of? Read once; a request names one of them or gets none, so no path of a client's is ever opened."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "static"

AT = "/dashboard/"
"""Where the files are."""

MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".sha256": "text/plain; charset=utf-8",
}


@dataclass(frozen=True)
class StaticFile:
    """A file as it is answered.

    Attributes:
        content: its bytes.
        media_type: what they are.
        etag: moves when they do.
        is_for_ever: whether it will never be another under this name.
    """

    content: bytes
    media_type: str
    etag: str
    is_for_ever: bool = False


@cache
def static_files() -> Mapping[str, StaticFile]:
    """Every file by its path below the folder; those that the page asks for are named with the version, too.

    A browser may keep these for ever: what is changed has another name. The page asks for all modules at once, which would else be found
    in turns, as one imports the other.
    """
    contents = {path.relative_to(FOLDER).as_posix(): path.read_bytes() for path in sorted(FOLDER.rglob("*")) if path.is_file()}
    version = _digest(b"\0".join(part for name, content in contents.items() for part in (name.encode(), content)))
    modules = (name for name in contents if name.endswith(".js"))
    links = "".join(f'  <link rel="modulepreload" href="{AT}{name}">\n  ' for name in modules)
    page = contents["index.html"].replace(b"</head>", f"{links}</head>".encode())
    contents["index.html"] = page.replace(AT.encode(), f"{AT}{version}/".encode())
    files = {name: StaticFile(content, MEDIA_TYPES[Path(name).suffix], f'"{_digest(content)}"') for name, content in contents.items()}
    return files | {f"{version}/{name}": replace(file, is_for_ever=True) for name, file in files.items()}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]
