"""Results: the papers' tables, their numbers beside ours, and which of their claims hold here."""
