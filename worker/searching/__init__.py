"""A search's parts: its draws, its windows, its choice."""
