"""Tests the parsers with hostile input: `script/fuzz`."""
