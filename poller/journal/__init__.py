"""What came of the slots on its way to the database, in memory and in a file, until it is durable."""
