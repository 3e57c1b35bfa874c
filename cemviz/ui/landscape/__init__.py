"""The landscape tab: the energy around an image, several models on one scale, and any point of it looked at."""
