"""Cuts the whole daemon off at every point of its work, and looks at what becomes of it."""
