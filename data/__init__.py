"""What is learned from: files become clips, clips become batches. Knows nothing of models."""
