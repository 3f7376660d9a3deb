"""Every table and figure of the paper, measured: what `heatprop reproduce` does."""
