"""Stage 1 on its own: encoders fine-tuned by ``moodline finetune``, planned before, exported after.

``recipe`` says what is fine-tuned, ``run`` does it, ``features`` encodes a corpus with what came of it, ``plan`` and
``memory`` say beforehand what it costs.
"""
