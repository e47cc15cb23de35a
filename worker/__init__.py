"""Braidcast, the training: queue workers that take a job from its claim to a stored model."""
