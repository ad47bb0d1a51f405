"""The world outside: AWS, its export formats, and a synthetic estate that imitates them."""
