"""What tests of several rooms share: parts of the world that they need, and ways to look at what is stored."""
