"""The database file: who may open it and when, its schema, and which recorder writes it."""
