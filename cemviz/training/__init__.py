"""The one training loop, the objectives, and the table of recipes."""
