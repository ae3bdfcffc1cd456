"""How many bytes the parts of a packed file have unpacked, told before any is unpacked."""
