"""Settings: what the environment may say, and how it is told what it may not."""

from __future__ import annotations

import os
import re

import pytest
from pydantic import SecretStr, ValidationError

from lossmeter.settings import InvalidSettingsError, Settings, load


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of whoever runs the tests reaches them."""
    for name in list(os.environ):
        if name.upper().startswith("LOSSMETER_"):
            monkeypatch.delenv(name)


def test_defaults() -> None:
    """Without an environment the service is for this machine only, open, and bounded."""
    settings = load()
    assert (settings.host, settings.port, settings.workers) == ("127.0.0.1", 8000, 1)
    assert (settings.max_body_bytes, settings.max_bytes_in_flight) == (64 * 2**20, 256 * 2**20)
    assert (settings.max_elements, settings.max_classes, settings.max_depth) == (2**24, 2**18, 64)
    assert (settings.threads, settings.api_keys, settings.docs, settings.root_path) == (None, (), True, "")


def test_every_setting_says_what_it_is() -> None:
    """Each field has a description that is a sentence, and a default."""
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name
        assert not field.is_required(), name


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each kind of value comes out of its text."""
    monkeypatch.setenv("LOSSMETER_PORT", "9000")
    monkeypatch.setenv("LOSSMETER_DOCS", "false")
    monkeypatch.setenv("LOSSMETER_THREADS", "3")
    monkeypatch.setenv("LOSSMETER_ROOT_PATH", "/models/loss")
    monkeypatch.setenv("LOSSMETER_API_KEYS", "one, two")
    settings = load()
    assert (settings.port, settings.docs, settings.threads) == (9000, False, 3)
    assert settings.root_path == "/models/loss"
    assert settings.api_keys == (SecretStr("one"), SecretStr("two"))


def test_a_flag_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is typed is nearer than what was exported."""
    monkeypatch.setenv("LOSSMETER_PORT", "9000")
    assert load(port=9001).port == 9001


def test_settings_are_frozen() -> None:
    """Nothing changes a limit while the service runs."""
    settings = load()
    with pytest.raises(ValidationError, match="frozen"):
        settings.port = 1  # type: ignore[misc]  # mypy knows it, too


def test_an_unknown_name_names_the_closest(monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt limit stops the start instead of being silently not in force."""
    monkeypatch.setenv("LOSSMETER_MAX_BODY_BITES", "5")
    with pytest.raises(InvalidSettingsError) as caught:
        load()
    assert str(caught.value) == (
        "LOSSMETER_MAX_BODY_BITES is not a setting; the closest is LOSSMETER_MAX_BODY_BYTES"
    )
    with pytest.raises(ValidationError, match="MAX_BODY_BITES"):
        Settings()


def test_foreign_names_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what starts with the prefix is ours."""
    monkeypatch.setenv("MY_LOSSMETER_PORT", "x")
    monkeypatch.setenv("LOSSMETER", "x")
    assert load().port == 8000


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("PORT", "eighty", "LOSSMETER_PORT='eighty': input should be a valid integer"),
        ("PORT", "65536", "LOSSMETER_PORT='65536': input should be less than or equal to 65535"),
        ("PORT", "tcp://10.0.0.1:80", "LOSSMETER_PORT='tcp://10.0.0.1:80': input should be a valid integer"),
        ("WORKERS", "0", "LOSSMETER_WORKERS='0': input should be greater than or equal to 1"),
        ("THREADS", "0", "LOSSMETER_THREADS='0': input should be greater than or equal to 1"),
        ("MAX_DEPTH", "2", "LOSSMETER_MAX_DEPTH='2': input should be greater than or equal to 3"),
        ("MAX_ELEMENTS", "1e6", "LOSSMETER_MAX_ELEMENTS='1e6': input should be a valid integer"),
        ("HOST", "", "LOSSMETER_HOST='': string should have at least 1 character"),
        ("DOCS", "perhaps", "LOSSMETER_DOCS='perhaps': input should be a valid boolean"),
        ("LOG_LEVEL", "loud", "LOSSMETER_LOG_LEVEL='loud': input should be 'critical', 'error'"),
        ("ROOT_PATH", "loss/", "LOSSMETER_ROOT_PATH='loss/': string should match pattern"),
        ("PORT", "1\n2", "LOSSMETER_PORT='1\\n2': input should be a valid integer"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: str
) -> None:
    """The message has the name, the value as given, and what would be accepted."""
    monkeypatch.setenv("LOSSMETER_" + name, value)
    with pytest.raises(InvalidSettingsError, match="^" + re.escape(expected)) as caught:
        load()
    assert "\n" not in str(caught.value)


def test_several_problems_are_told_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator mends all of them at once, and still reads one line."""
    monkeypatch.setenv("LOSSMETER_PORT", "x")
    monkeypatch.setenv("LOSSMETER_WORKERS", "0")
    with pytest.raises(InvalidSettingsError, match=r"^LOSSMETER_PORT=.*; LOSSMETER_WORKERS=[^\n]*$"):
        load()


def test_a_flag_is_told_as_a_flag() -> None:
    """Who typed --port is not sent to the environment."""
    with pytest.raises(InvalidSettingsError, match=r"^--port=70000: "):
        load(port=70_000)


def test_the_largest_body_must_fit_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that is allowed but never served would be a riddle to its sender."""
    monkeypatch.setenv("LOSSMETER_MAX_BODY_BYTES", str(2**30))
    with pytest.raises(InvalidSettingsError, match=r"MAX_BYTES_IN_FLIGHT \(268435456\) must be at least"):
        load()
    monkeypatch.setenv("LOSSMETER_MAX_BYTES_IN_FLIGHT", str(2**30))
    assert load().max_body_bytes == 2**30


@pytest.mark.parametrize(
    ("keys", "expected"), [("", "key 1 is empty"), ("good,,", "key 2 is empty"), ("good,bäd", "key 2 holds")]
)
def test_a_key_that_cannot_be_sent_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, keys: str, expected: str
) -> None:
    """An empty key would let everyone in; and a wrong secret is still a secret."""
    monkeypatch.setenv("LOSSMETER_API_KEYS", keys)
    with pytest.raises(InvalidSettingsError, match="^LOSSMETER_API_KEYS: " + expected) as caught:
        load()
    assert "bäd" not in str(caught.value)


def test_keys_are_not_printed() -> None:
    """A settings object in a log shows no key."""
    assert "hunter2" not in repr(Settings(api_keys=(SecretStr("hunter2"),)))


LINE = "ci sha256:" + "0" * 64 + " score"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"API_KEYS": f"{LINE},{LINE}"}, "the key ci is there twice"),
        ({"API_KEYS": f"{LINE} 5/d"}, "LOSSMETER_API_KEYS: key 1: a rate is written as"),
        ({"API_KEYS": "ci hunter2 score"}, "LOSSMETER_API_KEYS: key 1: a key is written as NAME sha256:HEX"),
        ({"API_KEYS_FILE": "/nowhere/keys"}, "LOSSMETER_API_KEYS_FILE='/nowhere/keys': No such file"),
        ({"API_KEYS_FILE": __file__}, "LOSSMETER_API_KEYS_FILE="),
        ({"RATE_PER_KEY": "5"}, "LOSSMETER_RATE_PER_KEY='5': a rate is written as 100/s"),
        ({"JWT_ISSUERS": "https://a.test"}, "LOSSMETER_JWT_ISSUERS='https://a.test': not JSON such as"),
        ({"JWT_ISSUERS": "[]"}, "LOSSMETER_JWT_ISSUERS="),
        ({"JWT_ISSUERS": "{}"}, "LOSSMETER_JWT_ISSUERS='{}': no issuer is named"),
        ({"JWT_ISSUERS": '{"a": "k"}'}, "LOSSMETER_JWT_ISSUERS needs LOSSMETER_JWT_AUDIENCE"),
        ({"JWT_ISSUERS": '{"a": "http://b.test/k"}'}, "LOSSMETER_JWT_ISSUERS="),
        ({"JWT_ISSUERS": '{"a": "http://127.0.0.1.evil.test/k"}'}, "LOSSMETER_JWT_ISSUERS="),
        ({"JWT_ISSUERS": '{"a": "file:///k"}'}, "LOSSMETER_JWT_ISSUERS="),
        ({"CORS_ORIGINS": "app.example"}, "LOSSMETER_CORS_ORIGINS="),
        ({"CORS_ORIGINS": "https://app.example/"}, "LOSSMETER_CORS_ORIGINS="),
        ({"TLS_KEY": "key.pem"}, "LOSSMETER_TLS_KEY and LOSSMETER_TLS_CLIENT_CA need"),
        ({"MANAGEMENT_HOST": "::1"}, "LOSSMETER_MANAGEMENT_HOST needs LOSSMETER_MANAGEMENT_PORT"),
        ({"PORT": "9000", "MANAGEMENT_PORT": "9000"}, "LOSSMETER_MANAGEMENT_PORT is LOSSMETER_PORT"),
    ],
)
def test_access_that_cannot_be_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], expected: str
) -> None:
    """A door that looks locked and is not is worse than no start; what may be a secret is not repeated."""
    for name, value in settings.items():
        monkeypatch.setenv("LOSSMETER_" + name, value)
    with pytest.raises(InvalidSettingsError, match="^" + re.escape(expected)) as caught:
        load()
    assert "\n" not in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert "0" * 32 not in str(caught.value)
