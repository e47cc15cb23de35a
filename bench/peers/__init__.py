"""Which libraries are our forecasts compared with, and how? `make bench-peers`; see `bench.peers.__main__`."""
