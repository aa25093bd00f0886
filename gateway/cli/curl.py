"""The line that shows whether a gateway works."""

import json
import shlex

__all__ = ["curl"]


def curl(address: str, model: str, key: str = "") -> str:
    """Write a request for a shell."""
    bearer = f" -H {shlex.quote(f'authorization: Bearer {key}')}" if key else ""
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "Hello"}]}, ensure_ascii=False)
    return f"curl {address}/v1/chat/completions{bearer} -H 'content-type: application/json' -d {shlex.quote(body)}"
