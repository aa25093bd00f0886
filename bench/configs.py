"""The gateway's configuration for each kind of upstream: everything on, one key, one limit that is never reached.

The pipeline is the default one: every middleware that this version serves.
"""

from collections.abc import Mapping

from bench.script import Wire

__all__ = ["GATEWAY", "UPSTREAMS"]

GATEWAY = """
[auth]
keys = ["{key}"]
[limits]
requests_per_minute = 1_000_000_000
[log]
level = "info"
format = "json"
"""
UPSTREAMS: Mapping[Wire, str] = {
    "v1internal": """
[upstream.bench]
type = "v1internal"
base_urls = ["{upstream}"]
models = ["{model}"]
[upstream.bench.oauth]
client_id = "bench"
client_secret = "bench"
authorize_url = "{upstream}/authorize"
token_url = "{upstream}/token"
userinfo_url = "{upstream}/userinfo"
[upstream.bench.pool]
refresh_tokens = ["bench-refresh-token"]
""",
    "gemini": """
[upstream.bench]
type = "gemini"
base_url = "{upstream}"
api_key = "bench"
models = ["{model}"]
""",
    "chat": """
[upstream.bench]
type = "openai"
base_url = "{upstream}/v1"
api_key = "bench"
models = ["{model}"]
""",
    "anthropic": """
[upstream.bench]
type = "anthropic"
base_url = "{upstream}"
api_key = "bench"
models = ["{model}"]
""",
}
