"""What clips are worth: one family of metrics a file, functions of arrays that know no files.

Clips are float `(batch, channel, time, height, width)` in [-1, 1]; statistics are float64.
docs/metrics.md says what each means, and what it cannot see.
"""
