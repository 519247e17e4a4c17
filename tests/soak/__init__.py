"""A recorder of indexes and markets for some minutes: no slot is lost, and each value is the exchange's."""
