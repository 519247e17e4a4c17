"""Charts with a square for each hour of each day. Its colour says what is known of the hour."""
