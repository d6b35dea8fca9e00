"""QuickDraw's bucket on a loopback port: a real HTTP server with switches for everything that goes wrong."""

from tests.support.fake_bucket.server import FakeBucket, Request

__all__ = ["FakeBucket", "Request"]
