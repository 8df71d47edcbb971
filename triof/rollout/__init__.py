"""New models: a candidate beside the one in production, compared on the same photos, put into service or sent away."""
