"""The names of QuickDraw's 345 categories, and what a person may have meant by another word.

Names are what stands on disk and in commands. The number of a category is never stored: three orders of the same names
circulate, and they disagree.
"""

import difflib
import re

from collectors.errors import ConfigError

_NAMES = """
    aircraft carrier, airplane, alarm clock, ambulance, angel, animal migration, ant, anvil, apple, arm, asparagus,
    axe, backpack, banana, bandage, barn, baseball, baseball bat, basket, basketball, bat, bathtub, beach, bear,
    beard, bed, bee, belt, bench, bicycle, binoculars, bird, birthday cake, blackberry, blueberry, book, boomerang,
    bottlecap, bowtie, bracelet, brain, bread, bridge, broccoli, broom, bucket, bulldozer, bus, bush, butterfly,
    cactus, cake, calculator, calendar, camel, camera, camouflage, campfire, candle, cannon, canoe, car, carrot,
    castle, cat, ceiling fan, cello, cell phone, chair, chandelier, church, circle, clarinet, clock, cloud,
    coffee cup, compass, computer, cookie, cooler, couch, cow, crab, crayon, crocodile, crown, cruise ship, cup,
    diamond, dishwasher, diving board, dog, dolphin, donut, door, dragon, dresser, drill, drums, duck, dumbbell, ear,
    elbow, elephant, envelope, eraser, eye, eyeglasses, face, fan, feather, fence, finger, fire hydrant, fireplace,
    firetruck, fish, flamingo, flashlight, flip flops, floor lamp, flower, flying saucer, foot, fork, frog,
    frying pan, garden, garden hose, giraffe, goatee, golf club, grapes, grass, guitar, hamburger, hammer, hand,
    harp, hat, headphones, hedgehog, helicopter, helmet, hexagon, hockey puck, hockey stick, horse, hospital,
    hot air balloon, hot dog, hot tub, hourglass, house, house plant, hurricane, ice cream, jacket, jail, kangaroo,
    key, keyboard, knee, knife, ladder, lantern, laptop, leaf, leg, light bulb, lighter, lighthouse, lightning, line,
    lion, lipstick, lobster, lollipop, mailbox, map, marker, matches, megaphone, mermaid, microphone, microwave,
    monkey, moon, mosquito, motorbike, mountain, mouse, moustache, mouth, mug, mushroom, nail, necklace, nose, ocean,
    octagon, octopus, onion, oven, owl, paintbrush, paint can, palm tree, panda, pants, paper clip, parachute,
    parrot, passport, peanut, pear, peas, pencil, penguin, piano, pickup truck, picture frame, pig, pillow,
    pineapple, pizza, pliers, police car, pond, pool, popsicle, postcard, potato, power outlet, purse, rabbit,
    raccoon, radio, rain, rainbow, rake, remote control, rhinoceros, rifle, river, roller coaster, rollerskates,
    sailboat, sandwich, saw, saxophone, school bus, scissors, scorpion, screwdriver, sea turtle, see saw, shark,
    sheep, shoe, shorts, shovel, sink, skateboard, skull, skyscraper, sleeping bag, smiley face, snail, snake,
    snorkel, snowflake, snowman, soccer ball, sock, speedboat, spider, spoon, spreadsheet, square, squiggle,
    squirrel, stairs, star, steak, stereo, stethoscope, stitches, stop sign, stove, strawberry, streetlight,
    string bean, submarine, suitcase, sun, swan, sweater, swing set, sword, syringe, table, teapot, teddy-bear,
    telephone, television, tennis racquet, tent, The Eiffel Tower, The Great Wall of China, The Mona Lisa, tiger,
    toaster, toe, toilet, tooth, toothbrush, toothpaste, tornado, tractor, traffic light, train, tree, triangle,
    trombone, truck, trumpet, t-shirt, umbrella, underwear, van, vase, violin, washing machine, watermelon,
    waterslide, whale, wheel, windmill, wine bottle, wine glass, wristwatch, yoga, zebra, zigzag
"""

CATEGORIES: tuple[str, ...] = tuple(" ".join(name.split()) for name in _NAMES.split(","))
"""All names as Google's files are called, in the order of its list."""

# What people say for what the game called otherwise.
_OTHER_WORDS = {
    "aeroplane": "airplane",
    "automobile": "car",
    "bike": "bicycle",
    "boat": "sailboat",
    "bunny": "rabbit",
    "doughnut": "donut",
    "fire truck": "firetruck",
    "glasses": "eyeglasses",
    "kitty": "cat",
    "mobile phone": "cell phone",
    "motorcycle": "motorbike",
    "mustache": "moustache",
    "phone": "telephone",
    "plane": "airplane",
    "puppy": "dog",
    "seesaw": "see saw",
    "sofa": "couch",
    "sunglasses": "eyeglasses",
    "tv": "television",
    "watch": "wristwatch",
    "watches": "wristwatch",
}


def find_category(name: str) -> str:
    """Return the category a person means: capitals, underscores, hyphens and spaces do not matter.

    Raises:
        ConfigError: There is no such category; the message names the nearest ones.

    Example:
        >>> find_category("the_eiffel_tower"), find_category("teddy bear")
        ('The Eiffel Tower', 'teddy-bear')
    """
    found = _BY_KEY.get(_key(name)) or _BY_KEY.get(_key("the " + name))
    if found is not None:
        return found
    near = suggest_categories(name)
    hint = f"Did you mean {_either(near)}? " if near else ""
    raise ConfigError(
        f"QuickDraw has no category {name!r}",
        fix=f"{hint}All {len(CATEGORIES)} names: tagbox collect quickdraw --list-categories",
    )


def suggest_categories(name: str, *, limit: int = 3) -> tuple[str, ...]:
    """Return the names that are nearest to a word, best first; none when nothing is near."""
    key = _key(name)
    if not key:
        return ()
    found = [_BY_KEY[_key(_OTHER_WORDS[word])] for word in _OTHER_WORDS if _key(word) in {key, key.rstrip("s")}]
    cutoff = 0.6 if len(key) <= 4 else 0.72  # One wrong letter weighs more in a short word.
    found += [_BY_KEY[match] for match in difflib.get_close_matches(key, list(_BY_KEY), n=limit, cutoff=cutoff)]
    found += [category for category in CATEGORIES if _shares_word(name, category)]
    return tuple(dict.fromkeys(found))[:limit]


def _key(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).casefold()


def _shares_word(name: str, category: str) -> bool:
    words = set(re.split(r"[\W_]+", name.casefold())) - {"the", "of", "a", ""}
    return bool(words & set(re.split(r"[\W_]+", category.casefold())))


def _either(names: tuple[str, ...]) -> str:
    quoted = [repr(name) for name in names]
    return quoted[0] if len(quoted) == 1 else ", ".join(quoted[:-1]) + " or " + quoted[-1]


_BY_KEY = {_key(name): name for name in CATEGORIES}
