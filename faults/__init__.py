"""Interrupts the daemon and its peers at every point of the work, and checks how lpad recovers."""
