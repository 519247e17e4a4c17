"""What is recorded: one record for each feed, and how all feeds of a slot are asked."""
