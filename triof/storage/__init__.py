"""The database, its tables and migrations, and the files of the data folder; other rooms interpret the rows."""
