"""The deployable thing: a network with its scaling and its description, its bytes, and its cache."""
