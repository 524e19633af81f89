"""`drsn-audio denoise` and `Denoiser`: sound of any rate, length and number of channels, without its noise."""
