"""For workers: a database that goes away for a while ends nobody, and is told once."""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from foundation import db

log = structlog.get_logger()


class Outage:
    """Notices when the database goes, and when it is back. One for each worker."""

    def __init__(self, worker: str) -> None:
        self._worker = worker
        self._away = False

    @contextmanager
    def bridged(self) -> Iterator[None]:
        """Leave the block when the database is away; the caller comes again later.

        Anything else that is raised goes on: a bug is not an outage.
        """
        try:
            yield
        except db.AWAY as error:
            if not db.is_away(error):
                raise
            if not self._away:
                log.warning("database.lost", worker=self._worker, error=type(error).__name__)
            self._away = True
        else:
            if self._away:
                log.info("database.back", worker=self._worker)
            self._away = False
