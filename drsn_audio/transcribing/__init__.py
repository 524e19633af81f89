"""`drsn-audio transcribe` and `Transcriber`: sound of any length and number, and what is said in it."""
