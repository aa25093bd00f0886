"""The line that shows whether a gateway works."""

__all__ = ["curl"]


def curl(address: str, model: str, key: str = "") -> str:
    """Write a request for a shell."""
    bearer = f" -H 'authorization: Bearer {key}'" if key else ""
    body = f'{{"model": "{model}", "messages": [{{"role": "user", "content": "Hello"}}]}}'
    return f"curl {address}/v1/chat/completions{bearer} -H 'content-type: application/json' -d '{body}'"
