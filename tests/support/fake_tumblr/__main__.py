"""Run the local Tumblr in a terminal, to try the collector without a key."""

import argparse
import time

from tests.support.fake_tumblr.api_routes import ApiSettings
from tests.support.fake_tumblr.faults import Faults
from tests.support.fake_tumblr.server import FakeTumblr
from tests.support.fake_tumblr.world import World, WorldSettings


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.support.fake_tumblr", description=__doc__)
    parser.add_argument("--port", type=int, default=8300, help="0 takes a free one")
    parser.add_argument("--posts", type=int, default=2000, help="posts with the tag")
    parser.add_argument("--tag", default="pose")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--faults", type=float, default=0.0, help="switch every fault on at this rate, for example 0.02"
    )
    parser.add_argument("--calls-per-hour", type=int, default=1000, help="quota of a key")
    parser.add_argument("--calls-per-minute", type=int, default=300, help="limit of an address")
    options = parser.parse_args()
    settings = WorldSettings(posts=options.posts, tag=options.tag, seed=options.seed)
    world = World(settings, Faults.everything(options.faults))
    api = ApiSettings(per_hour=options.calls_per_hour, per_minute=options.calls_per_minute)
    with FakeTumblr(world, port=options.port, api=api) as fake:
        fake.keeps_journal = False
        print(f"a local Tumblr with {len(world.posts)} posts tagged {options.tag!r}; end it with Ctrl-C. Try:")
        print(
            f"  TUMBLR_CONSUMER_KEY=any tagbox collect tumblr {options.tag} --class pose --limit 50 --host {fake.url}"
        )
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            print("ended")


if __name__ == "__main__":
    main()
