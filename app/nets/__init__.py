"""A description becomes torch: cells, blocks, heads, and one `match` that builds them."""
