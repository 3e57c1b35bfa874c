"""Playground: binary adversarial training as a game in the plane, played live, move by move."""
