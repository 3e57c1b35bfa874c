"""Training: what is asked, the run, what is kept of it, and who sees it live."""
