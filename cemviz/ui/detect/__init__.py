"""Detect: a picture and its attacked versions before a net a class, and the scores of many."""
