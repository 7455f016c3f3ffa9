"""From bytes to lines: sources (the only module that opens input files), encodings, framing."""
