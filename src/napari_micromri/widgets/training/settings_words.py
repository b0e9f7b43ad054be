"""How the settings of a training are called and explained in the dock, where their own names are too technical."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_micromri.nn.families import FAMILIES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo


def _family_fields() -> Iterator[tuple[str, FieldInfo]]:
    """Give the settings that kinds of models bring: those of their networks, and those under their own names."""
    for family in FAMILIES.values():
        for part, model in (("network", family.network), (family.kind, family.settings)):
            if model is not None:
                yield from ((f"{part}.{name}", field) for name, field in model.model_fields.items())


FAMILY_FIELDS = dict(_family_fields())


def _extra(name: str) -> dict[str, Any]:
    """Give what the fields say under this name in their ``json_schema_extra``; see `NetworkConfig`."""
    extras = ((key, field.json_schema_extra) for key, field in FAMILY_FIELDS.items())
    return {key: extra[name] for key, extra in extras if isinstance(extra, dict) and name in extra}


FRONT = ("epochs", "batch_size", "learning_rate", "loss", "alpha")
"""Always in view; ``alpha`` only with the loss that has it."""

GROUPS: dict[str, tuple[str, ...]] = {
    "Name and seed": ("name", "seed"),
    "Network": ("network.", "upsampling", "normalisation."),
    **{family.title: (f"{kind}.",) for kind, family in FAMILIES.items() if family.settings is not None},
    "Slices": ("draws", "balance", "crop", "cuts", "flips", "transpose", "scaling"),
    "Simulated fast scans": ("pairs", "simulated."),
    "Learning": ("optimizer", "weight_decay", "momentum", "clip", "ema"),
    "Learning rate": ("scheduler", "decay", "decay_epochs", "plateau_patience", "warmup_epochs", "final_rate"),
    "Best epoch and end": ("monitor", "patience", "least_epochs", "minutes"),
    "Computer": (
        "device",
        "precision",
        "devices",
        "nodes",
        "threads",
        "workers",
        "cache_megabytes",
        "checkpoint_minutes",
    ),
}
"""The folded settings; a name that ends in a dot stands for all settings of that part. What is in none comes last."""

OTHERS = "Others"

BROUGHT: dict[str, tuple[str, ...]] = {
    kind: ("network.", "upsampling", "normalisation.", *(f"{kind}.{name}" for name in family.keeps))
    for kind, family in FAMILIES.items()
}
"""What a model that training starts from brings along, by its kind."""

LEFT_OUT = ("kind", "init_from", *(key for key, field in FAMILY_FIELDS.items() if not field.description))
"""Chosen elsewhere in the dock, or what follows from other settings."""

ONLY_WITH: dict[str, tuple[str, tuple[str, ...]]] = {
    "alpha": ("loss", ("hybrid",)),
    **{
        f"simulated.{name}": ("pairs", ("simulated",))
        for name in (
            "factor",
            "snr_low",
            "snr_high",
            "averages",
            "filtered",
            "own_noise",
            "own_snr_low",
            "own_snr_high",
            "gamma",
            "shading",
            "resampled",
        )
    },
    "momentum": ("optimizer", ("sgd", "rmsprop")),
    "decay": ("scheduler", ("exponential", "step", "plateau")),
    "decay_epochs": ("scheduler", ("step",)),
    "plateau_patience": ("scheduler", ("plateau",)),
    "warmup_epochs": ("scheduler", ("cosine",)),
    "final_rate": ("scheduler", ("cosine",)),
    **{key: (other, tuple(values)) for key, (other, values) in _extra("only_with").items()},
}
"""Settings that only count with certain values of another one, and are hidden otherwise."""

LABELS = {
    **{key: field.title for key, field in FAMILY_FIELDS.items() if field.title},
    "seed": "Seed",
    "pairs": "Fast scans",
    "simulated.factor": "Factor",
    "simulated.snr_low": "Lowest SNR",
    "simulated.snr_high": "Highest SNR",
    "simulated.averages": "Averages",
    "simulated.filtered": "Filtered scans",
    "simulated.own_noise": "Noise in good scans",
    "simulated.own_snr_low": "…lowest SNR",
    "simulated.own_snr_high": "…highest SNR",
    "simulated.gamma": "Contrast changes",
    "simulated.shading": "Coil shading",
    "simulated.resampled": "Coarser grids",
    "draws": "Slices per epoch",
    "balance": "Draw evenly",
    "cuts": "Squares per slice",
    "minutes": "Stop after",
    "crop": "Random crop",
    "scaling": "Random brightness",
    "transpose": "Swap rows, columns",
    "flips": "Random flips",
    "alpha": "Weight of the MSE",
    "clip": "Gradient limit",
    "ema": "Average of weights",
    "decay": "Decay factor",
    "plateau_patience": "Plateau patience",
    "warmup_epochs": "Warm-up epochs",
    "monitor": "Best epoch by",
    "patience": "Stop early after",
    "devices": "Processes",
    "nodes": "Computers",
    "threads": "CPU threads",
    "workers": "Loading threads",
    "cache_megabytes": "Slices in memory",
    "checkpoint_minutes": "Save every",
    "upsampling": "Input to HR grid",
    "normalisation.kind": "Normalise slices by",
}

ABOUT = {
    "epochs": "How often the network sees every training slice. Training ends earlier when nothing improves.",
    "batch_size": "Slices that the network learns from at once. More of them need more memory; with fewer, each "
    "step is quicker and noisier.",
    "learning_rate": "How large the steps are. If the loss jumps or grows, take a third; if it falls too slowly, three "
    "times as much.",
    "loss": "What training minimises. mse: squared error, good for PSNR; mae: absolute error, cares less for outliers; "
    "hybrid: squared error and structure (SSIM) together.",
    "crop": "Train on random squares with sides of so many HR pixels, which is faster. none: whole slices.",
    "monitor": "The validation figure that decides which epoch is the best; its weights become the model.",
    "patience": "Stop after so many epochs without improvement; none: never stop early.",
    "pairs": "study: learn from the fast scans of the study. simulated: make a fast scan of each good one, with other "
    "noise at every draw. Good scans alone are then enough.",
}

UNITS: dict[str, tuple[str, ...]] = {
    "crop": ("HR pixels",),
    "cache_megabytes": ("megabytes",),
    "checkpoint_minutes": ("minutes",),
    "patience": ("epochs",),
    "minutes": ("minutes of learning",),
}

CHOICES = {
    "device": ("auto", "cpu", "cuda", "mps"),
    **{key: tuple(map(str, field.examples)) for key, field in FAMILY_FIELDS.items() if field.examples},
}
"""Values that are offered for settings that also take others."""
