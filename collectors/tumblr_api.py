"""Tumblr's API through pytumblr, with the request part replaced.

pytumblr 0.1.2 opens a new connection for every call, has no timeout, throws the headers (and so the quota) away and
turns failures into dictionaries. Its client stays, with its routes and its checks; `_Request` does the talking.
"""

import json
import random
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests
from pytumblr import TumblrRestClient
from pytumblr.request import TumblrRequest

from collectors.errors import ConfigError, CredentialsError, RemoteError
from collectors.http_client import hide_key_in_logs, redact
from collectors.rate_limits import RateScheduler

API_HOST = "https://api.tumblr.com"
TAGGED_PAGE = 20
BLOG_PAGE = 50  # documented as 20, honoured up to 50

_TIMEOUT_S = (10.0, 30.0)
_ATTEMPTS = 6
_BACK_OFF_S = 1.0
_DASHBOARD_ONLY = 4012
_TAGGED_FIELDS = ["tag", "before", "limit", "filter", "npf"]
_BLOG_FIELDS = ["tag", "limit", "before", "after", "offset", "reblog_info", "npf"]


class BlogUnavailableError(RemoteError):
    """A blog cannot be read.

    Attributes:
        code: blog_not_found, blog_dashboard_only or blog_forbidden.
    """

    def __init__(self, code: str, blog: str, reason: str, fix: str) -> None:
        super().__init__(reason, where=blog, fix=fix)
        self.code = code


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """An answer of the API as it came.

    Attributes:
        status: ``meta.status`` where the body has one, else the HTTP status.
        payload: ``response``: a list, an object, a string, or ``None`` when absent.
        errors: ``errors``, or an empty list.
        headers: Of the HTTP answer, names as sent, look-up without regard to case.
        is_well_formed: The body is JSON with a ``meta``.
    """

    status: int
    payload: Any
    errors: list[Mapping[str, Any]]
    headers: Mapping[str, str]
    is_well_formed: bool


class TumblrApi:
    """The two routes that list posts.

    Args:
        consumer_key: The OAuth consumer key of a registered application.
        session: From `collectors.http_client.api_session`.
        scheduler: Decides when a call may go out; shared by everything that calls.
        host: Scheme and host of the API; a local server in tests.
        back_off_s: First pause after a failed call; it doubles up to the sixth.
    """

    def __init__(
        self,
        consumer_key: str,
        session: requests.Session,
        scheduler: RateScheduler,
        *,
        host: str = API_HOST,
        back_off_s: float = _BACK_OFF_S,
    ) -> None:
        hide_key_in_logs()
        self._key = consumer_key
        self._client = TumblrRestClient(consumer_key, host=host.rstrip("/"))
        self._client.request = _Request(consumer_key, host.rstrip("/"), session, scheduler, back_off_s)

    def tagged(self, tag: str, *, before: int | None = None, limit: int = TAGGED_PAGE) -> list[Mapping[str, Any]]:
        """Return a page of the newest posts with a tag, anywhere on Tumblr.

        Args:
            tag: Without ``#``.
            before: Only posts with an earlier Unix second; ``None`` starts now.
            limit: Posts a page; Tumblr may send fewer.

        Raises:
            CredentialsError: The key was refused.
            ConfigError: Tumblr calls the request itself wrong.
            RemoteError: No usable answer after every retry.
        """
        params = {"tag": tag, "limit": limit, "npf": "true"} | ({} if before is None else {"before": before})
        # pytumblr adds the key to both the parameters and the list of allowed names, so it gets copies.
        answer: ApiAnswer = self._client.send_api_request("get", "/v2/tagged", params, [*_TAGGED_FIELDS], True)
        self._refuse_failure(answer, f"#{tag}")
        if isinstance(answer.payload, list):
            return [post for post in answer.payload if isinstance(post, Mapping)]
        return _posts_of(answer.payload)

    def blog_posts(
        self, blog: str, *, tag: str = "", before: int | None = None, limit: int = BLOG_PAGE
    ) -> list[Mapping[str, Any]]:
        """Return a page of the newest posts of a blog, optionally with a tag.

        Args:
            blog: Short name, host name or ``t:`` uuid.
            tag: Without ``#``; empty for every post.
            before: Only posts with an earlier Unix second; ``None`` starts now.
            limit: Posts a page; Tumblr may send fewer.

        Raises:
            BlogUnavailableError: The blog is gone, private, or shown on the dashboard only.
            CredentialsError: The key was refused.
            ConfigError: Tumblr calls the request itself wrong.
            RemoteError: No usable answer after every retry.
        """
        # pytumblr would append .tumblr.com to a uuid, which then names nothing.
        name = blog if "." in blog or blog.startswith("t:") else f"{blog}.tumblr.com"
        params: dict[str, Any] = {"limit": limit, "npf": "true", "reblog_info": "true"}
        params |= {"tag": tag} if tag else {}
        params |= {} if before is None else {"before": before}
        url = f"/v2/blog/{urllib.parse.quote(name, safe=':.')}/posts"
        answer: ApiAnswer = self._client.send_api_request("get", url, params, [*_BLOG_FIELDS], True)
        if answer.status in (403, 404):
            raise _blog_unavailable(blog, answer)
        self._refuse_failure(answer, blog)
        return _posts_of(answer.payload)

    def _refuse_failure(self, answer: ApiAnswer, subject: str) -> None:
        if 200 <= answer.status < 300:
            return
        told = redact(_told(answer)).replace(self._key, "***")
        if answer.status in (401, 403):
            raise CredentialsError(
                f"Tumblr refused the API key ({answer.status}{told})",
                fix="Check TUMBLR_CONSUMER_KEY against https://www.tumblr.com/oauth/apps.",
            )
        if answer.status in (400, 404):
            raise ConfigError(f"Tumblr does not accept the request ({answer.status}{told})", where=subject)
        raise RemoteError(
            f"Tumblr keeps answering {answer.status}{told}",
            where=subject,
            fix="Everything is saved: run the same command again later.",
        )


class _Request(TumblrRequest):
    """pytumblr's request part: pooled, with timeouts, retries and the whole answer."""

    def __init__(
        self, consumer_key: str, host: str, session: requests.Session, scheduler: RateScheduler, back_off_s: float
    ) -> None:
        super().__init__(consumer_key, host=host)
        self._session = session
        self._scheduler = scheduler
        self._back_off_s = back_off_s
        self._random = random.Random(0)

    def get(self, url: str, params: Mapping[str, Any]) -> ApiAnswer:
        """Send a GET, again where that can help, and return the last answer."""
        failure = ""
        for attempt in range(_ATTEMPTS):
            self._scheduler.acquire()
            try:
                response = self._session.get(
                    self.host + url, params=dict(params), timeout=_TIMEOUT_S, allow_redirects=False
                )
                answer = _read(response)
            except requests.RequestException as error:
                failure = f"{type(error).__name__}: {redact(str(error))}".replace(self.consumer_key, "***")[:300]
                self._pause(attempt)
                continue
            self._scheduler.observe(answer.headers)
            if answer.status == 429:
                self._scheduler.refused(answer.headers, is_burst=is_burst_refusal(answer))
            elif answer.status >= 500 or not answer.is_well_formed:
                failure = f"answer {response.status_code} without usable content"
                self._pause(attempt)
            else:
                self._scheduler.succeeded()
                return answer
        raise RemoteError(
            f"Tumblr gave no usable answer in {_ATTEMPTS} attempts ({failure or 'limit exceeded'})",
            where=self.host + url,
            fix="Everything is saved: run the same command again later.",
        )

    def _pause(self, attempt: int) -> None:
        self._scheduler.pause(self._back_off_s * 2**attempt * self._random.uniform(0.75, 1.25), "the last call failed")


def is_burst_refusal(answer: ApiAnswer) -> bool:
    """Tell a 429 for the speed of this address from one for a spent quota of the key.

    The quota's says so in a header (0 remaining) or with an entry in ``errors``; the other has a short body of its own
    and headers with quota left.
    """
    remaining = [value for name, value in answer.headers.items() if name.lower().endswith("-remaining")]
    if any(value.strip().lstrip("-").isdigit() and int(value) <= 0 for value in remaining):
        return False
    return not any(error.get("title") == "Limit Exceeded" for error in answer.errors) or bool(remaining)


def _read(response: requests.Response) -> ApiAnswer:
    try:
        body = json.loads(response.content)
    except ValueError:
        return ApiAnswer(response.status_code, None, [], response.headers, False)
    meta = body.get("meta") if isinstance(body, Mapping) else None
    errors = body.get("errors") if isinstance(body, Mapping) else None
    payload = body.get("response") if isinstance(body, Mapping) else None
    # JSONP proxies answer 200 with the true status inside.
    status = meta.get("status") if isinstance(meta, Mapping) else None
    is_well_formed = isinstance(status, int)
    if not is_well_formed and response.status_code in (401, 403, 404, 429):
        is_well_formed = True  # the status says enough
    return ApiAnswer(
        status=status if isinstance(status, int) else response.status_code,
        payload=payload,
        errors=[error for error in errors if isinstance(error, Mapping)] if isinstance(errors, list) else [],
        headers=response.headers,
        is_well_formed=is_well_formed,
    )


def _posts_of(payload: Any) -> list[Mapping[str, Any]]:
    posts = payload.get("posts") if isinstance(payload, Mapping) else None
    return [post for post in posts if isinstance(post, Mapping)] if isinstance(posts, list) else []


def _blog_unavailable(blog: str, answer: ApiAnswer) -> BlogUnavailableError:
    if answer.status == 403:
        return BlogUnavailableError(
            "blog_forbidden", blog, "the blog is private or blocked", "Leave it out, or ask its owner."
        )
    if any(error.get("code") == _DASHBOARD_ONLY for error in answer.errors):
        return BlogUnavailableError(
            "blog_dashboard_only", blog, "the blog is shown to logged-in people only (dashboard)", "Leave it out."
        )
    return BlogUnavailableError(
        "blog_not_found", blog, "there is no such blog (deleted or misspelt)", "Check the name of the blog."
    )


def _told(answer: ApiAnswer) -> str:
    words = [str(error.get("title") or "") for error in answer.errors[:1]]
    words += [answer.payload] if isinstance(answer.payload, str) else []
    text = " ".join(word for word in words if word)
    return f", {text}" if text else ""
