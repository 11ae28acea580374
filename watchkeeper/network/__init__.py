"""Our network, names, TLS, proxies and clock, told from the vendor's. No request leaves from here."""
