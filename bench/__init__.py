"""What lpad costs, as counts and ratios within one run: `script/bench`."""
