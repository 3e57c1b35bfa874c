"""Equations: every formula beside the function that implements it, checked while one looks."""
