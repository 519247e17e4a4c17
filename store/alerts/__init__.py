"""Alerts: rules over what is recorded, how they are judged, and the events that come of them."""
