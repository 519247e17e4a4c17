"""The events that rules would have caused on stored ticks."""
