"""How tagbox introduces itself to servers, and keeps its key out of everything that is written.

The key of the Tumblr API travels in the query of the URL. `redact` takes it out of texts, and `hide_key_in_logs` out of
the debug log of urllib3, which would print whole URLs.
"""

import logging
import re
from importlib import metadata

import requests
from requests.adapters import HTTPAdapter

_KEY_IN_TEXT = re.compile(r"((?:api_key|consumer_key|oauth_consumer_key)=)[^&\s\"']+", re.IGNORECASE)


def user_agent(contact: str = "") -> str:
    """Return the User-Agent sent with every request, honest about what we are and who to ask.

    Args:
        contact: A mail address or page of the person who runs the collector; empty says that none was given.
    """
    try:
        version = metadata.version("tagbox")
    except metadata.PackageNotFoundError:  # run from a plain checkout
        version = "0"
    told = " ".join(contact.split()).encode("ascii", "replace").decode("ascii") or "no contact given"
    return f"tagbox/{version} (image dataset collector; {told})"


def api_session(agent: str, *, proxy: str = "") -> requests.Session:
    """Return a pooled session that sends our User-Agent and reads nothing from the environment.

    It has no retries of its own: the caller decides, because only it can tell a burst limit from a spent quota.
    """
    session = requests.Session()
    session.trust_env = False
    session.headers.update({"User-Agent": agent, "Accept": "application/json"})
    if proxy:
        session.proxies.update({"http": proxy, "https": proxy})
    adapter = HTTPAdapter(pool_connections=2, pool_maxsize=4, max_retries=0)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def redact(text: str) -> str:
    """Replace API keys in URLs and texts by ``***``.

    Example:
        >>> redact("/v2/tagged?api_key=secret&tag=cat")
        '/v2/tagged?api_key=***&tag=cat'
    """
    return _KEY_IN_TEXT.sub(r"\1***", text)


def hide_key_in_logs() -> None:
    """Make the loggers of the HTTP libraries redact what they write. Calling it again changes nothing."""
    for name in ("urllib3.connectionpool", "requests_oauthlib.oauth1_auth", "requests_oauthlib"):
        logger = logging.getLogger(name)
        if not any(isinstance(known, _RedactingFilter) for known in logger.filters):
            logger.addFilter(_RedactingFilter())


class _RedactingFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        clean = redact(message)
        if clean != message:
            record.msg, record.args = clean, ()
        return True
