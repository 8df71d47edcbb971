"""One person's visit, from the open slot to shredded or returned; the pages that show it belong to web/kiosk."""
