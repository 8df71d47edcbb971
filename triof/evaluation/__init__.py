"""How often a provider is right on labelled photos, and what a machine would have done; pages are reporting."""
