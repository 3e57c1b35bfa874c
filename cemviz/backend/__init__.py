"""Devices, stored models, jobs, and the use-cases that page and command line share: all of them speak plain data."""
