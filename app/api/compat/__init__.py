"""Protocols of others, for clients that were not made for this service."""
