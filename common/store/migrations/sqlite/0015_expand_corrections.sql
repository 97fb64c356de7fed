-- What people corrected in the words of a transcript and in the summary, beside what they said about the speakers. The table
-- keeps its name, because a program before this one reads it.
ALTER TABLE speaker_corrections ADD COLUMN lines TEXT NOT NULL DEFAULT '[]';
ALTER TABLE speaker_corrections ADD COLUMN summary TEXT;
