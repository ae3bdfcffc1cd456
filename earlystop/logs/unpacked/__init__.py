"""The unpacked sizes of the parts of a packed file, found before any of them is unpacked."""
