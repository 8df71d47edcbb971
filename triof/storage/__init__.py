"""The database, its tables and migrations, and the files of the data folder; what a row means is its room's matter."""
