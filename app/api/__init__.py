"""HTTP: one file per noun with its requests, answers and endpoints."""
