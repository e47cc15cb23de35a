"""Rows and bytes: the tables, the only queries on them, and artifacts named by their content."""
