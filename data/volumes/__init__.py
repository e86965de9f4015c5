"""Shapes as volumes: finding the files, reading meshes and arrays, voxelising, turning, storing.

Every volume is (x, y, z) with z up: array axes depth, height, width are the space's x, y, z.
"""
