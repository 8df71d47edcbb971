"""Charts, and pages in one HTML file that people read; the pages that a server shows are in web."""
