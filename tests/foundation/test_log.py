import json
import logging
from collections.abc import Callable, Iterator

import pytest
import structlog

from foundation import log

SECRETS = {
    "password": "hunter2",
    "new_password": "hunter2",
    "secret": b"hunter2",
    "device_secret": "hunter2",
    "token": "hunter2",
    "refresh_token": "hunter2",
    "Authorization": "Bearer hunter2",
    "cookie": "hunter2",
    "api_key": "hunter2",
    "phone": "13800hunter2",
    "pin": "hunter2",
    "door_pin": "hunter2",
    "otp": "hunter2",
    "sdp": "hunter2",
}


@pytest.fixture
def written(capsys) -> Iterator[Callable[[], str]]:
    """What went to stderr; the process logs as before afterwards."""
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers[:] = []  # else those of pytest are closed
    yield lambda: capsys.readouterr().err
    structlog.configure(**before)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize("as_json", [True, False])
def test_secrets_are_never_written(written, as_json):
    log.configure(json=as_json)
    logger = structlog.get_logger()
    for name, value in SECRETS.items():
        logger.info("thing.happened", **{name: value})
        logger.info("thing.happened", body={"deep": [{name: value}]})
    text = written()
    assert "thing.happened" in text
    assert "hunter2" not in text


@pytest.mark.parametrize("as_json", [True, False])
def test_a_traceback_has_lines_and_no_values(written, as_json):
    def fail(password: str) -> None:
        raise ValueError("it broke")

    log.configure(json=as_json)
    try:
        fail("hunter" + str(1 + 1))
    except ValueError:
        structlog.get_logger().exception("thing.failed")
    text = written()
    assert "it broke" in text
    assert "in fail" in text or '"fail"' in text
    assert "hunter2" not in text


def test_one_object_a_line(written):
    log.configure(json=True, level="info")
    logger = structlog.get_logger()
    logger.debug("not.written")
    logger.info("door.opened", device="0200", pulsed_ms=5000, 名="门")
    [line] = written().splitlines()
    assert "门" in line, "people read it too"
    said = json.loads(line)
    assert said.pop("timestamp").endswith("Z")
    assert said == {
        "event": "door.opened",
        "level": "info",
        "device": "0200",
        "pulsed_ms": 5000,
        "名": "门",
    }


def test_what_libraries_say_is_written_the_same_way(written):
    log.configure(json=True)
    error = ValueError("theirs")
    logging.getLogger("library").error("it said %s", "something", exc_info=error)
    logging.getLogger("library").info("not.written")
    [line] = written().splitlines()
    said = json.loads(line)
    assert (said["logger"], said["level"], said["event"]) == (
        "library",
        "error",
        "it said something",
    )
    assert said["exception"][0]["exc_value"] == "theirs"
