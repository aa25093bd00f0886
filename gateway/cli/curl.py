"""The line that shows whether a gateway works."""

import json
import shlex

__all__ = ["curl"]


def curl(address: str, model: str, key: str = "", place: str = "bearer") -> str:
    """Write a request for a shell. `place`: where the key stands, as auth.accept names it."""
    query = f"?key={key}" if key and place == "query" else ""
    shown = f" {_shown(key, place)}" if key and not query else ""
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "Hello"}]}, ensure_ascii=False)
    url = shlex.quote(f"{address}/v1/chat/completions{query}")
    return f"curl {url}{shown} -H 'content-type: application/json' -d {shlex.quote(body)}"


def _shown(key: str, place: str) -> str:
    if place == "basic":
        return f"-u {shlex.quote(f':{key}')}"
    return f"-H {shlex.quote(f'authorization: Bearer {key}' if place == 'bearer' else f'{place}: {key}')}"
