"""The upstream of `type = "azure"`: Azure OpenAI, with one API key or a pool of them.

https://{resource}/openai/deployments/{deployment}/chat/completions?api-version=…    a dated api_version
https://{resource}/openai/v1/chat/completions                                        v1: the body names the deployment

A deployment has any name, and says nothing of its model: what a model takes is read off the name that leads to the
deployment, and learnt from the first refusal where that says nothing either.
"""

from typing import Final
from urllib.parse import quote

from gateway.adapters.azure_errors import RULES, read_failure
from gateway.adapters.openai import OpenAI
from gateway.adapters.openai_models import described
from gateway.adapters.openai_server import KEY_ALONE, Server, Settings
from gateway.config import AzureConfig, UpstreamConfig

__all__ = ["AzureOpenAI"]

_V1: Final = "/openai/v1"
_OPENAI: Final = "/openai"
_VERSIONS: Final = {"v1": "", "preview": "?api-version=preview", "latest": "?api-version=latest"}  # of the v1 path


class AzureOpenAI(OpenAI):
    """One upstream; raises ConfigError for a credential store that cannot be opened."""

    @staticmethod
    def settings(config: UpstreamConfig) -> Settings:
        """Read the upstream's table."""
        assert isinstance(config, AzureConfig)
        models = tuple(dict.fromkeys((*config.deployments, *config.models)))
        base, server = _place(config)
        return Settings(
            base=base,
            secrets=config.api_key,
            pool=config.pool,
            models=models,
            rules=RULES,
            read_failure=read_failure,
            read_made=read_failure,
            server=server,
            draws=False,
            marks="breakpoint",
            described=described,
            lists=False,  # /models of the v1 path has the models that could be deployed, not the deployments
        )


def _place(config: AzureConfig) -> tuple[str, Server]:
    """Say which of the two kinds of address is meant, and where it begins."""
    resource = config.endpoint.removesuffix(_V1).removesuffix(_OPENAI)
    version = config.api_version.strip()
    if version in _VERSIONS or config.endpoint.endswith(_V1):
        query = _VERSIONS.get(version, "")
        return resource + _V1, Server(shows=KEY_ALONE, query=query, deployments=config.deployments)
    query = f"?api-version={quote(version, safe='')}"
    return resource + _OPENAI, Server(shows=KEY_ALONE, query=query, deployments=config.deployments, by_path=True)
