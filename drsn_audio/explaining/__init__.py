"""What the thresholds of a model did with a sound: `drsn-audio explain`."""
