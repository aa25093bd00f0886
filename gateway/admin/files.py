"""The files of the page that are the same for everybody."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from starlette.exceptions import HTTPException
from starlette.responses import Response

from gateway.admin.visit import Visit
from gateway.errors import NotFound
from gateway.registry import import_path

if TYPE_CHECKING:
    from starlette.staticfiles import StaticFiles

__all__ = ["Files"]

_FILES: Final = "starlette.staticfiles:StaticFiles"
_FOLDER: Final = Path(__file__).parent / "static"
_PREFIX: Final = "/admin/static/"


class Files:
    """Serves the folder beside this file."""

    def __init__(self) -> None:
        self._files: StaticFiles | None = None

    async def __call__(self, visit: Visit) -> Response:
        """Give a file; raise NotFound."""
        if self._files is None:
            make = cast("type[StaticFiles]", import_path(_FILES))  # what is loaded by path is not typed
            self._files = make(directory=_FOLDER)
        path = visit.path.removeprefix(_PREFIX)
        if not path.endswith("/"):  # the file system would find what stands before it
            with suppress(HTTPException):
                return await self._files.get_response(path, visit.scope)
        raise NotFound(f"{visit.path[:200]} is not served here")
