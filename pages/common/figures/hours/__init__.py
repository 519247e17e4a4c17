"""Squares: each hour of each day, coloured by what is known of it."""
