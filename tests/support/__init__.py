"""Helpers that tests of several rooms share: servers, programs and files, and ways to read what is stored."""
