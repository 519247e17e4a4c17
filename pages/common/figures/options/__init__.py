"""Figures of option chains and of single options."""
