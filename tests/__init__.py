"""Tests: every behaviour at the doorway a user uses, with two tenants always present."""
