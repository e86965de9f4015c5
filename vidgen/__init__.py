"""Generative adversarial networks for video."""
