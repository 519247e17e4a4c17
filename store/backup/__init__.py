"""What survives: backups of all tables, their verification and their restore."""
