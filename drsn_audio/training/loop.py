"""The training loop."""

from __future__ import annotations

import dataclasses
import json
import logging
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NoReturn

import torch
from accelerate.utils import set_seed
from torch import Tensor

from drsn_audio.config import ExperimentConfig, config_to_dict
from drsn_audio.datasets.batch import Batch
from drsn_audio.datasets.manifests import AudioStore
from drsn_audio.errors import InputError
from drsn_audio.evaluation.provenance import provenance
from drsn_audio.files import write_whole
from drsn_audio.models.checkpoint import save_checkpoint
from drsn_audio.models.model import AudioModel, count_multiply_adds, count_parameters
from drsn_audio.processes import Processes
from drsn_audio.training.denoising import DenoisingTask
from drsn_audio.training.folder import RunFolder
from drsn_audio.training.joint import JointTask
from drsn_audio.training.keyword import KeywordTask
from drsn_audio.training.learner import Learner
from drsn_audio.training.pictures import draw_pictures
from drsn_audio.training.processes import seed_step, start_processes
from drsn_audio.training.resume import CheckpointClock, Position, newest_position, remove_positions, save_position
from drsn_audio.training.settings import check_settings, fix_algorithms
from drsn_audio.training.shares import Share, Shares, make_loader
from drsn_audio.training.start import start_from
from drsn_audio.training.stopping import LossGuard, Signals, Stopped
from drsn_audio.training.task import Task
from drsn_audio.training.totals import Totals
from drsn_audio.training.transcription import TranscriptionTask, with_labels
from drsn_audio.training.watch import Watch

log = logging.getLogger("drsn_audio")

TASKS: dict[str, Callable[[ExperimentConfig, AudioModel, AudioStore], Task]] = {
    "keyword": KeywordTask,
    "ctc": TranscriptionTask,
    "denoise": DenoisingTask,
    "joint": JointTask,
}
CACHE_BYTES = 4 << 30  # of decoded audio; each loader process keeps a store of its own


def train(config: ExperimentConfig) -> Path:
    """Train on config.data, keep the best and the last checkpoint in the run folder. Returns the best one's path.

    To be called in each of the processes that `accelerate launch` has started, or in the one there is.

    Raises:
        ConfigError, ManifestError, AudioError: what the config names cannot be used.
        InputError: the run folder is in use, or holds a stopped training; or the loss is not fit to be learnt from.
        Stopped: by a signal, once a checkpoint is written.
    """
    check_settings(config.train)
    config = with_labels(config)
    if config.train.threads:
        torch.set_num_threads(config.train.threads)
    fix_algorithms(config.train)
    set_seed(config.seed)
    accelerator = start_processes(config.train)
    model = AudioModel(config.model)
    if config.init:
        start_from(model, config.init)
    store = AudioStore(config.model.frontend.sample_rate, CACHE_BYTES // max(1, config.train.workers))
    task = TASKS[config.model.head](config, model, store)
    sizes = {"parameters": count_parameters(model), "multiply_adds": count_multiply_adds(model)}
    total_steps = min(task.plan.steps(config.train.epochs), config.train.max_steps or 2**62)
    best = Path(config.run) / "best.json"
    with RunFolder(config, accelerator, sizes, total_steps) as folder:
        earlier = folder.earlier()
        if earlier.get("status") == "finished":
            log.info("%s: its training has ended: nothing is left to do", folder.path)
            return best
        learner, position = Learner(model, config.train, total_steps, accelerator, task.carried), Position()
        if earlier.get("trained"):  # it was stopped in what follows the last epoch
            position = folder.end_of(earlier)
        elif config.resume and (found := newest_position(folder.path)):
            position, *packed = found
            learner.unpack(*packed)
            log.info("%s: goes on after step %d of %d", folder.path, position.step, total_steps)
        accelerator.wait_for_everyone()  # until all have read what the first one is about to write
        folder.begin(earlier, position)
        info = {"seed": config.seed, **sizes, "metrics": {}, "init": config.init, "data": config_to_dict(config.data)}
        if not folder.facts["trained"]:
            Training(config, task, learner, folder, position, {**info, **provenance()}).run()
            folder.facts["trained"] = True
            folder.note(position)
        if accelerator.is_main_process:
            task.finish(best)
            folder.note(position, "finished")
            remove_positions(folder.path)
    return best


class Training:
    """The loop, and what is to be known in it."""

    def __init__(
        self,
        config: ExperimentConfig,
        task: Task,
        learner: Learner,
        folder: RunFolder,
        position: Position,
        info: dict[str, Any],
    ):
        self.config, self.task, self.learner, self.folder = config, task, learner, folder
        self.position, self.info, self.total_steps = position, info, folder.facts["total_steps"]
        self.accelerator, self.device = learner.accelerator, learner.accelerator.device
        self.processes = Processes(self.accelerator.process_index, self.accelerator.num_processes)
        self.shares = Shares(task.plan, self.processes.rank, self.processes.count, config.train.accumulate)
        self.loader = make_loader(task.dataset, self.shares, config.train.workers, self.device)
        self.guard = LossGuard(config.train.explosion, position.losses)
        self.signals, self.clock = Signals(), CheckpointClock(config.train)
        self.watch: Watch | None = None  # of the main process

    def run(self) -> None:
        """All epochs that are left."""
        where = self.position
        title = f"{self.config.model.shrinkage} {self.info['parameters']:,} parameters"
        with ExitStack() as stack:
            stack.enter_context(self.signals)
            if self.accelerator.is_main_process:
                logs = Watch(self.folder.path, self.total_steps, title, step=where.step, state=where.watch)
                self.watch = stack.enter_context(logs)
            while where.epoch < self.config.train.epochs and (where.step < self.total_steps or where.batch):
                self.epoch()
                where.epoch, where.batch = where.epoch + 1, 0

    def epoch(self) -> None:
        """Learn from what is left of it, and score it."""
        where, started = self.position, time.perf_counter()
        self.shares.epoch, self.shares.begin = where.epoch, where.batch
        self.learner.model.train()
        batches = iter(self.loader)
        for shares in self.shares.steps():
            if where.step == self.total_steps:
                break
            self.step(shares, batches)
        self.score(time.perf_counter() - started)

    def step(self, shares: list[Share], batches: Iterator[Batch]) -> None:
        """Learn from one batch: each process from its shares, one after the other, then all from the sums."""
        where, learner = self.position, self.learner
        learner.optimizer.zero_grad()
        totals = Totals(self.device)
        totals.add("signal", self.signals.number)
        totals.add("due", self.accelerator.is_main_process and self.clock.due(where.step + 1))
        heard = []
        for piece, share in enumerate(shares):
            batch = next(batches).to(self.device)
            seed_step(self.config.seed, where.step, self.shares.rank * self.shares.pieces + piece, self.device)
            if self.task.carried is not None:
                self.task.carried.turn_to(piece, share.batch_rows)
            losses = self.task.losses(learner.model, batch, self.accelerator, where.step)
            loss = torch.stack(list(losses.named.values())).sum()
            weight = losses.over * (share.counts / share.batch_rows)
            self.accelerator.backward(loss * weight)
            totals.add_share(losses.named, weight, batch, share.counts)
            heard.append((loss.detach(), batch.ids))
        found = totals.over_processes(learner.add_up)
        named = {name: value / found["weight"] for name, value in found.items() if name in losses.named}
        if fault := self.guard.fault(sum(named.values())):
            self.refuse(fault, named, heard)
        norm = learner.step(found["weight"])
        where.step, where.batch = where.step + 1, where.batch + 1
        if self.watch:
            seen = {"rows": round(found["rows"]), "sound_s": round(found["sound_s"], 3)}
            self.watch.step(where.step, named, learning_rate=learner.learning_rate, norm=norm, **seen)  # type: ignore[arg-type]
        if found["due"] or found["signal"]:
            self.checkpoint()
        if found["signal"]:
            self.stop()

    def score(self, seconds: float) -> None:
        """On the development set; `seconds` are what training the epoch took."""
        where, epoch = self.position, self.position.epoch + 1
        score = self.task.score(self.learner.averaged, self.processes)
        names = ["last"]
        if where.best is None or score.better > where.best.better:
            where.best = score
            names.append("best")
        if self.watch is None:
            return
        self.info["metrics"] = {**score.figures, "epoch": epoch}
        for name in names:
            save_checkpoint(self.folder.path, name, self.learner.averaged, step=where.step, info=self.info)
        self.watch.epoch(where.step, epoch, score, where.best, seconds)
        every = self.config.train.picture_epochs
        if every and (epoch % every == 0 or epoch == self.config.train.epochs or where.step == self.total_steps):
            self.watch.pictures(where.step, draw_pictures(self.task, self.learner.averaged))
        self.folder.note(where)

    def checkpoint(self) -> None:
        """Write down all that the training goes on from."""
        where = self.position
        with self.clock.timed():
            tensors, facts = self.learner.pack()
            if self.watch:
                where.losses, where.watch = list(self.guard.losses), self.watch.state()
                now = dataclasses.replace(where, seconds=self.folder.seconds(where))
                save_position(self.folder.path, now, tensors, facts, self.config.train.checkpoints)
        where.checkpoint_seconds += self.clock.last_s
        self.folder.note(where)

    def refuse(self, fault: str, losses: dict[str, float], heard: Sequence[tuple[Tensor, Sequence[str]]]) -> NoReturn:
        """The loss is not fit to be learnt from: the weights stay what they were, and what was heard is noted."""
        where, path = self.position, self.folder.path / "stopped.json"
        unfit = [ids for loss, ids in heard if not torch.isfinite(loss)] or [ids for _, ids in heard]
        ids = [id for of_process in self.processes.gather(unfit) for each in of_process for id in each]
        if self.accelerator.is_main_process:
            facts = {"step": where.step, "losses": {name: str(value) for name, value in losses.items()}}
            write_whole(path, (json.dumps({**facts, "utterances": ids}, indent=2) + "\n").encode())
        self.folder.note(where, "failed", f"step {where.step}: {fault}")
        raise InputError(
            f"step {where.step}: {fault}: {path} names the utterances of its batch: look at them, or lower "
            "train.learning_rate"
        )

    def stop(self) -> NoReturn:
        number = self.signals.number or signal.SIGTERM
        reason = f"stopped by {signal.Signals(number).name} after step {self.position.step} of {self.total_steps}"
        self.folder.note(self.position, "stopped", reason)
        raise Stopped(f"{self.folder.path}: {reason}; resume=true goes on from there", number)
