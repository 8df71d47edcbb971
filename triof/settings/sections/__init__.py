"""The sections of the settings, one module per topic: names, defaults and checks, without behaviour."""
