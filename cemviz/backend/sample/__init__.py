"""Chains: drawn, recorded and written to files."""
