"""The one path from a tenant's file to any reader outside the pipeline.

Put here: the locked connection and what accompanies an answer. Keep out: building the file (marts,
lake), how a doorway formats answers (cli).
"""
