"""Restore: noise, holes, other pictures and lines, from which a binary net climbs."""
