import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.http_client import api_session, hide_key_in_logs, redact, user_agent


def test_the_user_agent_names_us_and_the_contact() -> None:
    assert user_agent("me@example.org").startswith("tagbox/")
    assert user_agent("me@example.org").endswith("(image dataset collector; me@example.org)")
    assert "no contact given" in user_agent()
    assert "\n" not in user_agent("a\r\nX-Evil: 1")
    user_agent("Jürgen").encode("latin-1")


@given(st.text(alphabet="abcdefXYZ0123456789", min_size=4, max_size=50))
def test_a_key_never_stands_in_a_redacted_url(key: str) -> None:
    text = f"GET https://api.tumblr.com/v2/tagged?tag=cat&api_key={key}&limit=20 failed (oauth_consumer_key={key})"
    assert f"={key}" not in redact(text)
    assert "tag=cat" in redact(text)


def test_the_debug_log_of_urllib3_is_redacted(caplog: pytest.LogCaptureFixture) -> None:
    hide_key_in_logs()
    hide_key_in_logs()
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("urllib3.connectionpool").debug("%s %s", "GET", "/v2/tagged?api_key=abc123&tag=x")
    assert caplog.messages == ["GET /v2/tagged?api_key=***&tag=x"]


def test_the_session_takes_nothing_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert api_session("x").trust_env is False
    assert api_session("x", proxy="http://p:1").proxies == {"http": "http://p:1", "https": "http://p:1"}
