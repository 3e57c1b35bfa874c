"""Nets from elsewhere: read within bounds, recognised, checked, and stored beside ours; and models to and from the Hub."""
