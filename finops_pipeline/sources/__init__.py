"""Access to AWS and to billing exports, and the formats in which AWS delivers them."""
