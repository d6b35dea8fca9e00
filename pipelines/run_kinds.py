"""What differs between runs of different kinds, as far as it can be said without TensorFlow."""

from dataclasses import dataclass

CLASSIFIER_SUFFIX = "_classifier"
TAGGER_SUFFIX = "_tag_classifier"


@dataclass(frozen=True, slots=True)
class RunKind:
    """One kind of thing that is trained.

    Attributes:
        word: What a person calls it.
        figures: Its figures in results.json, results.csv and the status; the first decides which checkpoint is best.
        losses: Columns of results.csv for the parts of the loss.
        accuracies: Columns of results.csv for what else training measures.
        truth: What ``num_truth`` of a class counts.
        build_command: What writes its records.
        label_fault: A fault of the data that makes a loss explode.
        class_figures: Its figures of each class in results.json, the one of the headline first.
        compared_figures: The figures that runs are compared by, the one of the headline first.
        answers: What two runs exchange in the test of a comparison.
        compared_curves: Columns of results.csv that a comparison draws, with their titles.
        wants_weights: Whether it hardly learns from random weights with a few hundred pictures.
    """

    word: str
    figures: tuple[str, ...]
    losses: tuple[str, ...]
    accuracies: tuple[str, ...]
    truth: str
    build_command: str
    label_fault: str
    wants_weights: bool
    class_figures: tuple[str, ...]
    compared_figures: tuple[str, ...]
    answers: str
    compared_curves: tuple[tuple[str, str], ...]


DETECTOR = RunKind(
    word="detector",
    figures=("AP50", "AP"),
    losses=("classification_loss", "localization_loss", "regularization_loss"),
    accuracies=(),
    truth="boxes",
    build_command="tagbox records build DATA",
    label_fault="boxes of no size (tagbox labels check)",
    wants_weights=True,
    class_figures=("AP50", "AP"),
    compared_figures=("AP50", "AP"),
    answers="detections",
    compared_curves=(("loss", "Training loss"), ("AP50", "AP50"), ("AP", "AP (0.50 to 0.95)")),
)
CLASSIFIER = RunKind(
    word="classifier",
    figures=("top1", "top5"),
    losses=("classification_loss", "regularization_loss"),
    accuracies=("training_top1",),
    truth="pictures",
    build_command="tagbox records drawings SRC",
    label_fault="a batch too small for the rate",
    wants_weights=False,
    class_figures=("top1",),
    compared_figures=("top1", "top5"),
    answers="answers",
    compared_curves=(
        ("loss", "Training loss"),
        ("validation_loss", "Verification loss"),
        ("training_top1", "Training top-1"),
        ("top1", "Verification top-1"),
    ),
)
TAGGER = RunKind(
    word="tag classifier",
    figures=("mAP", "top1"),
    losses=("classification_loss", "regularization_loss"),
    accuracies=("training_top1",),
    truth="pictures",
    build_command="tagbox records folder SRC --multi-label",
    label_fault="a batch too small for the rate",
    wants_weights=False,
    class_figures=("AP", "F1"),
    compared_figures=("mAP", "micro_F1"),
    answers="ranks of the pictures (for mAP) and tags given (for micro_F1)",
    compared_curves=(
        ("loss", "Training loss"),
        ("validation_loss", "Verification loss"),
        ("mAP", "mAP"),
        ("top1", "Likeliest tag right"),
    ),
)


def kind_of(experiment: str) -> RunKind:
    """Return the kind of a registered experiment by its name.

    Classifiers end in ``_classifier``, those that give a picture several tags in ``_tag_classifier``.
    """
    if experiment.endswith(TAGGER_SUFFIX):
        return TAGGER
    return CLASSIFIER if experiment.endswith(CLASSIFIER_SUFFIX) else DETECTOR


def kind_named(word: str) -> RunKind:
    """Return the kind that a model file says it is of, by its ``word``."""
    return next(kind for kind in (DETECTOR, CLASSIFIER, TAGGER) if kind.word == word)
