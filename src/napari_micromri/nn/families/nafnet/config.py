"""Shape of a NAFNet, apart from the network itself."""

from __future__ import annotations

from pydantic import Field

from napari_micromri.nn.family import NetworkConfig


class NAFNetConfig(NetworkConfig):
    """Shape of a `NAFNet`: blocks on the way down to each coarser resolution, at the coarsest, and on the way back.

    Every halving doubles the channels.
    """

    features: int = Field(
        default=32,
        ge=4,
        le=512,
        multiple_of=4,
        title="Features",
        description="channels at the finest resolution; each coarser one has twice as many",
        json_schema_extra={"search": [16, 24, 32, 48]},
    )
    levels: int = Field(
        default=2,
        ge=1,
        le=5,
        title="Halvings",
        description="how often the resolution is halved",
        json_schema_extra={"search": [1, 2, 3]},
    )
    blocks: int = Field(
        default=2,
        ge=1,
        le=16,
        title="Blocks",
        description="gated blocks at each resolution, down and up",
        json_schema_extra={"search": [1, 2, 4]},
    )
    middle_blocks: int = Field(
        default=4,
        ge=1,
        le=32,
        title="Blocks at the bottom",
        description="gated blocks at the coarsest resolution",
        json_schema_extra={"search": [1, 2, 4, 8]},
    )
    residual: bool = Field(
        default=True,
        title="Residual learning",
        description="learn the difference to the input, which is easier than the whole image",
    )
    patch_size: int = Field(
        default=2,
        ge=1,
        le=8,
        title="Patch size",
        description="fold squares of this many pixels into channels first: faster, wider view, less detail",
    )
    noise_input: bool = Field(
        default=False,
        title="Tell the noise",
        description="give the network the measured noise of each slice: better at high SNR, and its strength "
        "can then be chosen",
    )

    @property
    def multiple(self) -> int:
        """Height and width are padded to a multiple of this inside the network."""
        return self.patch_size << self.levels

    @property
    def reach(self) -> None:
        """Channel attention averages over the whole slice, so no tile of it gives the same result."""
        return

    @property
    def widest(self) -> float:
        """A block holds twice its channels at once, most at the finest level: coarser ones have fewer per pixel."""
        return 2 * self.features / self.patch_size**2
