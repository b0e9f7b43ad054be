"""What an anchored path diffusion model is, apart from its weights; without torch, as configurations need it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from napari_micromri.nn.families.apddm.schedule import Parabola, Schedule, accumulated
from napari_micromri.nn.families.unet.config import UNetConfig

if TYPE_CHECKING:
    from napari_micromri.nn.families.apddm.path import AnchoredPath

Parameterisation = Literal["residual", "paper", "simplified"]


class ApddmConfig(BaseModel):
    """What an anchored path diffusion model is, but for its weights.

    Parameters
    ----------
    parameterisation
        - ``residual``: ``x_0 = x_T* + w(t) (x_t - x_T*) + c(t) r(x_T*, x_t - x_T*, t/T)``; see
          `napari_micromri.nn.families.apddm.network.known_part`. At t = T
          this is ``x_T* + r``, a plain residual UNet, so that a trained one is where it starts from.
        - ``paper`` (eq. 10): ``x_0 = x_t - f(t) r(x_t, t/T)``. Where f(T) is 0, as with the report's parabola, the
          network is multiplied away just where inference starts: one step gives the fast scan back. Kept to reproduce
          the report.
        - ``simplified`` (section 6.4): a plain UNet on x_T, which is told no time and takes one step.
    steps
        T, the number of steps of the path.
    beta
        Standard deviation of the noise at the end of the path, in units of the RMS of the slice's own residual.
    schedule
        f.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    unet: UNetConfig
    parameterisation: Parameterisation = "residual"
    steps: int = Field(default=20, ge=1, le=1000)
    beta: float = Field(default=0.6, ge=0, le=100)
    schedule: Schedule = Parabola()

    @model_validator(mode="after")
    def _fits(self) -> ApddmConfig:
        if self.unet != options_for(self.parameterisation, self.unet):
            raise ValueError("the network's options don't fit the parameterisation")
        if self.beta > 0 and accumulated(self.schedule, self.steps)[-1] == 0:
            raise ValueError("the schedule adds no noise at any step")
        return self

    @property
    def path(self) -> AnchoredPath:
        """The path that the model walks, in units of the RMS of the residual."""
        from napari_micromri.nn.families.apddm.path import AnchoredPath

        return AnchoredPath(self.steps, self.beta, self.schedule)

    @property
    def most_steps(self) -> int:
        """How many steps inference may take."""
        return 1 if self.parameterisation == "simplified" else self.steps


def options_for(parameterisation: Parameterisation, unet: UNetConfig) -> UNetConfig:
    """Give a UNet the inputs that a parameterisation needs."""
    wanted: dict[str, Any] = {
        "residual": {"guided": True, "time_embedding": True, "residual": True},
        "paper": {"guided": False, "time_embedding": True, "residual": False},
        "simplified": {"guided": False, "time_embedding": False},
    }[parameterisation]
    return unet.model_copy(update=wanted)
