"""Files on the disk: models with their cards, and numbers that rest on them."""
