"""Settings of the machine itself: its name, camera, slot, drivers and deposits."""
