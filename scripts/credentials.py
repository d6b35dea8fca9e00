"""Keys: from the environment or from a file that nobody else can read; never from a flag, never into a log."""

import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from collectors.errors import CredentialsError

KEY_VARIABLE = "TUMBLR_CONSUMER_KEY"
CONTACT_VARIABLE = "TUMBLR_CONTACT"
_HOW_TO_GET_ONE = (
    "Get one in a minute: register an application at https://www.tumblr.com/oauth/apps (any name and URL will do), "
    f"copy its OAuth consumer key, and set {KEY_VARIABLE} to it, or put "
    '{{"consumer_key": "..."}} into {path} (chmod 600). '
    "To try the collector without a key: python -m tests.support.fake_tumblr"
)


@dataclass(frozen=True, slots=True)
class TumblrCredentials:
    """The consumer key of an application, and whom to ask about it. The key does not show in ``repr``."""

    consumer_key: str
    contact: str = ""

    def __repr__(self) -> str:
        return f"TumblrCredentials(consumer_key=***, contact={self.contact!r})"


def credentials_path() -> Path:
    """Return where the file with the key lies: ``$XDG_CONFIG_HOME/tagbox/tumblr.json``."""
    base = os.environ.get("XDG_CONFIG_HOME") or ""
    return (Path(base) if base else Path.home() / ".config") / "tagbox" / "tumblr.json"


def tumblr_credentials() -> TumblrCredentials:
    """Read the key, from the environment first.

    Raises:
        CredentialsError: There is none, or its file is unreadable or open to others.
    """
    contact = os.environ.get(CONTACT_VARIABLE, "")
    key = os.environ.get(KEY_VARIABLE, "").strip()
    if key:
        return TumblrCredentials(key, contact)
    path = credentials_path()
    if not path.is_file():
        raise CredentialsError("no Tumblr API key is set", fix=_HOW_TO_GET_ONE.format(path=path))
    if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise CredentialsError("other people can read the file with the key", where=str(path), fix=f"chmod 600 {path}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        key = str(content["consumer_key"]).strip()
    except (OSError, ValueError, KeyError, TypeError) as error:
        # The error text could quote the file, and so the key.
        raise CredentialsError(
            f"the file with the key cannot be read ({type(error).__name__})",
            where=str(path),
            fix='It should hold {"consumer_key": "..."}.',
        ) from None
    if not key:
        raise CredentialsError("the file with the key holds an empty one", where=str(path))
    return TumblrCredentials(key, contact or str(content.get("contact") or ""))
