"""The figures of `script/bench`: the costs of lpad, as counts and as ratios within one run."""
