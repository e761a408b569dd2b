"""The costs of lpad, as counts and ratios within one run: `script/bench`."""
