"""``train``: from a recipe to a run folder."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from rnnedge.backend import use_backend
from rnnedge.recipes import Recipe
from rnnedge.training.callbacks import RestoreMetrics, ShowSteps, StepCheckpoint
from rnnedge.training.caption_problem import CaptionProblem
from rnnedge.training.checkpoint import Progress, restore_checkpoint, save_checkpoint
from rnnedge.training.clip_problem import ClipProblem
from rnnedge.training.fused_norm import fuse_normalisation
from rnnedge.training.image_problem import ImageProblem
from rnnedge.training.logs import TensorBoard, write_history
from rnnedge.training.optimizers import make_optimizer
from rnnedge.training.problem import Problem
from rnnedge.training.progress import ProgressBar
from rnnedge.training.result import TrainResult
from rnnedge.training.run_folder import CHECKPOINT, prepare_folder
from rnnedge.training.schedules import make_schedule
from rnnedge_device.errors import InputError
from rnnedge_device.files import atomic_path

use_backend()

import keras  # noqa: E402 - the backend is chosen first

PROBLEMS: dict[str, type[Problem]] = {
    "classify": ImageProblem,
    "clips": ClipProblem,
    "captions": CaptionProblem,
}


def train(
    recipe: Recipe,
    out: str | Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    strict: bool = False,
    bar: ProgressBar | None = None,
) -> TrainResult:
    """Train a recipe's model on the ``train`` split, keep the best on ``val``; ``test`` is never read.

    Writes into ``out``: ``recipe.toml`` (every value), ``model.keras`` (the best epoch, or with
    ``train.keep = "last"`` the last one; float32, without optimiser), ``checkpoint/last.npz``, ``history.csv``,
    ``tensorboard/`` and, when done, ``train.json``.

    Args:
        recipe: see :func:`rnnedge.recipes.load_recipe`.
        out: the run's folder, made if missing.
        resume: go on from the folder's checkpoint; the result is bit for bit that of an uninterrupted
            training (same machine, backend and versions).
        overwrite: replace a training that lies in ``out``.
        strict: stop at an image or video that cannot be decoded.
        bar: where to show progress; None shows nothing.

    Raises:
        InputError: bad data or recipe values, ``out`` in use, nothing to resume, another recipe than the
            checkpoint's, or a loss that is no longer finite.
    """
    out = Path(out)
    prepare_folder(out, recipe, resume=resume, overwrite=overwrite)
    problem = PROBLEMS[recipe.task](recipe, strict=strict)
    return _Run(recipe, out, problem, bar or ProgressBar(quiet=True)).go(resume)


class _Run:
    """One training: what stays fixed, and :class:`Progress`."""

    def __init__(self, recipe: Recipe, out: Path, problem: Problem, bar: ProgressBar) -> None:
        self.recipe, self.out, self.problem, self.bar = recipe, out, problem, bar
        self.steps = problem.steps
        self.model = self._compiled()
        self.progress = Progress()
        self.metrics: list[np.ndarray] = []
        self.seen = False

    def go(self, resume: bool) -> TrainResult:
        """Run the epochs that are left."""
        t = self.recipe.train
        if resume:
            self.progress, self.metrics = restore_checkpoint(self.out / CHECKPOINT, self.model)
            p = self.progress
            self.bar.say(f"resuming at epoch {p.epoch + 1}, batch {p.batch} of {self.steps}")
        else:
            self._save()
        board = TensorBoard(self.out / "tensorboard", self.progress.epoch * self.steps)
        try:
            with self.bar:
                while self.progress.epoch < t.epochs and not self.progress.stopped:
                    board.epoch(self._epoch())
        finally:
            board.close()
        return self._finish()

    def _compiled(self) -> keras.Model:
        t = self.recipe.train
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(t.precision)
        try:
            model = self.problem.model()
        finally:
            keras.config.set_dtype_policy(before)
        fuse_normalisation(model)
        schedule = make_schedule(
            t.schedule,
            t.learning_rate,
            steps=t.epochs * self.steps,
            warmup=round(t.warmup_epochs * self.steps),
            step_every=max(1, round(t.step_epochs * self.steps)),
            decay=t.decay,
        )
        slow, rate = self.problem.slow()
        model.compile(
            make_optimizer(
                t.optimizer,
                schedule,
                clip=t.clip,
                clip_at=t.clip_at,
                beta_2=t.beta_2,
                weight_decay=t.weight_decay,
                slow=slow,
                rate=rate,
            ),
            **self.problem.objective(),
        )
        model.optimizer.build(model.trainable_variables)
        return model

    def _epoch(self) -> dict[str, float]:
        """Train the running epoch to its end, score it, keep it if it is the best; returns its row."""
        p, t = self.progress, self.recipe.train
        epoch, begin, before = p.epoch, time.monotonic(), p.seconds
        self.bar.epoch(epoch + 1, t.epochs, self.steps, p.batch)

        def save(batch: int) -> None:
            p.batch, p.seconds = batch, before + time.monotonic() - begin
            self._save()

        callbacks: list[keras.callbacks.Callback] = [
            ShowSteps(self.bar),
            StepCheckpoint(save, t.checkpoint_steps, p.batch, self.steps),
        ]
        batches = self.problem.batches(epoch, p.batch)
        if not self.seen and (p.batch or keras.backend.backend() != "tensorflow"):
            # Keras makes the metrics' variables with the first batch it sees; this one changes no weight. Metrics are
            # restored into them; and on JAX that batch, left to ``fit``, would be missing at the epoch's beginning.
            self.model.test_on_batch(*batches[0])
        self.seen = True
        if p.batch:
            callbacks.append(RestoreMetrics(self.metrics))
        # shuffle=True would reorder the batches by a random state that a resumed training does not know.
        logs = self.model.fit(
            batches,
            initial_epoch=epoch,
            epochs=epoch + 1,
            shuffle=False,
            verbose=0,
            callbacks=callbacks,
            class_weight=self.problem.class_weight(),
        ).history
        row: dict[str, float] = {"epoch": epoch + 1, "step": (epoch + 1) * self.steps}
        row |= {"loss": float(logs["loss"][-1]), "accuracy": float(logs["accuracy"][-1])}
        if not np.isfinite(row["loss"]):
            raise InputError(
                f"the loss is {row['loss']} after epoch {epoch + 1}: "
                f"lower train.learning_rate ({t.learning_rate}) "
                f"or clip gradients (train.clip={t.clip!r}, train.clip_at={t.clip_at})"
            )
        self.problem.keep(self.model)
        row["val_loss"], row["val_accuracy"] = self.problem.score()
        row["learning_rate"] = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        p.seconds = before + time.monotonic() - begin
        row["seconds"] = round(p.seconds - sum(r["seconds"] for r in p.history), 3)
        self._close_epoch(row)
        return row

    def _close_epoch(self, row: dict[str, float]) -> None:
        """Count the epoch as done. The model is written first: a stop in between repeats the epoch."""
        p, t = self.progress, self.recipe.train
        better = not p.best or (row["val_accuracy"], -row["val_loss"]) > (
            p.best["val_accuracy"],
            -p.best["val_loss"],
        )
        p.history.append(row)
        p.epoch, p.batch = p.epoch + 1, 0
        p.stale = 0 if better else p.stale + 1
        p.stopped = bool(t.patience) and p.stale >= t.patience
        if better:
            p.best = row
        if better or t.keep == "last":
            with atomic_path(self.out / "model.keras") as temporary:
                self.problem.kept.save(temporary)
        write_history(self.out / "history.csv", p.history)
        self._save()
        self.bar.report(row, t.epochs)

    def _save(self) -> None:
        save_checkpoint(self.out / CHECKPOINT, self.model, self.progress)

    def _finish(self) -> TrainResult:
        p, problem = self.progress, self.problem
        kept = p.history[-1] if self.recipe.train.keep == "last" else p.best
        result = TrainResult(
            recipe=self.recipe.name,
            data=self.recipe.data.name,
            val_accuracy=kept["val_accuracy"],
            val_loss=kept["val_loss"],
            best_epoch=int(kept["epoch"]),
            epochs=p.epoch,
            steps=p.epoch * self.steps,
            seconds=round(p.seconds, 2),
            images=problem.counts,
            skipped=problem.skipped,
            labels=problem.names,
            parameters=int(problem.kept.count_params()),
            backend=keras.backend.backend(),
            stopped=p.stopped,
        )
        result.save(self.out / "train.json")
        return result
