"""What the exchange still has: charts that fill the time before the record and heal its gaps."""
