"""What a diffusion model's training needs beyond a network's; part of `napari_micromri.training.config.TrainConfig`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from napari_micromri.nn.families.apddm.config import ApddmConfig, Parameterisation, options_for
from napari_micromri.nn.families.apddm.schedule import Parabola, WrittenSchedule, noise_levels

if TYPE_CHECKING:
    from napari_micromri.nn.families.unet.config import UNetConfig


_TAKES_STEPS: dict[str, Any] = {"only_with": ["apddm.parameterisation", ["residual", "paper"]]}


class ApddmSettings(BaseModel):
    """The path of an anchored path diffusion model (APDDM), and which points of it are learned from."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    parameterisation: Parameterisation = Field(
        default="residual",
        title="Network estimates",
        description="what the network estimates; residual: best; paper: the report's eq. 10, to reproduce it; "
        "simplified: one step, no time",
    )
    steps: int = Field(
        default=20, ge=1, le=1000, title="Steps of the path", description="steps T that the path is divided into"
    )
    beta: float = Field(
        default=0.6,
        ge=0,
        le=100,
        title="Noise at its end",
        description="noise at the end of the path, over the RMS of each slice's residual",
    )
    schedule: WrittenSchedule = Field(
        default=Parabola(),
        title="Noise schedule",
        examples=["parabola", "sine", "bridge", "constant"],
        description="noise that each step adds, f; or its values from start to end, as 0, 1, 0.5",
    )
    at_end: float = Field(
        default=0.5,
        ge=0,
        le=1,
        title="Samples at its end",
        description="part of the samples at t = T, which inference in one step uses alone",
        json_schema_extra=_TAKES_STEPS,
    )
    noiseless: float = Field(
        default=1.0,
        ge=0,
        le=1,
        title="…without noise",
        description="part of the samples at t = T that get no noise",
    )
    bank_size: int = Field(
        default=256,
        ge=0,
        le=100_000,
        title="Residual bank",
        description="residuals of training slices to draw noise from; 0: Gaussian noise",
    )
    exact: bool = Field(
        default=True,
        title="Sum all draws",
        description="sum the draws of all steps; else one scaled draw, which is quicker",
    )
    judged_steps: int = Field(
        default=1,
        ge=1,
        title="Validation steps",
        description="steps that validation takes",
        json_schema_extra=_TAKES_STEPS,
    )

    @model_validator(mode="after")
    def _can_be_judged(self) -> Self:
        most = 1 if self.parameterisation == "simplified" else self.steps
        if self.judged_steps > most:
            raise ValueError(f"validation takes {self.judged_steps} steps, but such a model takes at most {most}")
        blind = self.parameterisation == "paper" and noise_levels(self.schedule, self.steps)[-1] == 0
        if blind and self.judged_steps == 1:
            raise ValueError(
                "with 'paper' one step gives the fast scan back (eq. 10 multiplies the network by f(T) = 0); set "
                "judged_steps to 2 or more"
            )
        return self

    def model(self, network: UNetConfig) -> ApddmConfig:
        """Describe the model whose network has this shape, but for the inputs that the path asks for."""
        return ApddmConfig(
            unet=options_for(self.parameterisation, network),
            parameterisation=self.parameterisation,
            steps=self.steps,
            beta=self.beta,
            schedule=self.schedule,
        )
