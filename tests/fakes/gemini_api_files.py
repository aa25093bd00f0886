"""Files: the resumable upload, the files of each key, and their use in a prompt.

An upload begins with `X-Goog-Upload-Command: start`, whose answer names the address for the pieces; the last piece
comes with `upload, finalize`. A file is its owner's: another key does not learn whether it exists.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.fakes.gemini_api_errors import permission_denied
from tests.fakes.gemini_api_messages import PROTO
from tests.fakes.v1internal_call import Call, Json
from tests.fakes.v1internal_errors import google, invalid

__all__ = ["File", "Files", "Upload", "stamp"]

KEPT = timedelta(hours=48)
NAME = re.compile(r"files/[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
# the only addresses outside the Files API that every model reads
YOUTUBE = re.compile(r"https://(?:www\.youtube\.com/watch\?v=|youtu\.be/)[\w-]+")
COMMANDS = ("upload", "upload, finalize")


@dataclass
class File:
    """A file of one key; it is `PROCESSING` for the next so many looks at it."""

    name: str
    owner: str
    mime_type: str
    data: bytes
    display_name: str = ""
    looks: int = 0
    created: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def active(self) -> bool:
        """Say whether it can be used."""
        return not self.looks

    def shown(self, base: str) -> Json:
        """Write the resource."""
        entry = {
            "name": self.name,
            "mimeType": self.mime_type,
            "sizeBytes": str(len(self.data)),
            "createTime": stamp(self.created),
            "updateTime": stamp(self.created),
            "expirationTime": stamp(self.created + KEPT),
            "sha256Hash": base64.b64encode(hashlib.sha256(self.data).hexdigest().encode()).decode(),
            "uri": f"{base}/v1beta/{self.name}",
            "state": "ACTIVE" if self.active else "PROCESSING",
            "source": "UPLOADED",
        }
        return entry | ({"displayName": self.display_name} if self.display_name else {})


@dataclass
class Upload:
    """An upload under way."""

    file: File
    length: int | None
    finished: bool = False


@dataclass
class Files:
    """The files of all keys; `looks` is how often a new file is looked at before it is active."""

    stored: dict[str, File] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)
    granularity: int = 8 * 1024 * 1024
    looks: int = 0
    begun: int = 0

    def start(self, headers: Mapping[str, str], body: Any, owner: str) -> str:
        """Begin an upload; give its id."""
        if headers.get("x-goog-upload-protocol") != "resumable":
            raise invalid("fake: only the resumable upload protocol is served.")
        if headers.get("x-goog-upload-command") != "start":
            raise invalid("Invalid upload command: an upload begins with `start`.")
        asked = PROTO.decode("CreateFileRequest", body).get("file") or {}
        mime_type = headers.get("x-goog-upload-header-content-type") or asked.get("mimeType")
        if not mime_type:
            raise invalid("* CreateFileRequest.file.mime_type: mime type is required.\n")
        self.begun += 1
        name = asked.get("name") or f"files/fake{self.begun:08x}"
        self._free(name)
        length = headers.get("x-goog-upload-header-content-length", "")
        file = File(name, owner, mime_type, b"", asked.get("displayName", ""), self.looks)
        upload_id = f"fake-upload-{self.begun}"
        self.uploads[upload_id] = Upload(file, int(length) if length.isdigit() else None)
        return upload_id

    def append(self, upload_id: str, headers: Mapping[str, str], data: bytes) -> File | None:
        """Take a piece; give the file when it was the last one."""
        upload = self.uploads.get(upload_id)
        if upload is None or upload.finished:
            raise google(404, "Upload session is not found, or is over.")
        command = headers.get("x-goog-upload-command", "")
        if command not in COMMANDS:
            raise invalid(f"Invalid upload command: {command}")
        offset = headers.get("x-goog-upload-offset", "")
        if offset != str(len(upload.file.data)):
            raise invalid(f"Invalid upload offset: {offset}, expected {len(upload.file.data)}.")
        last = command != "upload"
        if not last and (not data or len(data) % self.granularity):
            raise invalid(f"Upload chunk size must be a multiple of {self.granularity} bytes.")
        upload.file.data += data
        return self._finished(upload) if last else None

    def _finished(self, upload: Upload) -> File:
        if upload.length not in {None, len(upload.file.data)}:
            raise invalid(f"Upload has {len(upload.file.data)} bytes, {upload.length} were announced.")
        upload.finished = True
        self.stored[upload.file.name] = upload.file
        return upload.file

    def _free(self, name: str) -> None:
        if not NAME.fullmatch(name):
            raise invalid(f"* CreateFileRequest.file.name: invalid name `{name}`.\n")
        if name in self.stored:
            raise google(409, f"Requested entity {name} already exists.", status="ALREADY_EXISTS")

    def of(self, owner: str) -> list[File]:
        """List the files of one key, the newest first."""
        return [file for file in reversed(self.stored.values()) if file.owner == owner]

    def look(self, name: str, owner: str) -> File:
        """Look at a file, which brings it nearer to being active."""
        file = self._owned(name, owner)
        file.looks = max(file.looks - 1, 0)
        return file

    def delete(self, name: str, owner: str) -> Json:
        """Delete a file."""
        del self.stored[self._owned(name, owner).name]
        return {}

    def _owned(self, name: str, owner: str) -> File:
        file = self.stored.get(name)
        if file is None or file.owner != owner:
            shown = name.removeprefix("files/")
            raise permission_denied(f"You do not have permission to access the File {shown} or it may not exist.")
        return file

    def judge(self, call: Call, owner: str) -> None:
        """Refuse a call whose files are not its key's, not ready, or not files at all."""
        for _, part in call.parts:
            if "fileData" not in part:
                continue
            uri = part["fileData"].get("fileUri", "")
            found = re.search(r"/(?:v1beta|v1)/(files/[^/]+)$", uri)
            if found is None and not YOUTUBE.match(uri):
                raise invalid(f"Invalid or unsupported file uri: {uri}")
            if found is not None and not self._owned(found[1], owner).active:
                shown = found[1].removeprefix("files/")
                text = f"The File {shown} is not in an ACTIVE state and usage is not allowed."
                raise google(400, text, status="FAILED_PRECONDITION")


def stamp(moment: datetime) -> str:
    """Write a moment as RFC 3339."""
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
