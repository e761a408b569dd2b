"""Cuts the whole daemon off at every point of its work, and checks how it recovers."""
