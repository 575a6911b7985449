-- A row `unknown-ID` for runs whose model-type-state is gone.
-- Without it, another model-type-state would get their id, and so their indices.

INSERT INTO model_efficacy (id, model_type_state, correct_num, sample_num)
SELECT DISTINCT model_efficacy_id, 'unknown-' || model_efficacy_id, 0, 0
FROM sample_indices WHERE typeof(model_efficacy_id) = 'integer'
AND model_efficacy_id NOT IN (SELECT id FROM model_efficacy);
