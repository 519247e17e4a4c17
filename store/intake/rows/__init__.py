"""How the rows of a foreign file are read: its columns, its tool, the distances of its times, its exchange."""
