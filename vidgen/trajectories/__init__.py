"""The shared temporal core: one latent a video becomes one latent a frame."""
