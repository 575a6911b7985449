"""Where a picture is: a path or an http(s) address -> its file name."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from huggin.common.text import printable, storable


def is_address(where: str) -> bool:
    """Whether a picture is to be downloaded."""
    return where.lower().startswith(("http://", "https://"))


def name_of(image: str) -> str:
    """The file name of a path or an address, for titles, folders and the database."""
    path = unquote(urlsplit(image).path) if is_address(image) else image
    name = storable(printable(Path(path).name))
    return name if name.strip(".") else "picture"
