"""The rules of alerts: their kinds, their conditions, and the file that they come from."""
