"""What does the service show in a browser? Static files that speak the public API and nothing else."""
