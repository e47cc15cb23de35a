"""How does the whole service run as one command, with nothing installed but this package?"""
