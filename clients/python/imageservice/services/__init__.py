"""Services that producers talk to."""
