"""The rules of alerts: their kinds, the conditions that they watch, and the file that they come from."""
