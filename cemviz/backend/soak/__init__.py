"""Many visitors at once: what the page does under load, driven by its own protocol from one process."""
