"""A strict fake of Azure Custom Vision, cameras and files of images, for tests, bench and drills; not in the wheel."""
