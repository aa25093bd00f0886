"""SIGHUP means two things: read the configuration again, or, as of old, that the terminal is gone."""

import os
import signal
from typing import Final

__all__ = ["HANGUP", "Terminal"]

HANGUP: Final = getattr(signal, "SIGHUP", None)  # Windows has none
_TERMINAL: Final = "/dev/tty"
_SPOKEN_TO: Final = (0, 1, 2)


class Terminal:
    """The terminal that this process was started at, if any; under `nohup` it is as if there was none."""

    def __init__(self) -> None:
        ignored = HANGUP is not None and signal.getsignal(HANGUP) == signal.SIG_IGN
        self._counts = not ignored and _is_there()
        self._speaks = [descriptor for descriptor in _SPOKEN_TO if os.isatty(descriptor)] if self._counts else []

    def has_gone(self) -> bool:
        """Tell whether there was one, and there is none any more; what is said to it then goes nowhere."""
        if not self._counts or _is_there():
            return False
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in self._speaks:  # each word would be an error
            os.dup2(nowhere, descriptor)
        os.close(nowhere)
        return True


def _is_there() -> bool:
    try:
        os.close(os.open(_TERMINAL, os.O_RDWR | os.O_NOCTTY))
    except (OSError, AttributeError):  # Windows has neither
        return False
    return True
