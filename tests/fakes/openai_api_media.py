"""Pictures, sounds and documents as both APIs take them: data URLs, addresses, and nothing that is neither."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from tests.fakes.openai_api_errors import bad

__all__ = ["file_data", "image_url"]

FORMATS = ("png", "jpeg", "gif", "webp")
# what a document may be; https://platform.openai.com/docs/guides/pdf-files and its successor on file inputs
DOCUMENTS = frozenset(
    {
        "application/pdf",
        "application/json",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "text/csv",
        "text/html",
        "text/markdown",
        "text/plain",
    }
)
DATA = re.compile(r"data:(?P<type>[a-z]+/[a-z0-9.+-]+);base64,(?P<data>.*)", re.DOTALL)


def image_url(value: Any, path: str) -> None:
    """Take the address of a picture, or the picture."""
    if not isinstance(value, str):
        raise bad(f"Invalid type for '{path}': expected a string.", param=path, code="invalid_type")
    found = DATA.fullmatch(value)
    if found is None:
        if not value.startswith(("http://", "https://")):
            raise bad(
                f"Invalid '{path}'. Expected a valid URL, but got a value with an invalid format.",
                param=path,
                code="invalid_value",
            )
        return
    if found["type"] not in {f"image/{one}" for one in FORMATS}:
        raise bad(
            "You uploaded an unsupported image. Please make sure your image has of one the following formats: "
            f"{list(FORMATS)}.",
            param=path,
            code="invalid_image_format",
        )
    if not _decodes(found["data"]):
        raise bad("Invalid base64 image_url.", param=path, code="invalid_base64")


def file_data(value: Any, path: str) -> None:
    """Take a document as a data URL."""
    found = DATA.fullmatch(value) if isinstance(value, str) else None
    if found is None or not _decodes(found["data"]):
        raise bad(
            f"Invalid file data: '{path}'. Expected a base64-encoded data URL with an application/pdf MIME type "
            "(e.g. 'data:application/pdf;base64,aW1nIGJ5dGVzIGhlcmU='), but got a value without the 'data:' prefix.",
            param=path,
            code="invalid_value",
        )
    if found["type"] not in DOCUMENTS:
        raise bad(
            f"Invalid file data: '{path}'. Expected a base64-encoded data URL with an application/pdf MIME type "
            f"(e.g. 'data:application/pdf;base64,aW1nIGJ5dGVzIGhlcmU='), but got unsupported MIME type "
            f"'{found['type']}'.",
            param=path,
            code="invalid_value",
        )


def _decodes(data: str) -> bool:
    try:
        return bool(base64.b64decode(data, validate=True))
    except (binascii.Error, ValueError):
        return False
