"""Energies around a picture."""
