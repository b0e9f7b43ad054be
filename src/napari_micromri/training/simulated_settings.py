"""How training makes fast scans from good ones; part of `napari_micromri.training.config.TrainConfig`."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class SimulatedSettings(BaseModel):
    """The fast scan that is made of a good one, with other noise at every draw (``pairs=simulated``)."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    factor: int = Field(default=2, ge=1, le=16, description="good pixels for each fast one, along both axes")
    snr_low: float = Field(default=4.0, gt=0, le=1e6, description="lowest SNR of one average (mean signal over sigma)")
    snr_high: float = Field(
        default=200.0, gt=0, le=1e6, description="highest SNR of one average; drawn evenly on a logarithmic scale"
    )
    averages: int = Field(default=1, ge=1, le=1000, description="averages of the fast scan")
    filtered: float = Field(
        default=0.3,
        ge=0,
        le=1,
        description="part of the fast scans with the noise of a filtered, zero-filled or interpolated reconstruction",
    )
    own_noise: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="part of the good scans that get some noise of their own, as real ones have",
    )
    own_snr_low: float = Field(default=20.0, gt=0, le=1e6, description="lowest SNR of a good scan with such noise")
    own_snr_high: float = Field(default=100.0, gt=0, le=1e6, description="highest SNR of a good scan with such noise")
    gamma: float = Field(
        default=0.4, ge=0, le=1, description="part of the slices whose contrast is changed by a power of 0.6 to 1.7"
    )
    shading: float = Field(default=0.3, ge=0, le=1, description="part of the slices that are shaded as by a coil")
    resampled: float = Field(
        default=0.4, ge=0, le=1, description="part of the slices that are brought to a coarser grid: sharper, cleaner"
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        for low, high in (("snr_low", "snr_high"), ("own_snr_low", "own_snr_high")):
            if getattr(self, low) > getattr(self, high):
                raise ValueError(f"{low} is above {high}")
        return self
