"""The shared lake: what recorders publish of their files, so that many machines read one history."""
