"""Scripts for the Debian package, the API reference, and trials of generated API clients."""
