"""What can go wrong, grouped by who can mend it.

    TagboxError
    ├── ConfigError         the command, a config or an option is wrong           exit 2
    ├── CredentialsError    a key is missing or was refused                       exit 3
    ├── RemoteError         a server failed after every retry                     exit 4
    ├── PartlyDoneError     some items failed; they are listed                    exit 5
    ├── InputError          a file is missing, damaged or cannot be written       exit 6
    └── MissingPartError    an optional package is not installed                  exit 7

Library code raises these and nothing else on purpose; ``scripts`` turns them into one line and an exit code.
Anything else that escapes is a bug of tagbox (exit 70).
"""


class TagboxError(Exception):
    """A problem a person can act on.

    Args:
        what: What failed, one clause, no full stop.
        where: File, ``file:line``, URL or config key. Empty when the message already says it.
        fix: What to do about it, as a sentence or a command. Empty when nothing can be done.
    """

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.fix = fix

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}. {self.fix}" if self.fix else text


class ConfigError(TagboxError):
    """The command line, a config file or a label map asks for something impossible."""


class CredentialsError(TagboxError):
    """A key is missing, or the other side refused it. The key itself never stands in the message."""


class RemoteError(TagboxError):
    """A server kept failing after every retry that made sense."""


class PartlyDoneError(TagboxError):
    """The command did what it could; the items that failed are listed in a file or on screen."""


class InputError(TagboxError):
    """A file or folder is missing, damaged, or cannot be written."""


class MissingPartError(TagboxError):
    """An optional part of the installation is missing."""
