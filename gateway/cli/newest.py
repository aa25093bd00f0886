"""What the parent of several workers knows of the configuration: it checks a new one before they hear of it."""

import signal

from gateway.config import ConfigError, Edits, Loaded, Refuses, files_of
from gateway.fit import read_newest
from gateway.generations import refused, same, warn
from gateway.logs import logger_for

__all__ = ["NewestConfig"]


class NewestConfig:
    """The one that new workers get."""

    def __init__(self, loaded: Loaded, refuses: Refuses) -> None:
        self.loaded = loaded
        self._refuses = refuses
        self._refused = False  # what was read last
        self._edits = Edits(files_of(loaded.file), loaded.stamp) if loaded.file is not None else None

    def lost(self, worker: int, ended: int) -> None:
        """Say that a worker was killed, by a signal or by the system for want of memory; another one follows."""
        how = {"signal": signal.strsignal(-ended)} if ended < 0 else {}
        logger_for(self.loaded).warning("a worker has ended; another one replaces it", worker=worker, **how)

    def is_edited(self) -> bool:
        """Tell once that its file has been edited."""
        return self._edits is not None and self._edits.look()

    def read(self) -> bool:
        """Read it again, and tell whether there is a new one; what is wrong is said once for all workers."""
        logger = logger_for(self.loaded)
        if self._edits is not None:
            self._edits.note()
        try:
            again = read_newest(self.loaded, self._refuses)
        except ConfigError as error:
            self._refused = True
            refused(error, logger)
            return False
        except Exception:  # a defect: the workers are to go on
            logger.exception("defect", hint="the previous configuration stays in use")
            return False
        warn(again, logger)
        changed, self.loaded = again.changed(self.loaded), again.loaded
        if not changed:
            same(logger, again=self._refused)
        self._refused = False
        return bool(changed)
