"""The history that the exchange keeps: charts that fill the time before the record and heal its gaps."""
