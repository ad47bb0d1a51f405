"""The HTTP API: questions about one tenant's data for programs, under /v1.

Put here: endpoints, their answers as JSON or files, problem documents, the server. Keep out: who
may see what (serve/access), opening a tenant's file (serve/warehouse_pool.py), what a question
means (serve/questions).
"""
