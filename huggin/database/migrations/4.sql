-- 3 -> 4: explanations of texts beside those of pictures, and the text of each segment

ALTER TABLE explanations ADD COLUMN kind TEXT NOT NULL DEFAULT 'picture';

ALTER TABLE segments ADD COLUMN text TEXT;
