-- Why nothing was made of a call: 'filtered' (the settings do not want it) or 'no_recording' (its recording never came).
-- NULL for every other call. A program that does not know the column shows both as what `status` says.
ALTER TABLE calls ADD COLUMN nothing_made text;
