-- 2 -> 3: samples of a training's stack (recording them makes the other tables)

CREATE TABLE stack_samples (
  id INTEGER PRIMARY KEY, run TEXT, seed INTEGER, training_function TEXT, seq_ids TEXT);
