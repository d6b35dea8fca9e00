"""The true detector learns: eight pictures by heart within 120 steps."""

from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.tf
@pytest.mark.timeout(900)
def test_eight_pictures_are_learnt_by_heart_within_120_steps(shared_data: Path, tmp_path: Path) -> None:
    from labeling.placing import place_labels, read_names
    from pipelines.config_files import CONFIG_DIR
    from pipelines.experiment import load_experiment
    from pipelines.preflight import prepare
    from pipelines.run_directory import RunDirectory
    from pipelines.train import train
    from records.build import build_records

    raccoon = shared_data / "voc" / "raccoon"
    eight = read_names(raccoon / "train_labels.csv")[:8]
    place_labels(raccoon, tmp_path / "data", class_name="raccoon", names={"training": eight})
    build_records(tmp_path / "data", tmp_path / "records")

    experiment = load_experiment(
        CONFIG_DIR / "ssd_mobilenet_v1.yaml",
        [
            "trainer.train_steps=120",
            "trainer.validation_interval=120",
            "task.train_data.global_batch_size=4",
            # By heart means the pictures as they are.
            "task.train_data.augmentation.ssd_crop=false",
            f"task.validation_data.input_path={tmp_path / 'records' / 'raccoon_training.record'}",
            f"task.init_checkpoint={shared_data / 'weights' / 'mobilenet_v1_1.0_224_imagenet_slim.npz'}",
        ],
    )
    preflight = prepare(experiment, tmp_path / "records")
    assert preflight.training.num_examples == preflight.verification.num_examples == 8
    results = train(experiment, preflight, RunDirectory(tmp_path / "run"), command=["test"])
    assert results["AP50"] > 0.9
