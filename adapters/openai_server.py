"""Where a server that speaks OpenAI's API is, how a key is shown to it, and what else tells it from the others."""

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote

from msgspec import Struct

from gateway.adapters.failures import ReadFailure, Rules
from gateway.adapters.model_list import Described, as_listed
from gateway.config.upstreams import PoolConfig
from gateway.dialects.outbound import Carriers, Marking, MaxTokensField
from gateway.errors import ModelNotFound
from gateway.redact import Secret
from gateway.upstream import ModelInfo

__all__ = ["BEARER", "KEY_ALONE", "Server", "Settings"]

BEARER: Final = ("authorization", "Bearer ")
KEY_ALONE: Final = ("api-key", "")

_UPWARDS: Final = (".", "..")  # which quoting leaves as they are


class Server(Struct, frozen=True, kw_only=True):
    """How it is addressed.

    `shows`: the header that shows a key, and what stands before the key in it. `query`: ends every address.
    `deployments`: model -> what the server calls it. `by_path`: the path names the deployment.
    """

    shows: tuple[str, str] = BEARER
    query: str = ""
    deployments: Mapping[str, str] = {}
    by_path: bool = False

    def name(self, model: str) -> str:
        """Give the server's own name of a model; raise ModelNotFound for one that would lead its path upwards."""
        name = self.deployments.get(model, model)
        if self.by_path and name in _UPWARDS:
            raise ModelNotFound(
                f"the model {name!r} is not served here: the name of a deployment is needed", param="model"
            )
        return name

    def address(self, base: str, path: str, model: str) -> str:
        """Give the URL of a call on a model; Responses names it in the body."""
        if self.by_path and path == "responses":
            return f"{base}/v1/{path}"
        deployment = f"deployments/{quote(self.name(model), safe='')}/" if self.by_path else ""
        return f"{base}/{deployment}{path}{self.query}"

    def shown(self, secret: str) -> dict[str, str]:
        """Give the header that shows a key; a server that asks for none gets none."""
        name, before = self.shows
        return {name: before + secret} if secret else {}


class Settings(Struct, frozen=True, kw_only=True):
    """What one upstream of this kind is configured to be.

    `official`: it is OpenAI itself. `draws`: its chat may be asked for pictures. `shipped`: the models of
    one that gave no list yet; `described`: what their names tell; `lists`: it can be asked. `carriers`: the fields that
    take back what a model has signed, and `quiet` those that keep one from thinking, where that is known. `marks`: how
    it wants to be told what is to be cached.
    """

    base: str
    secrets: Sequence[Secret]
    pool: PoolConfig
    models: Sequence[str]
    rules: Rules
    read_failure: ReadFailure
    read_made: ReadFailure
    server: Server = Server()
    api: str = "chat"
    max_tokens_field: MaxTokensField | None = None
    official: bool = False
    draws: bool = True
    shipped: Mapping[str, ModelInfo] = {}
    described: Described = as_listed
    lists: bool = True
    carriers: Carriers | None = None
    quiet: Mapping[str, object] = {}
    marks: Marking = ""
