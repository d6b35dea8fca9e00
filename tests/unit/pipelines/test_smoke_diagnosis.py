"""Which part is named for what was seen."""

import math
import re

import pytest

from pipelines.smoke_diagnosis import SeenEvaluation, SeenRecords, SeenTraining, diagnose

RECORDS = SeenRecords(num_pictures=8, num_boxes=9, anchor_share=1.0)
TRAINING = SeenTraining(
    steps=100, learning_rate=0.02, num_variables=109, num_moved=109, first_loss=12.1, last_loss=0.4,
    first_classification=10.0,
    last_classification=0.3, first_localization=2.0, last_localization=0.01,
)  # fmt: skip
EVALUATION = SeenEvaluation(
    ap50=1.0, classless_ap50=1.0, num_detections=200, score_threshold=1e-8, training_loss=0.4, evaluation_loss=0.5
)


def _with(seen, **changes):
    return type(seen)(**{name: changes.get(name, getattr(seen, name)) for name in seen.__slots__})


def _broken(records=RECORDS, training=TRAINING, evaluation=EVALUATION):
    findings = diagnose(records, training, evaluation)
    return [finding.part for finding in findings if not finding.is_sound], " ".join(one.sentence for one in findings)


def test_nothing_is_broken_where_the_pictures_are_learnt():
    assert _broken()[0] == []
    parts = [finding.part for finding in diagnose(RECORDS, TRAINING, EVALUATION)]
    assert parts == ["records", "anchors", "weights", "rate", "classification", "localization", "evaluation"]


BAD = {"ap50": 0.1, "classless_ap50": 0.1}


@pytest.mark.parametrize(
    ("changes", "part", "words"),
    [
        ({"records": {"num_boxes": 0, "anchor_share": None}}, "records", "no box in 8 pictures"),
        ({"records": {"num_flat": 2}}, "records", "2 of 9 boxes in 8 pictures have no area"),
        ({"records": {"num_outside": 9}}, "records", "no fractions of the picture's size"),
        ({"records": {"contradiction": ("a.jpg", "b.jpg")}}, "records", "a.jpg and b.jpg are the same picture"),
        ({"records": {"anchor_share": 0.2, "smallest": (3.0, 4.0)}}, "anchors", "20 % .* is 3x4 pixels"),
        ({"training": {"num_variables": 0, "num_moved": 0}}, "weights", "everything is frozen"),
        ({"training": {"num_moved": 0, "learning_rate": 0.0}}, "weights", "the learning rate is 0"),
        ({"training": {"num_moved": 0}}, "weights", "raise it or freeze less"),
        ({"training": {"last_loss": math.nan}, "evaluation": None}, "rate", "not a number after 100 steps"),
        ({"training": {"last_loss": 1e5}, "evaluation": BAD}, "rate", "explodes from 12.1 to"),
        ({"training": {"last_loss": 12.3}, "evaluation": BAD}, "rate", "rises from 12.1 to 12.3"),
        ({"training": {"last_classification": 9.0}, "evaluation": BAD}, "classification", "from 10 to 9"),
        ({"training": {"last_localization": 1.8}, "evaluation": BAD}, "localization", "from 2 to 1.8"),
        ({"evaluation": BAD | {"num_detections": 0}}, "evaluation", "nothing scores above .*score_threshold"),
        ({"evaluation": BAD | {"classless_ap50": 1.0}}, "evaluation", "ids of the label map and of the records differ"),
        ({"evaluation": BAD | {"evaluation_loss": 30.0}}, "evaluation", "batch norm's statistics lag behind"),
        ({"evaluation": BAD}, "evaluation", "though the losses are low"),
    ],
)
def test_the_first_broken_part_is_the_one_that_was_broken(changes, part, words):
    seen = {"records": RECORDS, "training": TRAINING, "evaluation": EVALUATION}
    for name, change in changes.items():
        seen[name] = None if change is None else _with(seen[name], **change)
    parts, sentences = _broken(**seen)
    assert parts[0] == part
    assert re.search(words, sentences)


def test_records_without_a_box_are_not_trained_on():
    findings = diagnose(_with(RECORDS, num_boxes=0, anchor_share=None), None, None)
    assert [finding.part for finding in findings] == ["records"]


def test_the_clock_is_named_where_it_ended_the_test():
    late = _with(TRAINING, is_out_of_time=True, last_classification=4.0)
    assert _broken(training=late, evaluation=_with(EVALUATION, **BAD))[0] == ["evaluation", "time"]
