"""Alerts beside a recorder: judging, and telling people."""
