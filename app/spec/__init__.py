"""What the user writes: frozen data, read, counted and proven without torch."""
