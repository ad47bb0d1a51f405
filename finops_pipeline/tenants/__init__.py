"""Tenants with their sources and projects, the registry that stores them, and tenants.yaml.

Put here: these classes, the rules of their fields, the registry and its declared form. Keep out:
anything that reads a bill or a file of the lake.
"""
