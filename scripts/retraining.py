"""What an old command line of retrain.py does around the training: records before it, its two files after it."""

from pathlib import Path
from typing import Any

from collectors.progress import Progress
from scripts.classification_output import progress_of_phases, say_account
from scripts.options import native_lines_hidden
from scripts.output import say
from scripts.retrain_flags import Retraining


def build_records(retraining: Retraining, records_dir: Path) -> int:
    """Build the records of its folder of pictures; returns how many pictures were refused."""
    from records.picture_folder import FolderOptions, build_folder_records

    options = FolderOptions(eval_share=retraining.eval_share, split_by="name", name_prefix=retraining.name_prefix)
    writing: Progress
    with progress_of_phases("check", "write") as (checking, writing):
        report = build_folder_records(
            Path(retraining.image_dir), records_dir, options, progress=writing, check_progress=checking
        )
    say_account(report, noun="pictures")
    return report.num_refused


def write_files(retraining: Retraining, run: Any) -> None:
    """Write the frozen graph and its labels of the run's best checkpoint."""
    from pipelines.classification.retrained_graph import write_retrained_graph, write_retrained_labels
    from pipelines.evaluate import open_run, restore

    _, task, model = open_run(run)
    step = restore(model, run, "best")
    graph = retraining.output_graph or run.path / "retrained_graph.pb"
    labels = retraining.output_labels or run.path / "retrained_labels.txt"
    with native_lines_hidden():
        write_retrained_graph(model, graph, final_tensor_name=retraining.final_tensor_name)
    write_retrained_labels(task.class_names, labels)
    say(f"graph of step {step}: {graph}; its labels: {labels}")


def say_misclassified(run: Any) -> None:
    """List the verification pictures that the best checkpoint takes for something else."""
    from pipelines.classification.predictions_file import read_answers

    wrong = [answer for answer in read_answers(run.path) if not answer.is_right]
    say(f"misclassified verification pictures: {len(wrong)}")
    for answer in wrong:
        say(f"  {answer.picture}: {answer.found[0]} ({answer.scores[0]:.3f})")
