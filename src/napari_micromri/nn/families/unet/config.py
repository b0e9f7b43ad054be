"""Shape of a UNet, apart from the network itself: forms and configurations need it without torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Activation = Literal["relu", "leaky_relu", "elu", "prelu"]


class UNetConfig(BaseModel):
    """Shape of a `UNet`; the fields up to ``residual`` are the hyperparameters of report section 4.2.1.

    ``features_main`` has one entry per resolution level, finest first. ``convolutions`` is their number in each block.
    ``noise_input`` and ``guided`` each take one more input channel, which a residual network doesn't add to its output:
    how strong the noise is, and where on its path a diffusion model stands. ``time_embedding`` tells every block a time
    between 0 and 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    features_main: tuple[Annotated[int, Field(ge=1, le=4096)], ...] = Field(
        default=(64, 128, 256),
        min_length=1,
        max_length=8,
        description="channels at each resolution, finest first; more of them learn more, and compute longer",
    )
    downsampling: Literal["maxpool", "meanpool", "conv_strided"] = Field(
        default="meanpool", description="how the network comes to the next coarser resolution"
    )
    upsampling: Literal["upconv", "nearest", "bilinear", "bicubic"] = Field(
        default="upconv", description="how the network comes back to the next finer resolution"
    )
    activation: Activation = Field(default="relu", description="non-linear function after each convolution")
    residual: bool = Field(
        default=True, description="learn the difference to the input, which is easier than the whole image"
    )
    patch_size: int = Field(
        default=1,
        ge=1,
        le=8,
        description="fold squares of so many pixels into channels first: computes faster, sees further, less finely",
    )
    convolutions: int = Field(default=2, ge=1, le=8, description="convolutions at each resolution, down and up")
    noise_input: bool = Field(
        default=False,
        description="tell the network how noisy each slice is, as measured on it: better at high SNR, and its strength "
        "can then be chosen",
    )
    guided: bool = False
    time_embedding: bool = False

    @property
    def features_skip(self) -> tuple[int, ...]:
        """Channels that each skip connection carries (report: ``features_main`` without its last)."""
        return self.features_main[:-1]

    @property
    def input_channels(self) -> int:
        """Channels of the images that the network takes."""
        return 1 + self.noise_input + self.guided

    @property
    def multiple(self) -> int:
        """Height and width are padded to a multiple of this inside the network."""
        return self.patch_size << len(self.features_skip)


PRESETS = {
    "first-run": UNetConfig(),
    "tuned": UNetConfig(
        features_main=(128, 128, 64), downsampling="conv_strided", upsampling="bilinear", residual=False
    ),
}
"""The report's two reference networks (sections 6.1 and 6.2)."""
