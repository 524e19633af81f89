"""From what a model answers to words and their times. numpy only."""
