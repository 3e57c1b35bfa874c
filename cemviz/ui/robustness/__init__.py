"""Robustness: accuracy under attack of several models, its curve over ε, and images before and after with both energies."""
