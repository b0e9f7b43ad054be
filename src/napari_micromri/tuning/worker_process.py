"""A worker as a process: ``python -m napari_micromri.tuning.worker_process``, or `run_worker` in any other."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from napari_micromri.errors import MicroMRIError, TrainingError
from napari_micromri.runs.presence import Presence
from napari_micromri.tuning.address import hide_password
from napari_micromri.tuning.storage import Tuning, open_tuning

if TYPE_CHECKING:
    from collections.abc import Sequence

GPU_VARIABLE = "CUDA_VISIBLE_DEVICES"


def take_gpu(place: int) -> None:
    """Let this process see one of the GPUs that it may use: workers take them in turn."""
    import torch

    count = torch.cuda.device_count()  # asks the driver without occupying a device
    if count > 1:
        visible = os.environ.get(GPU_VARIABLE)
        numbers = visible.split(",") if visible else [str(k) for k in range(count)]
        os.environ[GPU_VARIABLE] = numbers[place % count]


def run_worker(
    where: Path | str,
    *,
    name: str | None = None,
    tuning_name: str | None = None,
    study: Path | str | None = None,
    runs: Path | str | None = None,
    threads: int | None = None,
    timeout_minutes: float | None = None,
) -> str:
    """Work on a tuning in this process until its end; gives the sentence why it ended.

    Parameters
    ----------
    where
        Folder of the tuning, or URL of its storage.
    name
        Of this worker.
    tuning_name
        Which tuning, where a storage holds several.
    study, runs
        The data, and the folder for runs, on this machine; by default those of the tuning.

    Raises
    ------
    TrainingError, StudyError, InputError
        The tuning or its data can't be found here, or see `napari_micromri.tuning.worker.Worker.work`.
    """
    from napari_micromri.runs.record import stop_on_signals
    from napari_micromri.training.data import check_data
    from napari_micromri.tuning.objective import Workplace
    from napari_micromri.tuning.worker import Worker

    with open_tuning(where, tuning_name) as tuning, stop_on_signals() as should_stop:
        if runs is None and not tuning.folder.exists:
            raise TrainingError(
                f"This machine doesn't see the tuning's folder {tuning.folder.path}. "
                "Choose a folder for its runs with --runs."
            )
        workplace = Workplace(Path(study or tuning.config.study), Path(runs or tuning.folder.runs), threads)
        check_data(workplace.study)
        minutes = timeout_minutes or tuning.config.timeout_minutes
        worker = Worker(tuning, name or _own_name(tuning), workplace, should_stop, timeout_minutes=minutes)
        return worker.work()


def _own_name(tuning: Tuning) -> str:
    if tuning.folder.exists:
        return tuning.folder.new_worker()
    own = Presence.of(os.getpid())
    return f"{own.host}-{own.pid}-{int(own.created) % 100_000}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Work on the tuning that is named; 0 when it ended well, 2 when it failed."""
    from napari_micromri.runs.process import settle_in

    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("where")
    parser.add_argument("--name")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--place", type=int, default=0)
    options = parser.parse_args(arguments)
    settle_in()
    logging.basicConfig(format="%(asctime)s  %(message)s", datefmt="%Y-%m-%d %H:%M:%S", level=logging.WARNING)
    logging.getLogger("napari_micromri").setLevel(logging.INFO)
    if options.place:  # the first one takes the first GPU anyway
        take_gpu(options.place)
    try:
        why = run_worker(options.where, name=options.name, threads=options.threads)
        logging.getLogger("napari_micromri").info("%s", why)
    except MicroMRIError as error:
        logging.getLogger("napari_micromri").error("%s", hide_password(str(error)))
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
