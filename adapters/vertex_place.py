"""Where Vertex AI is: an address by location, a project that may only be known once the credentials are, a model."""

from typing import Final

from msgspec import Struct

from gateway.adapters.vertex_credential import DefaultCredential
from gateway.adapters.vertex_models import resource

__all__ = ["Place", "base_of"]

_GLOBAL: Final = "global"
_MULTI_REGIONS: Final = frozenset({"us", "eu"})
_UNKNOWN: Final = "{project}"
_LATER: Final = "in the URL: that of the credentials, which are found when the gateway runs"


def base_of(location: str) -> str:
    """Give the address of a location."""
    if location == _GLOBAL:
        return "https://aiplatform.googleapis.com"
    if location in _MULTI_REGIONS:
        return f"https://aiplatform.{location}.rep.googleapis.com"
    return f"https://{location}-aiplatform.googleapis.com"


class Place(Struct, frozen=True):
    """The place of one upstream."""

    base: str
    location: str
    credential: DefaultCredential

    @property
    def varies(self) -> dict[str, str]:
        """Say that the project, which is in the address, is not known yet, if that is so."""
        return {} if self.credential.project else {"project": _LATER}

    def url(self, path: str) -> str:
        """Give the address of something below the location."""
        project = self.credential.project or _UNKNOWN
        return f"{self.base}/v1/projects/{project}/locations/{self.location}/{path}"

    def model_url(self, model: str, verb: str) -> str:
        """Give the address of a model's method."""
        return self.url(f"{resource(model)}:{verb}")

    def headers(self, token: str) -> dict[str, str]:
        """Show the credential, and who is billed where it says so."""
        billed = self.credential.quota_project
        shown = {"authorization": f"Bearer {token}"}
        return {**shown, "x-goog-user-project": billed} if billed else shown
