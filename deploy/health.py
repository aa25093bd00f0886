"""Ask the gateway of this container whether it lives, where its configuration says that it listens: 0 or 1."""

import http.client
import sys

from gateway.config import ConfigError, load

EVERYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - not to listen on
TIMEOUT_S = 3


def main() -> int:
    """Ask, and say on standard error what is wrong."""
    try:
        server = load().config.server
        host = server.host.strip("[]")
        asked = http.client.HTTPConnection(EVERYWHERE.get(host, host), server.port, timeout=TIMEOUT_S)
        asked.request("GET", "/health")
        status = asked.getresponse().status
    except (ConfigError, OSError, http.client.HTTPException) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return int(status != http.client.OK)


if __name__ == "__main__":
    raise SystemExit(main())
