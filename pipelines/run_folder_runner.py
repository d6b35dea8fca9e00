"""TFM's runner on a run folder."""

from pathlib import Path
from typing import Any

import tensorflow as tf
from official.core import actions, train_lib, train_utils

from pipelines.averaging import AveragingTrainer
from pipelines.best_checkpoint import NetworkExporter
from pipelines.board_summaries import BoardSummaries
from pipelines.run_directory import RunDirectory


class RunFolderRunner(train_lib.OrbitExperimentRunner):
    """TFM's runner with checkpoints where the run folder has them, and curves under the OD API's names."""

    def _build_trainer(self, task: Any, train: bool, evaluate: bool) -> Any:
        exporter = self._build_best_checkpoint_exporter()
        with self.strategy.scope():
            return train_utils.create_trainer(self.params, task, train, evaluate, exporter, AveragingTrainer)

    def _build_best_checkpoint_exporter(self) -> NetworkExporter | None:
        trainer = self.params.trainer
        if not trainer.best_checkpoint_export_subdir:
            return None
        folder = str(Path(self.model_dir) / trainer.best_checkpoint_export_subdir)
        return NetworkExporter(folder, trainer.best_checkpoint_eval_metric, trainer.best_checkpoint_metric_comp)

    def _maybe_build_checkpoint_manager(self) -> tf.train.CheckpointManager:
        return tf.train.CheckpointManager(
            self.trainer.checkpoint,
            directory=str(RunDirectory(Path(self.model_dir)).last_checkpoints),
            max_to_keep=self.params.trainer.max_to_keep,
            step_counter=self.trainer.global_step,
            checkpoint_interval=self.params.trainer.checkpoint_interval,
            init_fn=self.trainer.initialize,
        )

    def _build_controller(self, *arguments: Any, save_summary: bool = True, **more: Any) -> Any:
        if save_summary:
            run, step = RunDirectory(Path(self.model_dir)), self.trainer.global_step
            self._summary_manager = BoardSummaries(run.training_events, step, training=True)
            self._eval_summary_manager = BoardSummaries(run.validation_events, step, training=False)
        controller = super()._build_controller(*arguments, save_summary=save_summary, **more)
        # Averaged weights are in every checkpoint; TFM would save them a second time after each evaluation.
        kept = (action for action in controller.eval_actions if not isinstance(action, actions.EMACheckpointing))
        controller.eval_actions = tuple(kept)
        return controller
