"""Alerts: rules, their judgement, and the events that come of it."""
