"""Counting what the database is asked."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

# Nested ones are SAVEPOINTs; what begins and ends a transaction is not logged everywhere.
_FRAME = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE")


@contextmanager
def statements() -> Iterator[list[str]]:
    """Collect the SQL sent inside the block, without what frames a transaction."""
    sql: list[str] = []

    class Tap(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            text = record.getMessage()
            if not text.startswith(_FRAME):
                sql.append(text)

    tap, logger = Tap(), logging.getLogger("tortoise.db_client")
    level = logger.level
    logger.addHandler(tap)
    logger.setLevel(logging.DEBUG)
    try:
        yield sql
    finally:
        logger.removeHandler(tap)
        logger.setLevel(level)
