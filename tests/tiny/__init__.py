"""Tiny models of every engine that needs weights, made here in seconds: nothing is downloaded, and the real libraries
load them from the folders that the real ones come in."""
