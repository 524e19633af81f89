"""`drsn-audio stream`: sound from a file, a pipe or a microphone, and what is recognised in it, as it comes."""
