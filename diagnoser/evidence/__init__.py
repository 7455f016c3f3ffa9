"""Evidence that others collected, read into probe results: transcripts, captures."""
