"""The feeds that are recorded, and the polls that ask all feeds of a slot."""
