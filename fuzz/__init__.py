"""Feeds the parsers with garbage: `script/fuzz`."""
