"""From image bytes to pixels: what a file's header tells before it is decoded, and what one decode may cost."""
