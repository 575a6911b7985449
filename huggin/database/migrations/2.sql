-- 1 -> 2: the tables of lime.py

CREATE TABLE explanations (
  id INTEGER PRIMARY KEY, picture TEXT, model TEXT, target TEXT, scale TEXT, sampler TEXT,
  samples INTEGER, seed INTEGER, segmenter TEXT, fill TEXT, model_prediction REAL,
  local_prediction REAL, r2 REAL, held_out_r2 REAL, effective_samples REAL);

CREATE TABLE segments (
  id INTEGER PRIMARY KEY, explanation_id INTEGER NOT NULL REFERENCES explanations (id),
  segment INTEGER, coefficient REAL, standard_error REAL, rank INTEGER, area REAL);

CREATE INDEX segments_of_explanation ON segments (explanation_id);
