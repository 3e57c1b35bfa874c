"""Accuracy under attack, and what attacks do to single images."""
