"""What a deployment decides."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from app.settings import Settings


def test_without_variables_everything_lies_under_the_home() -> None:
    settings = Settings(home=Path("/srv/braidcast"))
    assert settings.resolved_database_url == "sqlite:////srv/braidcast/braidcast.db"
    assert settings.resolved_broker_url == "redis+socket:///srv/braidcast/redis/redis.sock"
    assert settings.resolved_artifacts_url == "file:///srv/braidcast/artifacts"


def test_a_relative_home_is_under_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Settings().home_path == tmp_path / "var"


def test_a_home_with_a_tilde_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    assert Settings(home=Path("~/series")).home_path == Path("/home/somebody/series")


def test_a_home_with_a_space_gives_urls_that_can_be_read() -> None:
    settings = Settings(home=Path("/srv/my series"))
    assert settings.resolved_broker_url == "redis+socket:///srv/my%20series/redis/redis.sock"
    assert settings.resolved_artifacts_url == "file:///srv/my%20series/artifacts"


def test_urls_of_ones_own_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRAIDCAST_DATABASE_URL", "postgresql://db/braidcast")
    monkeypatch.setenv("BRAIDCAST_BROKER_URL", "redis://queue:6379/0")
    monkeypatch.setenv("BRAIDCAST_ARTIFACTS_URL", "s3://bucket/braidcast")
    settings = Settings()
    assert settings.resolved_database_url == "postgresql://db/braidcast"
    assert settings.resolved_broker_url == "redis://queue:6379/0"
    assert settings.resolved_artifacts_url == "s3://bucket/braidcast"


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRAIDCAST_PORT", "")
    assert Settings().port == 8000


@pytest.mark.parametrize(("name", "value"), [("PORT", "70000"), ("WORKERS", "0"), ("LOG_LEVEL", "loud"), ("LEASE_SECONDS", "0")])
def test_a_value_that_cannot_work_is_refused(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"BRAIDCAST_{name}", value)
    with pytest.raises(ValidationError, match=name.lower()):
        Settings()


def test_urls_with_passwords_are_not_shown() -> None:
    shown = repr(Settings(database_url="postgresql://user:secret@db/braidcast", broker_url="redis://:secret@queue/0"))
    assert "secret" not in shown


def test_every_setting_says_what_it_decides() -> None:
    assert [name for name, setting in Settings.model_fields.items() if not setting.description] == []
