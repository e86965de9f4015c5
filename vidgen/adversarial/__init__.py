"""The game of players, in one, two and three dimensions; knows neither video nor voxels."""
