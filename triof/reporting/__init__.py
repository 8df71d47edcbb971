"""Charts, and reports as single HTML files; the pages of a server are in web."""
