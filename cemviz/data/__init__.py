"""2D densities with exact log p, real images on the device, and their augmentations."""
