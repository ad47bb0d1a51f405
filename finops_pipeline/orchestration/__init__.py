"""Dagster's words for the pipeline: partitions, assets, schedules.

Put here: anything that imports dagster. Keep out: work; an asset body is one call to the floor
below and its metadata.
"""
