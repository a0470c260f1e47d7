"""The adaptive cloner: espeak-ng's speech, turned into a person's by what a minute of their own speech teaches.

Reading order: `speech_source` (what is turned), `analysis` (sound to frames and back), `phones`, `alignment` (which
frame of the one is which of the other), `network` and `safe_map` (what changes between them), `selection` (the person's
own frames), `colour` (what the vocoder adds), `training` and `speaking` (the two uses), `voice` (what is kept in
between), `engine` (the way in).
"""
