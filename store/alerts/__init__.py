"""Alerts: rules, judging them, and the events that result."""
