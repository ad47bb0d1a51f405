"""The pipeline in Dagster: partitions, assets, schedules.

Put here: anything that imports dagster. Keep out: work; an asset body is one call to
application/ and its metadata.
"""
