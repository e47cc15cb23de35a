"""Braidcast, the service: what the user writes, what is stored, and how forecasts are answered."""
