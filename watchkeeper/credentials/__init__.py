"""Where keys are kept. Everything else knows a key by its reference and its fingerprint."""
