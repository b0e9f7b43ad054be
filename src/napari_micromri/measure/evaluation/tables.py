"""From rows of slices to figures with intervals; pure functions.

The unit is the subject, since slices of one animal aren't independent observations: first the mean over a subject's
slices, then mean and interval over subjects. Intervals are Student's, which with three to five subjects are wide, as
they should be; resampling (bootstrap) of so few would make them too narrow. A figure that a slice leaves undefined
(NaN) is passed over.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean, stdev
from typing import TYPE_CHECKING, TypeVar

from napari_micromri.measure.evaluation.rows import BASELINES
from napari_micromri.measure.metrics import METRICS
from napari_micromri.study.naming import natural_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from napari_micromri.measure.evaluation.rows import SliceRow
from napari_micromri.measure.metrics import Metric

CONFIDENCE = 0.95
FEW_SUBJECTS = 6
"""Below it a report says that there are few."""

NAN = math.nan
Key = TypeVar("Key")


@dataclass(frozen=True)
class Estimate:
    """Mean over subjects with its 95 % interval, which is NaN for a single subject; both NaN without any."""

    mean: float
    low: float
    high: float
    subjects: int
    slices: int


@dataclass(frozen=True)
class Group:
    """Means over the slices of one part of the study, e.g. one subject, plane and region."""

    names: tuple[str, ...]
    slices: int
    means: Mapping[str, Mapping[str, float]]
    """Method -> metric -> mean."""


@dataclass(frozen=True)
class Difference:
    """One method minus another on the same slices, and in how many subjects the first is better."""

    first: str
    second: str
    metric: str
    estimate: Estimate
    better_subjects: int


def estimate(by_subject: Mapping[str, Sequence[float]]) -> Estimate:
    """Estimate a mean from values per subject."""
    known = {subject: [v for v in values if not math.isnan(v)] for subject, values in by_subject.items()}
    means = [fmean(values) for values in known.values() if values]
    count = sum(len(values) for values in known.values())
    if not means:
        return Estimate(NAN, NAN, NAN, 0, 0)
    mean, half = fmean(means), _half_interval(means)
    return Estimate(mean, mean - half, mean + half, len(means), count)


def overall(rows: Iterable[SliceRow]) -> dict[str, dict[str, Estimate]]:
    """Estimate every metric of every method: method -> metric -> estimate."""
    return {
        method: {metric.name: estimate(_by_subject(mine, _value(metric))) for metric in METRICS}
        for method, mine in _grouped(rows, lambda row: row.method).items()
    }


def by_part(rows: Iterable[SliceRow], parts: Sequence[str]) -> list[Group]:
    """Average over the slices of each part, e.g. of ``("subject", "plane", "region")``, in order of the names."""
    groups = _grouped(rows, lambda row: tuple(str(getattr(row, part)) for part in parts))
    return [
        Group(names, len({row.slice_key for row in mine}), _means(mine))
        for names, mine in sorted(groups.items(), key=lambda item: [natural_key(name) for name in item[0]])
    ]


def over_subjects(rows: Iterable[SliceRow], part: str) -> dict[str, dict[str, dict[str, Estimate]]]:
    """Estimate within each plane, or each region: part -> method -> metric -> estimate."""
    groups = _grouped(rows, lambda row: str(getattr(row, part)))
    return {name: overall(mine) for name, mine in sorted(groups.items())}


def differences(rows: Sequence[SliceRow], methods: Sequence[str]) -> list[Difference]:
    """Compare each model with the baselines, and the models with each other, slice by slice."""
    models = [method for method in methods if method not in BASELINES]
    pairs = [(model, baseline) for model in models for baseline in BASELINES]
    pairs += [(later, earlier) for earlier, later in combinations(models, 2)]
    by_slice: dict[str, dict[tuple[str, int], SliceRow]] = defaultdict(dict)
    for row in rows:
        by_slice[row.method][row.slice_key] = row
    return [_difference(by_slice, first, second, metric) for first, second in pairs for metric in METRICS]


def errors_within(rows: Iterable[SliceRow]) -> dict[str, Estimate]:
    """Estimate which part of a model's errors lies within the width that it states: method -> estimate."""
    stated = [row for row in rows if row.within]
    return {
        method: estimate(_by_subject(mine, lambda row: row.errors_within))
        for method, mine in _grouped(stated, lambda row: row.method).items()
    }


def within_curves(rows: Iterable[SliceRow]) -> dict[str, list[float]]:
    """Average the parts within multiples of the stated width over slices and then subjects: method -> values."""
    stated = [row for row in rows if row.within]
    return {method: _mean_curve(mine, "within") for method, mine in _grouped(stated, lambda row: row.method).items()}


def mean_curves(rows: Iterable[SliceRow]) -> dict[str, dict[str, list[float]]]:
    """Average spectra over slices and then subjects: method -> ``power`` and ``ring`` -> values."""
    return {
        method: {"power": _mean_curve(mine, "power_curve"), "ring": _mean_curve(mine, "ring_curve")}
        for method, mine in _grouped(rows, lambda row: row.method).items()
    }


def subject_means(rows: Iterable[SliceRow], metric: Metric) -> dict[str, dict[str, float]]:
    """Average over slices: method -> subject -> mean."""
    return {
        method: {subject: _mean(values) for subject, values in sorted(_by_subject(mine, _value(metric)).items())}
        for method, mine in _grouped(rows, lambda row: row.method).items()
    }


def few_subjects(count: int) -> tuple[str, ...]:
    """Say what few subjects mean for the figures; nothing when they are enough."""
    if count == 1:
        return ("There is only one subject, so the variation between animals is unknown: no interval can be given.",)
    if count < FEW_SUBJECTS:
        return (f"There are only {count} subjects: the intervals are wide, and assume normally distributed figures.",)
    return ()


def _difference(
    by_slice: Mapping[str, Mapping[tuple[str, int], SliceRow]], first: str, second: str, metric: Metric
) -> Difference:
    values: dict[str, list[float]] = defaultdict(list)
    sides: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for slice_key, row in by_slice[first].items():
        other = by_slice[second].get(slice_key)
        if other is None:
            continue
        a, b = getattr(row, metric.name), getattr(other, metric.name)
        if math.isfinite(a) and math.isfinite(b):
            values[row.subject].append(a - b)
            sides[row.subject].append((a, b))
    wins = sum(metric.is_better(fmean(a for a, _ in both), fmean(b for _, b in both)) for both in sides.values())
    return Difference(first, second, metric.name, estimate(values), wins)


def _half_interval(means: Sequence[float]) -> float:
    from scipy.special import stdtrit

    count = len(means)
    if count < 2 or not all(map(math.isfinite, means)):
        return NAN
    quantile = float(stdtrit(count - 1, (1 + CONFIDENCE) / 2))
    return quantile * stdev(means) / math.sqrt(count)


def _means(rows: Sequence[SliceRow]) -> dict[str, dict[str, float]]:
    return {
        method: {metric.name: _mean([getattr(row, metric.name) for row in mine]) for metric in METRICS}
        for method, mine in _grouped(rows, lambda row: row.method).items()
    }


def _mean(values: Iterable[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return fmean(known) if known else NAN


def _mean_curve(rows: Sequence[SliceRow], name: str) -> list[float]:
    length = max(len(getattr(row, name)) for row in rows)
    points = range(length)
    return [estimate(_by_subject(rows, lambda row, k=k: getattr(row, name)[k])).mean for k in points]  # type: ignore[misc]


def _value(metric: Metric) -> Callable[[SliceRow], float]:
    return lambda row: float(getattr(row, metric.name))


def _by_subject(rows: Iterable[SliceRow], value: Callable[[SliceRow], float]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        found[row.subject].append(value(row))
    return found


def _grouped(rows: Iterable[SliceRow], key: Callable[[SliceRow], Key]) -> dict[Key, list[SliceRow]]:
    found: dict[Key, list[SliceRow]] = defaultdict(list)
    for row in rows:
        found[key(row)].append(row)
    return dict(found)
