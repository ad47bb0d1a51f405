"""AWS and its export formats: how a source is reached, and what it delivers."""
