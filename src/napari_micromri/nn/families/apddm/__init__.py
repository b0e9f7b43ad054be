"""The anchored path diffusion model: its path between a good scan and a fast one. Holds no network."""
