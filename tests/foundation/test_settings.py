from datetime import timedelta

import pytest
from pydantic import SecretStr

from foundation import settings_doc
from foundation.settings import Database, Settings
from foundation.settings_doc import BadSettings


@pytest.fixture
def environment(monkeypatch):
    """The environment without the settings of whoever runs the tests."""
    for name in list(settings_doc.os.environ):
        if name.upper().startswith("LINLI_"):
            monkeypatch.delenv(name)
    return monkeypatch


def test_every_setting_says_what_it_means(environment):
    undocumented = [e.name for e in settings_doc.entries(Settings()) if not e.meaning]
    assert undocumented == []


def test_names_are_those_that_are_read(environment):
    """Each entry, written into the environment as it is shown, gives the same settings."""
    shown = settings_doc.entries(Settings())
    for entry in shown:
        if entry.value != "***":
            environment.setenv(entry.name, entry.value)
    assert settings_doc.entries(settings_doc.read()) == shown


def test_values_are_read(environment):
    environment.setenv("LINLI_BROKER__PORT", "1884")
    environment.setenv("linli_broker__tls_port", "")
    environment.setenv("LINLI_DEVICES__HEARTBEAT", "PT45S")
    environment.setenv("LINLI_TLS__NAMES", '["door.example", "10.0.0.1"]')
    environment.setenv("LINLI_HTTP__TRUSTED_PROXIES", '["10.0.0.0/8"]')
    settings = settings_doc.read()
    assert settings.broker.port == 1884
    assert settings.broker.tls_port is None
    assert settings.devices.heartbeat == timedelta(seconds=45)
    assert settings.tls.names == ("door.example", "10.0.0.1")
    assert str(settings.http.trusted_proxies[0]) == "10.0.0.0/8"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LINLI_BROKER__PORT", "abc"),
        ("LINLI_BROKER__PORT", "70000"),
        ("LINLI_BROKER__PROT", "1883"),
        ("LINLI_BROEKR__PORT", "1883"),
        ("LINLI_LOG_LEVEL", "loud"),
        ("LINLI_DEVICES__HEARTBEAT", "soon"),
        ("LINLI_NOTHING", "1"),
    ],
)
def test_a_mistake_is_named(environment, name, value):
    environment.setenv(name, value)
    with pytest.raises(BadSettings, match=name):
        settings_doc.read()


def test_all_mistakes_are_named_and_no_value(environment):
    environment.setenv("LINLI_BROKER__PORT", "hunter2")
    environment.setenv("LINLI_NOTHING", "hunter2")
    environment.setenv("LINLI_TLS__NAMES", "hunter2")
    environment.setenv("LINLI_MASTER_KEY", "hunter2")
    with pytest.raises(BadSettings, match=r"LINLI_NOTHING.*tls") as caught:
        settings_doc.read()
    assert "hunter2" not in str(caught.value)


def test_secrets_are_not_shown(environment):
    environment.setenv("LINLI_MASTER_KEY", "ab" * 32)
    environment.setenv("LINLI_METRICS_TOKEN", "hunter2")
    environment.setenv("LINLI_DATABASE__URL", "postgres://linli:hunter@2@db/linli")
    shown = str(settings_doc.entries(settings_doc.read()))
    assert "hunter" not in shown
    assert "abab" not in shown
    assert "postgres://linli:***@db/linli" in shown


def test_sqlite_follows_the_data_folder(environment, tmp_path):
    def url(settings: Settings) -> str:
        return settings.database.url.get_secret_value()

    assert url(Settings()) == "sqlite://data/linli.sqlite3"
    assert url(Settings(data_dir=tmp_path)) == f"sqlite://{tmp_path}/linli.sqlite3"
    assert Settings(data_dir=tmp_path, database=Database(pool_size=3)).database.pool_size == 3
    chosen = Database(url=SecretStr("sqlite:///elsewhere"))
    assert url(Settings(data_dir=tmp_path, database=chosen)) == "sqlite:///elsewhere"
