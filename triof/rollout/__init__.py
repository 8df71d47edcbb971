"""Rollout of models: candidates, their comparison with production on the same photos, promotion and rollback."""
