"""finops_pipeline: one organisation's AWS bill, true to the cent, in its own folder and file.

Floors, top to bottom (imports go down only; `import-linter` holds them):
demo > cli > definitions > orchestration > pipeline > landing | focus | marts
> sources | lake > contracts > tenants > settings | clock | money > errors.
"""

from __future__ import annotations

__version__ = "0.1.0"
