"""What runs beside the sorter, and what people do to a machine: one function a use case, for CLI and web alike."""
