"""Sampling: chains step by step, two runs side by side from the same seeds."""
