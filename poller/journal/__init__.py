"""The outcomes of slots wait here, in memory and in a file, until they are durable in the database."""
