-- Views for people. Their names and columns are a contract: columns may be added, never renamed or removed.
-- Forks and their trainings are in the views forks and fork_trials alone.
-- An eigenvalue over its edge has no meaning for the ntk of a loss whose curvature it is not.

CREATE VIEW axes AS  -- the settings of a cell that may be an axis of the grid; appended to every view below
SELECT cell_id, /* columns of axes.py */
FROM cell;

-- CROSS JOIN: always a step's values first, then their names.

CREATE VIEW measured AS  -- table measure with the names of what it holds, and the view that shows it
SELECT m.trial_id, m.step, q.measure, q.part, m.value, m.edge, m.edge_high, m.low, m.high, m.residual, m.products,
       m.forwards, m.status, m.note, m.seconds,
       CASE WHEN q.part = '' THEN 'measures' WHEN q.measure LIKE 'spectrum %' THEN 'spectra'
            WHEN q.measure IN ('activation_rms', 'effective_rms', 'propagating_rms') THEN 'layers'
            ELSE 'measures' END AS shown_in
FROM measure m CROSS JOIN series q USING (series_id);

CREATE VIEW eta_star AS  -- one row per net: the maximal initial learning rate and how well it is known
SELECT s.name AS sweep, c.label AS cell, c.depth, c.width, n.seed,
       n.eta_star, n.first_failure, n.eta_area, n.zone_octaves, n.reversals,
       (SELECT count(*) FROM trial t WHERE t.net_id = n.net_id AND t.status = 'done') AS trials,
       n.censored, n.lambda0, n.lambda0_residual, n.operator,
       n.eta_star * n.lambda0_preconditioned AS eta_star_lambda0,
       n.lambda0_preconditioned, n.lambda0_gauss_newton, n.lambda0_hessian,
       n.loss_convention, n.status, n.reason, n.net_id,
       (SELECT count(*) FROM trial t WHERE t.net_id = n.net_id AND t.given_up_epoch IS NOT NULL) AS given_up,
       n.eta_rule, CASE n.eta_rule WHEN 1 THEN n.eta_star ELSE n.eta_last END AS eta_last, n.eta_star_se,
       n.window_low, n.window_high, n.successes, axes.*
FROM net n JOIN cell c USING (cell_id) JOIN sweep s USING (sweep_id) JOIN axes USING (cell_id)
WHERE s.mode = 'search' AND c.fork_step IS NULL;

CREATE VIEW boundaries AS  -- one row per trial of a search: where success ends
WITH w AS (  -- the successes of each net; of its window, once that is known (its ends are rates of trials)
  SELECT n.net_id, min(t.eta) AS low, max(t.eta) AS high
  FROM trial t JOIN net n USING (net_id)
  WHERE t.verdict = 'reached'
    AND (n.window_low IS NULL OR t.eta BETWEEN n.window_low * 0.999999 AND n.window_high * 1.000001)
  GROUP BY n.net_id
)
SELECT s.name AS sweep, c.label AS cell, c.depth, c.width, n.seed,
       t.eta, t.round, t.verdict, t.reached_epoch, t.best_accuracy, t.eta_lambda0, t.trial_id, t.given_up_epoch,
       CASE WHEN t.verdict IS NULL OR w.low IS NULL THEN NULL WHEN t.eta < w.low THEN 'below' WHEN t.eta > w.high THEN 'above'
            ELSE 'within' END AS side, axes.*
FROM trial t JOIN net n USING (net_id) JOIN cell c USING (cell_id) JOIN sweep s USING (sweep_id)
     JOIN axes USING (cell_id) LEFT JOIN w ON w.net_id = n.net_id
WHERE s.mode = 'search' AND c.fork_step IS NULL;

CREATE VIEW grid AS  -- one row per cell; ln eta* is averaged over uncensored nets only
WITH t AS (
  SELECT n.cell_id, count(*) AS trials, sum(t.status IN ('done', 'failed')) AS trials_done,
         sum(coalesce(t.verdict = 'diverged', 0)) AS diverged
  FROM trial t JOIN net n USING (net_id) GROUP BY n.cell_id
), m AS (
  SELECT cell_id, count(*) AS nets, sum(status IN ('done', 'failed')) AS nets_done, avg(lambda0) AS lambda0_mean,
         avg(lambda0_preconditioned) AS lambda0_preconditioned_mean
  FROM net GROUP BY cell_id
)
SELECT s.name AS sweep, c.label AS cell, c.depth, c.width, m.nets, m.nets_done,
       coalesce(t.trials, 0) AS trials, coalesce(t.trials_done, 0) AS trials_done, coalesce(t.diverged, 0) AS diverged,
       c.ln_eta_star_mean, c.ln_eta_star_sd, m.lambda0_mean, m.lambda0_preconditioned_mean, axes.*
FROM cell c JOIN sweep s USING (sweep_id) JOIN m USING (cell_id) LEFT JOIN t USING (cell_id)
     JOIN axes USING (cell_id)
WHERE c.fork_step IS NULL;

CREATE VIEW curves AS  -- one row per stored step
SELECT s.name AS sweep, c.label AS cell, c.depth, c.width, n.seed, t.eta, t.eta_lambda0, t.trial_id,
       p.step, p.loss, p.accuracy, p.sharpness, p.sharpness_residual,
       CASE WHEN n.operator <> 'ntk' OR c.loss = 'mse' THEN p.sharpness * coalesce(p.eta, t.eta) / c.edge END AS sharpness_ratio,
       /* loss_state of flags.py */ AS loss_state,
       p.flags & /* FLAG_SHARPNESS_NOT_CONVERGED of flags.py */ > 0 AS sharpness_not_converged, p.products, c.edge,
       coalesce(p.eta, t.eta) AS step_eta, axes.*
FROM step p JOIN trial t USING (trial_id) JOIN net n USING (net_id) JOIN cell c USING (cell_id)
     JOIN sweep s USING (sweep_id) JOIN axes USING (cell_id)
WHERE c.fork_step IS NULL;

CREATE VIEW spectra AS  -- one row per eigenvalue that is kept beside a step's sharpness
SELECT s.name AS sweep, c.label AS cell, c.depth, c.width, n.seed, t.eta, t.eta_lambda0, t.trial_id,
       m.step, substr(m.measure, 10) AS operator, CAST(m.part AS INTEGER) AS rank, m.value, m.residual,
       CASE WHEN m.measure <> 'spectrum ntk' OR c.loss = 'mse' THEN m.value * coalesce(p.eta, t.eta) / c.edge END
         AS value_ratio, c.edge, axes.*
FROM measured m JOIN step p USING (trial_id, step) JOIN trial t USING (trial_id) JOIN net n USING (net_id)
     JOIN cell c USING (cell_id) JOIN sweep s USING (sweep_id) JOIN axes USING (cell_id)
WHERE m.shown_in = 'spectra' AND c.fork_step IS NULL;

CREATE VIEW layers AS  -- one row per weight layer at one of a trial's first steps
SELECT s.name AS sweep, c.label AS cell, c.depth, c.width, n.seed, t.eta, t.eta_lambda0, t.trial_id,
       m.step, CAST(m.part AS INTEGER) AS layer,
       CASE CAST(m.part AS INTEGER) WHEN max(CAST(m.part AS INTEGER)) OVER (PARTITION BY t.trial_id, m.step)
            THEN 'output' WHEN 1 THEN 'input' ELSE 'hidden' END AS role,
       max(CASE m.measure WHEN 'activation_rms' THEN m.value END) AS activation_rms,
       max(CASE m.measure WHEN 'effective_rms' THEN m.value END) AS effective_rms,
       max(CASE m.measure WHEN 'propagating_rms' THEN m.value END) AS propagating_rms, axes.*
FROM measured m JOIN trial t USING (trial_id) JOIN net n USING (net_id) JOIN cell c USING (cell_id)
     JOIN sweep s USING (sweep_id) JOIN axes USING (cell_id)
WHERE m.shown_in = 'layers' AND c.fork_step IS NULL
GROUP BY t.trial_id, m.step, m.part;

CREATE VIEW measures AS  -- one row per value of a measure that a sweep asks for, or a recorder takes
SELECT s.name AS sweep, c.label AS cell, c.depth, c.width, n.seed, t.eta, t.eta_lambda0, t.trial_id,
       m.step, m.measure, m.value, m.edge, m.value / m.edge AS value_ratio, m.edge_high, m.low, m.high, m.residual,
       m.products, m.forwards, m.status, m.note, m.seconds, nullif(m.part, '') AS part, axes.*
FROM measured m JOIN trial t USING (trial_id) JOIN net n USING (net_id) JOIN cell c USING (cell_id)
     JOIN sweep s USING (sweep_id) JOIN axes USING (cell_id)
WHERE m.shown_in = 'measures' AND c.fork_step IS NULL;

CREATE VIEW phases AS  -- one row per finished trial
SELECT s.name AS sweep, c.label AS cell, c.depth, c.width, n.seed, t.eta, t.eta_lambda0, t.verdict, t.phase,
       t.peak_ratio, t.peak_step, n.lambda0, t.final_sharpness, t.eta * t.final_sharpness AS eta_final_sharpness,
       t.final_accuracy, t.loss_initial, t.loss_final, t.logit_rms_initial, t.logit_rms_peak, t.bad_step, t.bad_kind,
       t.trial_id, c.edge, t.given_up_epoch, t.phase_rule, t.phase_basis, t.phase_reason, t.peak_smoothed, t.rise,
       t.logit_growth, t.hidden_growth, t.ratio_first, t.ratio_before_peak, t.ratio_low, t.ratio_hover, t.ratio_last,
       t.drift, t.loss_constant, t.majority, axes.*
FROM trial t JOIN net n USING (net_id) JOIN cell c USING (cell_id) JOIN sweep s USING (sweep_id)
     JOIN axes USING (cell_id)
WHERE t.status IN ('done', 'failed') AND c.fork_step IS NULL;

CREATE VIEW onsets AS  -- one row per net with trials done: at which eta x lambda0 they change their kind
WITH t AS (  -- a smoothed loss above limit x its start has risen; heavy ball's first step alone gives (1 + 2 beta)^2
  SELECT t.*, t.eta_lambda0 AS c, n.lambda0_preconditioned AS lambda0, n.sharpness_samples, c.edge,
         coalesce(t.phase_rule, 1) AS rule,
         CASE WHEN c.batch >= c.samples THEN 1.000001 ELSE 1.5 END AS limit_,
         CASE c.optimizer WHEN 'momentum' THEN (c.edge - 1) * (c.edge - 1) ELSE 1 END AS transient
  FROM trial t JOIN net n USING (net_id) JOIN cell c USING (cell_id) WHERE t.status = 'done' AND c.fork_step IS NULL
), r AS (
  SELECT *, CASE
           WHEN bad_step IS NOT NULL THEN 1
           WHEN rule = 1 THEN coalesce(peak_ratio, 0) > 1.000001
           WHEN ratio_before_peak > 1 THEN peak_smoothed > limit_
           WHEN transient > 1 THEN peak_smoothed > limit_ * transient
           ELSE peak_smoothed > limit_ AND ratio_before_peak IS NULL
         END AS loss_rises
  FROM t
), k AS (
  SELECT net_id, eta, c, rule, final_accuracy, loss_rises,
         CASE
           WHEN rule = 1 THEN max_sharpness > 1.001 * lambda0
           WHEN sharpness_samples <> 'all' THEN NULL
           WHEN n_steps = 0 THEN ratio_before_peak * edge > 1.001 * c  -- all that is left of pruned steps
           WHEN NOT loss_rises OR max_sharpness <= 1.001 * lambda0 OR max_sharpness IS NULL
             THEN max_sharpness > 1.001 * lambda0
           ELSE EXISTS (SELECT 1 FROM step p
                        WHERE p.trial_id = r.trial_id AND p.step < r.peak_step AND p.sharpness > 1.001 * lambda0)
         END AS sharpens,
         phase IN ('lazy', 'stable', 'controlled', 'catapult', 'edge') AS survives,
         phase IN ('divergent', 'catastrophic', 'collapsed') AS lost, phase = 'unfinished' AS open
  FROM r
), o AS (
  SELECT net_id, count(*) AS trials, min(rule) AS rule, min(CASE WHEN loss_rises THEN c END) AS c_loss,
         min(CASE WHEN sharpens THEN c END) AS c_sharp, max(CASE WHEN survives THEN c END) AS c_max_last,
         min(CASE WHEN lost THEN c END) AS c_lost, max(final_accuracy) AS accuracy_best
  FROM k GROUP BY net_id
), m AS (
  SELECT o.*, CASE
           WHEN rule = 1 THEN c_max_last
           ELSE (SELECT max(k.c) FROM k WHERE k.net_id = o.net_id AND k.survives AND (o.c_lost IS NULL OR k.c < o.c_lost))
         END AS c_max
  FROM o
), b AS (
  SELECT m.*, EXISTS (SELECT 1 FROM k WHERE k.net_id = m.net_id AND k.open AND k.c > coalesce(m.c_max, 0)
                      AND (m.c_lost IS NULL OR k.c < m.c_lost)) AS c_max_open,
         (SELECT min(k.eta) FROM k WHERE k.net_id = m.net_id AND k.final_accuracy = m.accuracy_best) AS eta_best
  FROM m
)
SELECT s.name AS sweep, c.label AS cell, c.depth, c.width, n.seed,
       b.c_loss, (SELECT max(k.c) FROM k WHERE k.net_id = n.net_id AND k.c < b.c_loss) AS c_loss_above,
       b.c_sharp, (SELECT max(k.c) FROM k WHERE k.net_id = n.net_id AND k.c < b.c_sharp) AS c_sharp_above,
       b.c_max, (SELECT min(k.c) FROM k WHERE k.net_id = n.net_id AND k.c > b.c_max) AS c_max_below,
       b.c_loss <= b.c_sharp AND b.c_sharp <= b.c_max AS ordered,
       b.accuracy_best, b.eta_best,
       (SELECT min(k.eta) FROM k WHERE k.net_id = n.net_id AND k.eta > b.eta_best AND coalesce(k.final_accuracy, 0) < 0.2)
         AS eta_unstable,
       b.trials, n.lambda0_preconditioned, n.net_id, b.c_max_last, b.c_max_open, b.rule AS phase_rule, axes.*
FROM b JOIN net n USING (net_id) JOIN cell c USING (cell_id) JOIN sweep s USING (sweep_id) JOIN axes USING (cell_id);

CREATE VIEW width_growth AS  -- one row per trial of a scan whose rates follow a power of the width
WITH f AS (  -- the factors of the law, by size: so are the rates of every net
  SELECT s.sweep_id, j.value AS factor, json_extract(s.spec, '$.scan.eta_width.power') AS power,
         row_number() OVER (PARTITION BY s.sweep_id ORDER BY j.value) AS place
  FROM sweep s, json_each(s.spec, '$.scan.eta_width.factor') j
), k AS (
  SELECT cell_id, json_remove(settings, '$.width', '$.n_params') AS rest FROM cell
), t AS (
  SELECT t.*, row_number() OVER (PARTITION BY t.net_id ORDER BY t.eta) AS place FROM trial t
)
SELECT s.name AS sweep, c.label AS cell, c.depth, c.width, n.seed, t.eta, t.eta_lambda0, t.trial_id,
       f.factor, f.power, dense_rank() OVER (PARTITION BY s.sweep_id ORDER BY k.rest, f.factor) AS family,
       coalesce(t.logit_growth * t.logit_rms_initial, t.logit_rms_peak) AS logit_rms, t.hidden_growth,
       t.verdict, t.phase, t.phase IN ('lazy', 'stable', 'controlled', 'catapult', 'edge') AS survives,
       c.loss <> 'mse' AS bounded, t.peak_smoothed, t.final_accuracy, axes.*
FROM t JOIN net n USING (net_id) JOIN cell c USING (cell_id) JOIN sweep s USING (sweep_id) JOIN k USING (cell_id)
     JOIN f ON f.sweep_id = s.sweep_id AND f.place = t.place JOIN axes USING (cell_id)
WHERE t.status = 'done';

CREATE VIEW forks AS  -- one row per net and step at which trainings fork: the largest rate that survives from there
SELECT s.name AS sweep, substr(c.label, 1, length(c.label) - length(' t=' || c.fork_step)) AS cell, c.depth, c.width,
       n.seed, c.fork_step AS step, n.eta_star, n.eta_star_se, n.eta_last, n.first_failure, n.window_low, n.window_high,
       n.successes, n.reversals, n.eta_rule, n.censored, n.reason,
       (SELECT count(*) FROM trial t WHERE t.net_id = n.net_id AND t.status = 'done') AS trials,
       n.lambda0_preconditioned AS sharpness, c.edge / n.lambda0_preconditioned AS eta_edge,
       n.eta_star * n.lambda0_preconditioned / nullif(c.edge, 0) AS kappa,
       n.eta_star * n.base_lambda0 / nullif(c.edge, 0) AS kappa0, n.eta_catapult,
       n.base_eta, n.base_lambda0,
       n.base_eta * min(1.0, coalesce((c.fork_step + 1.0) / json_extract(c.settings, '$.fork.warmup_steps'), 1.0))
         AS base_eta_step,
       json_extract(c.settings, '$.fork.schedule') AS base_schedule,
       json_extract(c.settings, '$.fork.warmup_steps') AS base_warmup_steps,
       n.base_loss, n.fork_loss, n.fork_loss < 0.001 * n.base_loss AS fitted,
       json_extract(c.settings, '$.fork.state') AS state, c.max_steps AS steps, c.edge, n.operator, n.status, n.net_id, axes.*
FROM net n JOIN cell c USING (cell_id) JOIN sweep s USING (sweep_id) JOIN axes USING (cell_id)
WHERE c.fork_step IS NOT NULL;

CREATE VIEW fork_trials AS  -- one row per training of a fork
SELECT s.name AS sweep, substr(c.label, 1, length(c.label) - length(' t=' || c.fork_step)) AS cell, c.depth, c.width,
       n.seed, c.fork_step AS step, t.eta, t.eta_lambda0, t.round, t.status, t.verdict, t.phase, t.loss_final, t.peak_ratio,
       t.peak_step, t.bad_step, t.trial_id, n.net_id, axes.*
FROM trial t JOIN net n USING (net_id) JOIN cell c USING (cell_id) JOIN sweep s USING (sweep_id)
     JOIN axes USING (cell_id)
WHERE c.fork_step IS NOT NULL;

CREATE VIEW maps AS  -- one row per training of a map: where in it, and whether it succeeds
WITH a AS (  -- in all but the axis, and what follows from it, the rows of one map agree
  SELECT sweep_id, json_extract(spec, '$.map.axis') AS axis,
         CASE WHEN json_extract(spec, '$.map.axis') = 'batch' THEN '$.steps_per_epoch' ELSE '$.n_params' END AS one,
         CASE WHEN json_extract(spec, '$.map.axis') = 'batch' AND json_extract(spec, '$.training.epochs') IS NOT NULL
              THEN '$.max_steps' ELSE '$.n_params' END AS other
  FROM sweep
), m AS (
  SELECT cell_id, axis, dense_rank() OVER (
           PARTITION BY sweep_id ORDER BY json_remove(settings, '$.n_params', '$.' || axis, one, other)) AS map
  FROM cell JOIN a USING (sweep_id) WHERE map_value IS NOT NULL
)
SELECT s.name AS sweep, c.label AS cell, c.depth, c.width, n.seed, m.map, t.eta, m.axis, c.map_value AS value,
       CASE WHEN t.verdict <> 'failed' THEN t.verdict = 'reached' END AS success,
       t.status, t.verdict, t.phase, t.loss_initial, t.loss_final, t.peak_ratio, t.bad_step, t.trial_id, n.net_id, axes.*
FROM m JOIN cell c USING (cell_id) JOIN sweep s USING (sweep_id) JOIN net n USING (cell_id) JOIN trial t USING (net_id)
     JOIN axes USING (cell_id);

CREATE VIEW exponents AS  -- one row per fitted term
SELECT s.name AS sweep, f.fit, f.y, f.term, f.exponent, f.low, f.high, f.r2, f.cells, f.decades, f.where_expr,
       f.excluded, f.method, f.intercept, f.f_equal, f.p_equal, f.warnings
FROM fit f JOIN sweep s USING (sweep_id);

CREATE VIEW annotations AS  -- one row per note or tag of a sweep
SELECT s.name AS sweep, a.kind, a.text, a.at, a.annotation_id
FROM annotation a JOIN sweep s USING (sweep_id);
