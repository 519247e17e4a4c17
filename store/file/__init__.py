"""The database file: who may open it and when, its schema, and who records into it."""
