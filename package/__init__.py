"""Parts of the Debian package that are generated when it is built."""
