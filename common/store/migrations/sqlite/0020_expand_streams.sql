-- Whether a stream says the words of a piece. Then its audio is not cut into turns that are transcribed by themselves.
ALTER TABLE live_pieces ADD COLUMN is_streamed INTEGER NOT NULL DEFAULT 0;
-- The stream that says the words of a turn: the number of the turn with which it began. It is empty where the turn has sound of its own.
ALTER TABLE live_turns ADD COLUMN stream INTEGER;
