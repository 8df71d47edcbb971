"""What developers run: bench, drills, demo pictures; none of it ships in the wheel."""
