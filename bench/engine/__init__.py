"""The engine table: what one image costs in CPU time, imgmill-image beside the libraries people use today, and
what the images are worth (SSIMULACRA2, bytes)."""
