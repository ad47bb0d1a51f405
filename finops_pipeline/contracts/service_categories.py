"""FOCUS's lists of service categories and of the subcategories in each.

Put here: the allowed values of ServiceCategory and ServiceSubcategory. Keep out: the category of
each AWS service (services.py). Source: FOCUS 1.2 ServiceCategory and ServiceSubcategory columns;
each subcategory has exactly one category, and every category an `Other (<category>)`.
"""

from __future__ import annotations

_NAMED: dict[str, tuple[str, ...]] = {
    "AI and Machine Learning": (
        "AI Platforms", "Bots", "Generative AI", "Machine Learning", "Natural Language Processing",
    ),
    "Analytics": (
        "Analytics Platforms", "Business Intelligence", "Data Processing", "Search",
        "Streaming Analytics",
    ),
    "Business Applications": ("Productivity and Collaboration",),
    "Compute": (
        "Containers", "End User Computing", "Quantum Compute", "Serverless Compute",
        "Virtual Machines",
    ),
    "Databases": (
        "Caching", "Data Warehouses", "Ledger Databases", "NoSQL Databases",
        "Relational Databases", "Time Series Databases",
    ),
    "Developer Tools": (
        "Continuous Integration and Deployment", "Developer Platforms",
        "Development Environments", "Quality Assurance", "Source Code Management",
    ),
    "Identity": ("Identity and Access Management",),
    "Integration": ("API Management", "Messaging", "Workflow Orchestration"),
    "Internet of Things": ("IoT Analytics", "IoT Platforms"),
    "Management and Governance": (
        "Architecture", "Compliance", "Cost Management", "Data Governance", "Disaster Recovery",
        "Endpoint Management", "Observability", "Support",
    ),
    "Media": ("Content Creation", "Gaming", "Media Streaming", "Mixed Reality"),
    "Migration": ("Data Migration", "Resource Migration"),
    "Mobile": (),
    "Multicloud": ("Multicloud Integration",),
    "Networking": (
        "Application Networking", "Content Delivery", "Network Connectivity",
        "Network Infrastructure", "Network Routing", "Network Security",
    ),
    "Other": (),
    "Security": (
        "Secret Management", "Security Posture Management", "Threat Detection and Response",
    ),
    "Storage": (
        "Backup Storage", "Block Storage", "File Storage", "Object Storage", "Storage Platforms",
    ),
    "Web": ("Application Platforms",),
}  # fmt: skip

SERVICE_CATEGORIES: tuple[str, ...] = tuple(_NAMED)
SERVICE_SUBCATEGORIES: dict[str, str] = {
    subcategory: category
    for category, named in _NAMED.items()
    for subcategory in (*named, f"Other ({category})")
}
"""Subcategory -> its one category."""
