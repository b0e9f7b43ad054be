"""Shape of a UNet, apart from the network itself: forms and configurations need it without torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from napari_micromri.nn.family import NetworkConfig

Activation = Literal["relu", "leaky_relu", "elu", "prelu"]


class UNetConfig(NetworkConfig):
    """Shape of a `UNet`; the fields up to ``residual`` are the hyperparameters of report section 4.2.1.

    ``features_main`` has one entry per resolution level, finest first. ``convolutions`` is their number in each block.
    ``noise_input`` and ``guided`` each take one more input channel, which a residual network doesn't add to its output:
    how strong the noise is, and where on its path a diffusion model stands. ``time_embedding`` tells every block a time
    between 0 and 1.
    """

    features_main: tuple[Annotated[int, Field(ge=1, le=4096)], ...] = Field(
        default=(64, 128, 256),
        min_length=1,
        max_length=8,
        title="Features",
        description="channels at each resolution, finest first; more channels learn more and take longer",
        json_schema_extra={"search": {"0": [32, 64, 128], "1": [64, 128, 256], "2": [64, 128, 256, 512]}},
    )
    downsampling: Literal["maxpool", "meanpool", "conv_strided"] = Field(
        default="meanpool",
        title="Downsampling",
        description="how the network goes to the next coarser resolution",
        json_schema_extra={"search": ["maxpool", "meanpool", "conv_strided"]},
    )
    upsampling: Literal["upconv", "nearest", "bilinear", "bicubic"] = Field(
        default="upconv",
        title="Upsampling",
        description="how the network returns to the next finer resolution",
        json_schema_extra={"search": ["upconv", "nearest", "bilinear", "bicubic"]},
    )
    activation: Activation = Field(
        default="relu",
        description="non-linear function after each convolution",
        json_schema_extra={"search_more": ["relu", "leaky_relu", "elu", "prelu"]},
    )
    residual: bool = Field(
        default=True,
        title="Residual learning",
        description="learn the difference to the input, which is easier than the whole image",
        json_schema_extra={"search": [True, False]},
    )
    patch_size: int = Field(
        default=1,
        ge=1,
        le=8,
        description="fold squares of this many pixels into channels first: faster, wider view, less detail",
    )
    convolutions: int = Field(default=2, ge=1, le=8, description="convolutions at each resolution, down and up")
    noise_input: bool = Field(
        default=False,
        title="Tell the noise",
        description="give the network the measured noise of each slice: better at high SNR, and its strength "
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

    @property
    def reach(self) -> int:
        """Distance in fine pixels beyond which the input can't change the output, from above.

        Each 3 x 3 convolution reaches one pixel of its level further. Besides those of both blocks of a level there are
        at most two more in resampling from below (a 3 x 3 convolution and bicubic interpolation), and one in the head.
        """
        levels = range(len(self.features_main))
        return sum((self.patch_size << level) * (2 * self.convolutions + 4) for level in levels) + self.multiple

    @property
    def widest(self) -> float:
        """The most channels of one level, per fine pixel."""
        sizes = (self.patch_size << level for level in range(len(self.features_main)))
        return max(width / size**2 for width, size in zip(self.features_main, sizes, strict=True))
