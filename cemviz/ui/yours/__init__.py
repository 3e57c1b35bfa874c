"""A visitor's own classifier on the page: given as a file or by its name on the Hub, and looked at in every tab."""
