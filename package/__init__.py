"""Ingredients of the Debian package that are made when it is built."""
