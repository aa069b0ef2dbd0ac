"""What an operator can set, and what is said of what cannot be."""

import traceback

import pytest

from nextvec.app.settings import SettingsError, read_settings


def test_a_secret_that_cannot_be_used_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NEXTVEC_SESSION_KEY", "hunter2")
    monkeypatch.setenv("NEXTVEC_PORT", "many")
    number = 1234567

    with pytest.raises(SettingsError) as refused:
        read_settings(api_key=number)

    said = "".join(traceback.format_exception(refused.value))
    assert "session_key: " in str(refused.value)
    assert "api_key: " in str(refused.value)
    assert "hunter2" not in said
    assert "1234567" not in said
    # of what is none it helps
    assert "got 'many'" in str(refused.value)
