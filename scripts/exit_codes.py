"""The exit codes of every command; DONE is 0 and the rest say who can mend what."""

from collectors.errors import (
    ConfigError,
    CredentialsError,
    InputError,
    MissingPartError,
    PartlyDoneError,
    RemoteError,
    TagboxError,
)

DONE = 0
FINDINGS = 1
USAGE = 2
CREDENTIALS = 3
REMOTE = 4
PARTLY_DONE = 5
INPUT = 6
MISSING_PART = 7
BUG = 70
INTERRUPTED = 130

_CODES: tuple[tuple[type[TagboxError], int], ...] = (
    (ConfigError, USAGE),
    (CredentialsError, CREDENTIALS),
    (RemoteError, REMOTE),
    (PartlyDoneError, PARTLY_DONE),
    (InputError, INPUT),
    (MissingPartError, MISSING_PART),
)


def code_of(error: TagboxError) -> int:
    """Return the exit code of a known problem; an unlisted kind counts as a bug."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), BUG)
