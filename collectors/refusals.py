"""Why a picture is not taken."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a picture is not taken: a stable code and a reason for people.

    Attributes:
        is_retryable: Trying again later can succeed (``tagbox collect retry`` takes these).
    """

    code: str
    reason: str
    is_retryable: bool = False


# Refusals that follow from the options of a run, judged again whenever the picture is seen again.
POLICY_CODES = ("outside_dates", "nsfw", "nsfw_unknown", "blog_opt_out", "external_host", "only_cropped")
