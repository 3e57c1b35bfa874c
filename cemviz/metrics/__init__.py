"""Metrics: accuracy clean and under attack, the energy landscape, and the 2D games."""
