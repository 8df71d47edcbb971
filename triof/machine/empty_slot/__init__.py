"""The empty slot: what a picture shows beside the reference picture; pure functions on arrays."""
