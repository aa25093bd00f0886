"""What the path of a native call is about, besides models: files, caches, jobs and the like."""

import re
from typing import Final

__all__ = ["resources"]

_VERSION: Final = re.compile(r"/(?:(?:upload|download)/)?v1(?:beta|alpha)?/")


def resources(path: str) -> list[str]:
    """Name the resources of a path, the innermost first: `a/1/b/2`, then `a/1`; a model is none."""
    found = _VERSION.match(path)
    if found is None:
        return []
    steps = path[found.end() :].split("/")
    names = ["/".join(steps[:count]).partition(":")[0] for count in range(len(steps) & ~1, 0, -2)]
    return [name for name in names if not (name.startswith("models/") and name.count("/") == 1)]
