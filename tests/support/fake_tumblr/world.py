"""The posts of the local Tumblr, their pictures, and the truth about them."""

import random
from dataclasses import dataclass, field, replace

from tests.support.fake_tumblr.faults import (
    HARMLESS_MEDIA,
    LASTING_MEDIA,
    PASSING_MEDIA,
    PICTURES,
    Faults,
    chance,
    pick,
)
from tests.support.fake_tumblr.pictures import Recipe

_BAD_LOOKS = {
    "tiny": "too_small",
    "extreme": "extreme_aspect",
    "blank": "blank",
    "dark": "dark",
    "blurry": "blurry",
    "screenshot": "text_screenshot",
}
FORMS = ("photo", "photoset", "npf", "html", "trail")


@dataclass(frozen=True)
class WorldSettings:
    """The size of the world.

    Attributes:
        posts: Number of posts with the tag.
        pictures_per_post: Mean; a post has one to three.
        start: Unix second of the newest post.
        spacing_s: Seconds between posts.
        same_second_group: Posts in one second where that fault strikes; more than 20 cannot all be reached.
    """

    posts: int = 200
    seed: int = 1
    tag: str = "pose"
    pictures_per_post: float = 1.5
    width: int = 640
    height: int = 480
    start: int = 1_760_000_000
    spacing_s: int = 37
    same_second_group: int = 6
    num_blogs: int = 40


@dataclass
class Picture:
    """A picture and what its server does with it."""

    number: int
    recipe: Recipe
    media_key: str
    lasting: str = ""
    passing: str = ""
    harmless: str = ""
    old_shape: bool = False
    is_external: bool = False
    alt_text: str = ""

    @property
    def extension(self) -> str:
        if self.harmless == "wrong_extension":
            return "png"
        return {"jpg": "jpg", "png": "png", "gif": "gif", "webp": "webp", "animated": "gif", "bomb": "png"}[
            self.recipe.form
        ]


@dataclass
class WorldPost:
    """A post. ``order`` is the second the server sorts and pages by; ``timestamp`` is what it shows."""

    post_id: str
    order: int
    timestamp: int
    featured: int
    blog: str
    tags: list[str]
    form: str
    pictures: list[Picture]
    nsfw: bool | None = None
    is_opted_out: bool = False
    broken_trail: bool = False
    unknown_size: bool = False
    root_blog: str = ""


@dataclass
class World:
    """All posts, newest first as the server lists them, and every picture by its media key."""

    settings: WorldSettings
    faults: Faults
    posts: list[WorldPost] = field(default_factory=list)
    pictures: dict[str, Picture] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _Builder(self).build()

    def add_posts(self, num: int, *, seed: int) -> list[WorldPost]:
        """Post something new on top of everything."""
        newer = WorldSettings(
            **{
                **self.settings.__dict__,
                "posts": num,
                "seed": seed,
                "start": self.posts[0].order + num * self.settings.spacing_s + 100,
            }
        )
        other = World(newer, self.faults)
        self.posts[:0] = other.posts
        self.pictures.update(other.pictures)
        return other.posts

    def listed(self, tag: str, *, blog: str = "") -> list[WorldPost]:
        """Posts with the tag among their first twenty (Tumblr indexes no more), or all of a blog."""
        return [
            post
            for post in self.posts
            if (not tag or tag.lower() in [known.lower() for known in post.tags[:20]])
            and (not blog or post.blog == blog)
        ]

    def truth(self) -> dict[str, str]:
        """What a careful collector ends with: media key -> ``kept`` or the code of its refusal."""
        outcome: dict[str, str] = {}
        admitted: dict[str, Picture] = {}
        for post in self.listed(self.settings.tag):
            for picture in post.pictures:
                code = _policy_code(post, picture)
                if not code:
                    admitted.setdefault(picture.media_key, picture)
                    if outcome.get(picture.media_key) != "":  # admitted late, so it goes to the end of the line
                        outcome.pop(picture.media_key, None)
                        outcome[picture.media_key] = ""
                elif outcome.get(picture.media_key) != "":
                    outcome.setdefault(picture.media_key, code)
        order = list(outcome)  # as first seen, which decides between copies of one size
        best: dict[tuple[int, int], str] = {}
        for key in order:
            if outcome[key]:
                continue
            picture = admitted[key]
            if picture.lasting:
                outcome[key] = LASTING_MEDIA[picture.lasting]
            elif picture.recipe.look in _BAD_LOOKS:
                outcome[key] = _BAD_LOOKS[picture.recipe.look]
            else:
                motif = (picture.recipe.seed, picture.recipe.master)
                rival = best.get(motif)
                if rival is None or _area(picture) > _area(admitted[rival]):
                    best[motif] = key
                    outcome[key] = "kept"
                    if rival is not None:
                        outcome[rival] = _copy_code(admitted[rival], picture)
                else:
                    outcome[key] = _copy_code(picture, admitted[rival])
        return outcome


def _area(picture: Picture) -> int:
    return picture.recipe.width * picture.recipe.height


def _copy_code(picture: Picture, kept: Picture) -> str:
    return "duplicate" if picture.recipe == kept.recipe else "near_duplicate"


def _policy_code(post: WorldPost, picture: Picture) -> str:
    if post.is_opted_out:
        return "blog_opt_out"
    if picture.is_external:
        return "external_host"
    return "nsfw" if post.nsfw else ""


class _Builder:
    def __init__(self, world: World) -> None:
        self.world = world
        self.settings = world.settings
        self.faults = world.faults
        self.random = random.Random(world.settings.seed)
        self.masters: list[Picture] = []
        self.used_as_copy: set[int] = set()
        self.num_pictures = 0

    def build(self) -> None:
        posts: list[WorldPost] = []
        second = self.settings.start
        group = 0
        for number in range(self.settings.posts):
            if group > 0:
                group -= 1
            else:
                second -= self.settings.spacing_s
                if chance("same", self.settings.seed, number) < self.faults.same_second:
                    group = self.settings.same_second_group - 1
            posts.append(self._post(number, second))
        posts.sort(key=lambda post: (post.order, int(post.post_id)), reverse=True)
        self.world.posts = posts
        for post in posts:
            for picture in post.pictures:
                self.world.pictures[picture.media_key] = picture

    def _post(self, number: int, second: int) -> WorldPost:
        settings, faults, seed = self.settings, self.faults, self.settings.seed

        def strikes(name: str) -> bool:
            return chance(name, seed, number) < getattr(faults, name)

        form = "text" if strikes("text_only") else FORMS[number % len(FORMS)]
        count = 0 if form == "text" else self._num_pictures(form)
        # Today's ids hold the time of posting in their upper bits.
        post_id = str(((second - 1_000_000_000) * 1000 + 999 - number % 1000) << 20 | number % 1024)
        featured = second + 5 if strikes("featured") else 0
        blog = f"blog-{self.random.randrange(settings.num_blogs)}"
        tags = [settings.tag, f"tag {number % 7}", "art"]
        if strikes("late_tag"):
            tags = [f"filler {index}" for index in range(20)] + tags
        pictures = [self._picture() for _ in range(count)]
        if pictures and self.masters and strikes("reblogged"):
            pictures[0] = self.masters[self.random.randrange(len(self.masters))]
        if strikes("external"):
            pictures = [
                replace(picture, is_external=True, media_key=f"external-{picture.number}") for picture in pictures
            ]
            form = "html" if pictures else form
        for picture in pictures:
            self.world.pictures[picture.media_key] = picture
        nsfw = True if strikes("nsfw") else (None, False)[number % 2]
        return WorldPost(
            post_id=post_id,
            order=featured or second,
            timestamp=second - 200_000_000 if strikes("back_dated") and not featured else second,
            featured=featured,
            blog=blog,
            tags=tags,
            form=form,
            pictures=pictures,
            nsfw=nsfw,
            is_opted_out=strikes("opted_out"),
            broken_trail=strikes("broken_trail"),
            unknown_size=strikes("unknown_size"),
            root_blog=f"root-{number % 5}" if form == "trail" else "",
        )

    def _num_pictures(self, form: str) -> int:
        if form == "photo":
            return 1
        return 1 + (self.random.random() < (self.settings.pictures_per_post - 1) * 1.25)

    def _picture(self) -> Picture:
        self.num_pictures += 1
        number = self.num_pictures
        settings, faults, seed = self.settings, self.faults, self.settings.seed
        size = (settings.width, settings.height) if number % 3 else (settings.height, settings.width)
        recipe = Recipe(seed, number, *size, form="png" if number % 50 == 0 else "jpg")
        trait = pick(PICTURES, faults, "picture", seed, number)
        lasting = pick(LASTING_MEDIA, faults, "lasting", seed, number)
        harmless = pick(HARMLESS_MEDIA, faults, "harmless", seed, number)
        is_copy = False
        if trait in ("same_bytes", "smaller_copy", "mirrored") and self.masters and not lasting:
            recipe = self._copy_recipe(trait)
            is_copy = True
            harmless = ""
        elif trait == "tiny":
            recipe = replace(recipe, width=100, height=90, look="tiny")
        elif trait == "extreme":
            recipe = replace(recipe, width=900, height=150, look="extreme")
        elif trait in _BAD_LOOKS:
            recipe = replace(recipe, look=trait, form="png" if trait == "screenshot" else recipe.form)
        if harmless in ("gif_still", "webp_still") and not lasting and recipe.look == "good":
            recipe = replace(recipe, form=harmless.removesuffix("_still"))
        if lasting in ("animated", "pixel_bomb"):
            recipe = replace(recipe, form="animated" if lasting == "animated" else "bomb", look="good")
        word = self.random.getrandbits(128)
        picture = Picture(
            number=number,
            recipe=recipe,
            media_key=f"tumblr_{word:026x}o1"
            if number % 9 == 0
            else f"{word:032x}:{word >> 60 & (2**64 - 1):016x}-{number % 256:02x}",
            lasting=lasting,
            passing="" if lasting else pick(PASSING_MEDIA, faults, "passing", seed, number),
            harmless=harmless,
            old_shape=number % 9 == 0,
            alt_text=f"picture number {number}" if number % 4 == 0 else "",
        )
        if not (is_copy or lasting or recipe.look != "good" or recipe.form not in ("jpg", "png")):
            self.masters.append(picture)
        return picture

    def _copy_recipe(self, trait: str) -> Recipe:
        master = self.masters[self.random.randrange(len(self.masters))].recipe
        if trait == "smaller_copy":
            return replace(master, width=master.width * 3 // 5, height=master.height * 3 // 5, copy=trait, form="jpg")
        return replace(master, copy="mirrored", form="jpg") if trait == "mirrored" else master
