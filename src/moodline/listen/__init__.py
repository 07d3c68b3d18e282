"""From recordings to conversations: speech, speakers, words, turns. ``moodline.listen.listen.listen`` does it all."""
