"""The lab of alpha, beta, eta, K: boards of what a sampler draws under every setting, shipped or swept here."""
