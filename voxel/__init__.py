"""Generative models of voxels."""
