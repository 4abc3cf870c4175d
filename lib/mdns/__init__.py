"""DNS-SD over multicast DNS (RFC 6762, RFC 6763): responder, browser, SHIP's TXT strings."""
