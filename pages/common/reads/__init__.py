"""What the pages read from the store, a module for each page. The only place with cache decorators.

Each answer is read on one lease and shared by all visitors who ask in the same second.
"""
