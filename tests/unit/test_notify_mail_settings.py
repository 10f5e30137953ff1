"""Settings of e-mail that cannot work are refused at start, in words, and never with the password."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from services.notify.settings import NotifySettings
from shared.runtime.settings import SettingsError, load

GIVEN = {"HOST": "mail.example", "FROM": "tongtu@platform.example"}


def loaded(monkeypatch: pytest.MonkeyPatch, **given: Any) -> NotifySettings:
    for name, value in given.items():
        monkeypatch.setenv(f"TONGTU_NOTIFY_SMTP_{name}", str(value))
    return load(NotifySettings)


def test_the_password_is_the_first_line_of_its_file_and_shown_nowhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "password"
    file.write_text("opensesame\nsecond\n")
    settings = loaded(monkeypatch, **GIVEN, USER="ann", PASSWORD_FILE=file)
    password = settings.smtp_password()
    assert password is not None
    assert password.get_secret_value() == "opensesame"
    assert "opensesame" not in repr(settings) + str(password)
    file.write_text("changed\n")
    assert (changed := settings.smtp_password()) is not None
    assert changed.get_secret_value() == "changed"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"HOST": "mail.example"}, "needs TONGTU_NOTIFY_SMTP_FROM"),
        ({**GIVEN, "USER": "ann"}, "go together"),
        ({**GIVEN, "PASSWORD_FILE": "{full}"}, "go together"),
        ({**GIVEN, "USER": "ann", "PASSWORD_FILE": "{full}", "SECURITY": "none"}, "in plain"),
        ({**GIVEN, "USER": "ann", "PASSWORD_FILE": "{full}.no"}, "No such file"),
        ({**GIVEN, "USER": "ann", "PASSWORD_FILE": "{empty}"}, "holds no password"),
        ({**GIVEN, "SECURITY": "ssl"}, "SECURITY"),
        ({**GIVEN, "CA": "{full}.no"}, "SMTP_CA"),
        ({**GIVEN, "FROM": "nobody"}, "SMTP_FROM"),
        ({**GIVEN, "PORT": "0"}, "SMTP_PORT"),
    ],
)
def test_what_cannot_work_is_said_at_start(
    given: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    full, empty = tmp_path / "password", tmp_path / "empty"
    full.write_text("a password")
    empty.write_text("\n")
    with pytest.raises(SettingsError, match=said) as error:
        loaded(monkeypatch, **{name: value.format(full=full, empty=empty) for name, value in given.items()})
    assert "a password" not in str(error.value)
