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
    compared_curves=(),
)


def kind_of(experiment: str) -> RunKind:
    """Return the kind of a registered experiment by its name.

    Classifiers end in ``_classifier``, those that give a picture several tags in ``_tag_classifier``.
    """
    if experiment.endswith(TAGGER_SUFFIX):
        return TAGGER
    return CLASSIFIER if experiment.endswith(CLASSIFIER_SUFFIX) else DETECTOR
