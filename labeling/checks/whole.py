"""Checks of the data set as a whole: what no single file can show."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from labeling.checks.subject import Subject, make_finding
from labeling.dataset import UNLABELED, DatasetFiles
from labeling.findings import Finding, Severity
from labeling.near_duplicates import Look, NearPair, near_pairs
from labeling.provenance import origins_of
from labeling.surroundings import Neighbour

# Saving again moves the hash by so much; two photographs of one burst differ by more.
_SAME_PICTURE_BITS = 2


@dataclass(frozen=True, slots=True)
class Whole:
    """The data set: its files, and every pair that no check has refused.

    Attributes:
        files: Everything found by name.
        usable: Pairs without an error, sorted by the path of the XML.
        neighbours: What lies beside them.
        posts: The posts that collected pictures came from, see `labeling.provenance`.
    """

    files: DatasetFiles
    usable: tuple[Subject, ...]
    neighbours: tuple[Neighbour, ...] = ()
    posts: Mapping[str, frozenset[str]] = field(default_factory=dict)


WholeCheck = Callable[[Whole], Iterable[Finding]]


def unlabelled(whole: Whole) -> Iterator[Finding]:
    """L02: a picture without XML; not the same as a picture without objects, which has an XML that says so."""
    for image in whole.files.unlabeled:
        yield make_finding("L02", image.path, got="no XML of this stem", wanted=f"{image.path.stem}.xml")


def stray(whole: Whole) -> Iterator[Finding]:
    """L09: XML in a class folder but in neither split; it is not used."""
    for folder in whole.files.class_folders:
        for path in folder.stray_xml:
            yield make_finding("L09", path, got=path.parent.name + "/", wanted="training/ or verification/")


def waiting(whole: Whole) -> Iterator[Finding]:
    """L11: labelled pictures that were not placed in a split yet."""
    for folder in whole.files.class_folders:
        if folder.num_waiting:
            got = f"{folder.num_waiting} XML files"
            yield make_finding("L11", folder.path / UNLABELED, got=got, wanted="them in training/ or verification/")


def in_both_splits(whole: Whole) -> Iterator[Finding]:
    """D01: the same bytes in training and in verification, whichever class folders they lie in."""
    for group in _same_bytes(whole):
        training = [subject for subject in group if subject.files.split == "training"]
        for subject in group:
            if subject.files.split == "verification" and training:
                yield _same(subject, training[0], "D01", "it in one split")


def nearly_in_both_splits(whole: Whole) -> Iterator[Finding]:
    """D02: a verification picture that looks like one of training: saved again, resized or mirrored.

    An error where hardly a bit differs; one finding a verification picture, naming the nearest.
    """
    training = [subject for subject in whole.usable if subject.files.split == "training"]
    verification = [subject for subject in whole.usable if subject.files.split == "verification"]
    same_bytes = {subject.image.sha256 for subject in training if subject.image is not None}
    nearest: dict[int, NearPair] = {}
    for pair in near_pairs(_looks(verification), _looks(training)):
        if pair.first not in nearest or pair.distance < nearest[pair.first].distance:
            nearest[pair.first] = pair
    for place, pair in sorted(nearest.items()):
        subject, other = verification[place], training[pair.second]
        if subject.image is None or subject.image.sha256 in same_bytes:
            continue  # that is D01
        is_same = pair.distance <= _SAME_PICTURE_BITS and not pair.is_mirrored
        how = " mirrored" if pair.is_mirrored else ""
        yield make_finding(
            "D02",
            subject.image_path or subject.files.xml_path,
            got=f"{other.image_path}{how} looks the same ({pair.distance} of 64 bits differ)",
            wanted="it in one split",
            severity=Severity.ERROR if is_same else None,
        )


def of_one_post(whole: Whole) -> Iterator[Finding]:
    """D03: pictures of one post, or of posts reblogged from one, show the same thing on the same day."""
    if not whole.posts:
        return
    training: dict[str, Subject] = {}
    digests: set[str] = set()
    for subject in whole.usable:
        if subject.files.split == "training" and subject.image is not None:
            digests.add(subject.image.sha256)
            for post in _posts_of(whole, subject):
                training.setdefault(post, subject)
    for subject in whole.usable:
        if subject.files.split != "verification" or subject.image is None or subject.image.sha256 in digests:
            continue
        shared = sorted(_posts_of(whole, subject) & training.keys())
        if shared:
            got = f"post {shared[0]}, as {training[shared[0]].image_path}"
            path = subject.image_path or subject.files.xml_path
            yield make_finding("D03", path, got=got, wanted="each post in one split")


def _posts_of(whole: Whole, subject: Subject) -> frozenset[str]:
    sha256 = subject.image.sha256 if subject.image is not None else ""
    return origins_of(whole.posts, sha256, subject.files.class_name, subject.files.xml_path.stem)


def labelled_differently(whole: Whole) -> Iterator[Finding]:
    """D04: the same bytes with different labels in one class folder (or in a plain folder)."""
    for group in _same_bytes(whole):
        for first, second in _couples(group):
            if _labels(first) != _labels(second):
                yield _same(second, first, "D04", f"{_labels(first)} as there, not {_labels(second)}")


def repeated(whole: Whole) -> Iterator[Finding]:
    """D12: the same bytes twice in one split of one class, labelled alike."""
    for group in _same_bytes(whole):
        for first, second in _couples(group):
            if first.files.split == second.files.split and _labels(first) == _labels(second):
                yield _same(second, first, "D12", "each picture once")


def no_verification(whole: Whole) -> Iterator[Finding]:
    """D09: a class that can be trained but not measured."""
    for folder in whole.files.class_folders:
        if "verification" not in _splits(whole, folder.name) and "training" in _splits(whole, folder.name):
            yield make_finding("D09", folder.path, got="none that can be used", wanted="some in verification/")


def no_training(whole: Whole) -> Iterator[Finding]:
    """D10: a class that can be measured but not trained."""
    for folder in whole.files.class_folders:
        if "training" not in _splits(whole, folder.name) and _has_labels(whole, folder.name):
            yield make_finding("D10", folder.path, got="none that can be used", wanted="some in training/")


def no_labels(whole: Whole) -> Iterator[Finding]:
    """D11: a class folder without a single XML file in its splits; a warning while pictures are being collected."""
    for folder in whole.files.class_folders:
        if _has_labels(whole, folder.name):
            continue
        is_collecting = not folder.has_splits and (folder.path / UNLABELED).is_dir()
        yield make_finding(
            "D11",
            folder.path,
            got="no XML in training/ or verification/",
            wanted="labels",
            severity=Severity.WARNING if is_collecting else None,
            action="Label its pictures, then move them to training/ and verification/." if is_collecting else None,
        )


def _looks(subjects: list[Subject]) -> list[Look | None]:
    return [None if subject.image is None else subject.image.look for subject in subjects]


def _same_bytes(whole: Whole) -> list[list[Subject]]:
    groups: dict[str, list[Subject]] = defaultdict(list)
    for subject in whole.usable:
        if subject.image is not None:
            groups[subject.image.sha256].append(subject)
    return [group for group in groups.values() if len(group) > 1]


def _couples(group: list[Subject]) -> Iterator[tuple[Subject, Subject]]:
    """Each picture of a group with the first one of the same class folder."""
    first: dict[str, Subject] = {}
    for subject in group:
        earlier = first.setdefault(subject.files.class_name, subject)
        if earlier is not subject:
            yield earlier, subject


def _labels(subject: Subject) -> str:
    counts = Counter(labeled.name for labeled in subject.annotation.objects) if subject.annotation is not None else {}
    return " and ".join(f"{count} {name!r}" for name, count in sorted(counts.items())) or "no object"


def _same(subject: Subject, other: Subject, code: str, wanted: str) -> Finding:
    path = subject.image_path or subject.files.xml_path
    return make_finding(code, path, got=f"the same bytes as {other.image_path}", wanted=wanted)


def _splits(whole: Whole, class_name: str) -> set[str]:
    return {subject.files.split for subject in whole.usable if subject.files.class_name == class_name}


def _has_labels(whole: Whole, class_name: str) -> bool:
    return any(label.class_name == class_name for label in whole.files.labels)


CHECKS: tuple[WholeCheck, ...] = (
    unlabelled,
    stray,
    waiting,
    in_both_splits,
    nearly_in_both_splits,
    of_one_post,
    labelled_differently,
    repeated,
    no_verification,
    no_training,
    no_labels,
)
