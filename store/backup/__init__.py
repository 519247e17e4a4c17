"""Backups of all tables, their verification and their restore."""
