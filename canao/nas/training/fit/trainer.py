"""transformers' Trainer with our schedule, our checkpoints and one loss for every task."""

from __future__ import annotations

import json
import logging
import random
import time
import warnings
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader
from transformers import Trainer, TrainerCallback, TrainingArguments

from canao.errors import DivergedError
from canao.nas.training.data.encode import Rows, Schedule
from canao.nas.training.fit.checkpoints import (
    Snapshot,
    last_checkpoint,
    read_model,
    read_optimizer,
    read_seconds,
    restore_random_state,
    write_checkpoint,
)

Progress = Callable[[str, int, int], None]
"""Called with what is under way, the steps done and the steps in all."""


@dataclass(frozen=True)
class Recipe:
    """How a model is trained."""

    batch_size: int = 16
    learning_rate: float = 5e-5
    """The highest rate; it rises over `warmup` of the steps and then falls to 0."""
    warmup: float = 0.06
    weight_decay: float = 0.01
    save_every: int = 50
    """Steps from one checkpoint to the next."""
    bf16: bool = False
    """Whether products are computed in bfloat16 while training; weights stay in float32."""

    def to_dict(self) -> dict[str, Any]:
        """The fields, as JSON has them."""
        return asdict(self)


@dataclass(frozen=True)
class TrainingCost:
    """What a training took and how it went."""

    seconds: float
    """Over all its parts, if it was stopped; what was lost when it was is left out."""
    losses: list[list[float]]
    """Pairs of a step and the mean loss of some ten steps before it."""


class ResumableTrainer(Trainer):
    """A Trainer over a fixed list of batches, which goes on exactly where it was stopped."""

    def __init__(
        self,
        model: Any,
        data: Rows,
        collate: Any,
        schedule: Schedule,
        recipe: Recipe,
        *,
        seed: int,
        directory: Path,
        progress: Progress | None = None,
        title: str = "training",
    ) -> None:
        self._schedule = schedule
        self._directory = directory
        self._seconds_before, self._begun = 0.0, 0.0
        arguments = TrainingArguments(
            output_dir=str(directory),
            max_steps=len(schedule),
            num_train_epochs=1,
            per_device_train_batch_size=recipe.batch_size,
            learning_rate=recipe.learning_rate,
            warmup_steps=round(recipe.warmup * len(schedule)),
            weight_decay=recipe.weight_decay,
            optim="adamw_torch_fused",
            save_strategy="steps",
            save_steps=recipe.save_every,
            logging_steps=10,
            logging_nan_inf_filter=False,
            report_to="none",
            disable_tqdm=True,
            seed=seed,
            remove_unused_columns=False,
            bf16=recipe.bf16,
            use_cpu=not torch.cuda.is_available(),
        )
        rows: Any = data
        super().__init__(model, arguments, train_dataset=rows, data_collator=collate)
        self.pop_callback(_printer())
        if progress:
            self.add_callback(_Told(progress, title))

    def get_train_dataloader(self) -> Any:
        loader = DataLoader(
            self.train_dataset,  # pyright: ignore[reportArgumentType]
            batch_sampler=self._schedule,
            collate_fn=self.data_collator,
        )
        return self.accelerator.prepare(loader)

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        loss = self.loss(model, inputs)
        if not torch.isfinite(loss):
            raise DivergedError(
                f"the loss is {loss.item()} at step {self.state.global_step}; "
                "lower the learning rate"
            )
        return (loss, None) if return_outputs else loss

    def loss(self, model: Any, inputs: dict[str, Any]) -> torch.Tensor:
        """The loss of a batch: cross-entropy, or for scores the squared error."""
        return model(**inputs).loss

    def resume_or_begin(self) -> TrainingCost:
        """Train to the end, from the last checkpoint if there is one."""
        last = last_checkpoint(self._directory)
        self._seconds_before = read_seconds(last) if last else 0.0
        self._begun = time.perf_counter()
        with _quiet():
            self.train(resume_from_checkpoint=last and str(last))
        logged = [entry for entry in self.state.log_history if "loss" in entry]
        losses = [[int(entry["step"]), float(entry["loss"])] for entry in logged]
        return TrainingCost(self._seconds(), losses)

    def _seconds(self) -> float:
        return self._seconds_before + time.perf_counter() - self._begun

    # What transformers writes with pickle and in place, checkpoints.py writes its own way.

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        del model, trial
        optimizer: Any = self.optimizer
        scheduler: Any = self.lr_scheduler
        write_checkpoint(
            self._directory,
            Snapshot(
                step=self.state.global_step,
                model=self._whole_model().state_dict(),
                optimizer=optimizer.state_dict(),
                scheduler=scheduler.state_dict(),
                trainer=json.dumps(asdict(self.state), default=str),
                seconds=self._seconds(),
            ),
        )

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        del model
        self._whole_model().load_state_dict(read_model(Path(resume_from_checkpoint)))

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            optimizer: Any = self.optimizer
            scheduler: Any = self.lr_scheduler
            states = read_optimizer(Path(checkpoint))
            optimizer.load_state_dict(states[0])
            scheduler.load_state_dict(states[1])

    def _load_rng_state(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            restore_random_state(Path(checkpoint))

    def _whole_model(self) -> Any:
        return self.accelerator.unwrap_model(self.model)


class _Told(TrainerCallback):
    """Tells how far training is."""

    def __init__(self, progress: Progress, title: str) -> None:
        self._progress = progress
        self._title = title

    def on_train_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        self._tell(state)

    def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        self._tell(state)

    def _tell(self, state: Any) -> None:
        self._progress(self._title, state.global_step, state.max_steps)


def _printer() -> Any:
    from transformers.trainer_callback import PrinterCallback

    return PrinterCallback


@contextmanager
def private_randomness(seed: int) -> Generator[None]:
    """Seeds all generators; afterwards they are as the caller had them."""
    python, numpy = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


@contextmanager
def _quiet() -> Generator[None]:
    """Without the warnings that are of no use to users."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def silence() -> None:
    """Keep transformers' progress bars and load reports off the screen."""
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    logging.getLogger("accelerate").setLevel(logging.ERROR)
