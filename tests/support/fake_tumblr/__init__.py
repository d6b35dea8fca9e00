"""A local Tumblr: a real HTTP server with posts, pictures, faults to switch on, and a journal of every request.

It knows the truth: which of its pictures a careful collector keeps and why it refuses each of the others.

    python -m tests.support.fake_tumblr --port 8300 --posts 2000
"""

from tests.support.fake_tumblr.faults import Faults
from tests.support.fake_tumblr.server import FakeTumblr
from tests.support.fake_tumblr.world import World, WorldSettings

__all__ = ["FakeTumblr", "Faults", "World", "WorldSettings"]
