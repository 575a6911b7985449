-- 0 -> 1: the tables of answers

CREATE TABLE model_efficacy (
  id INTEGER PRIMARY KEY, model_type_state TEXT, correct_num INTEGER, sample_num INTEGER,
  sample_seq TEXT);

CREATE TABLE sample_indices (
  id INTEGER PRIMARY KEY, model_efficacy_id INTEGER REFERENCES model_efficacy (id),
  seq_num INTEGER, seq_ids TEXT);

CREATE TABLE answers (
  id INTEGER PRIMARY KEY, sample_indices_id INTEGER NOT NULL REFERENCES sample_indices (id),
  seq_index INTEGER, expected TEXT, answered TEXT, exact_match INTEGER, f1 REAL,
  confidence REAL);

CREATE INDEX runs_of_state ON sample_indices (model_efficacy_id);

CREATE INDEX answers_of_run ON answers (sample_indices_id);
