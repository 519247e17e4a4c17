"""Alerts beside a recorder: judging rules, and sending messages to people."""
