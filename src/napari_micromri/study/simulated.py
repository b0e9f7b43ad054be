"""Plan pairs whose LR scan is simulated, for those who have good scans only."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from napari_micromri.simulation.acquisition import check_settings
from napari_micromri.study.discovery import find_scans
from napari_micromri.study.pairing import sort_out, with_distinct_regions
from napari_micromri.study.plan import Plan, PlannedPair, Simulation

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable


def plan_simulated(
    paths: Iterable[str | os.PathLike[str]],
    simulation: Simulation | None = None,
    *,
    subject: str | None = None,
    region: str | None = None,
    plane: str | None = None,
) -> Plan:
    """Make a pair of every stack of slices at and below some paths, its LR scan simulated from it.

    Parameters
    ----------
    paths
        Files and folders of any readable format, also mixed.
    simulation
        The noise differs from pair to pair: each gets a seed that follows from this one and from what the pair is.
    subject, region, plane
        Of all scans, whatever they say; None takes what they say.

    Raises
    ------
    StudyError
        A path doesn't exist.
    InputError
        The simulation has a setting that makes no sense.
    """
    wanted = simulation or Simulation()
    check_settings(wanted.factor, wanted.snr, wanted.averages, wanted.seed)
    found, unreadable = find_scans(paths, subject=subject, region=region, plane=plane)
    usable, rejected = sort_out(found)
    pairs = with_distinct_regions(
        [
            PlannedPair(
                subject=f.subject,
                region=f.region,
                plane=f.plane,
                session=f.session,
                lr=wanted,
                hr=f.source,
                slice_count=f.scan.shape[0],
                notes=f.notes,
            )
            for f in usable
        ]
    )
    own_noise = [replace(pair, lr=wanted.for_pair((*pair.identity,))) for pair in pairs]
    return Plan(tuple(own_noise), (*unreadable, *rejected))
