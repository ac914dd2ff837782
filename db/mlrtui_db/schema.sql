-- The mlrtui store: one SQLite file, written by one process, read by anyone.
--
-- Words: a sweep holds cells (grid points), a cell holds nets (one per seed), a net holds trials (one per
-- learning rate), a trial holds steps. A trial is trained by an attempt; only the newest attempt's steps are kept.
-- Every column is explained in the table column_doc; the views for people are in views.sql.
--
-- Non-finite numbers are never stored: the value is NULL and a bit of step.flags (or trial.bad_kind) says why.

CREATE TABLE sweep (
  sweep_id    INTEGER PRIMARY KEY,
  sweep_key   TEXT NOT NULL UNIQUE CHECK (length(sweep_key) = 64),
  name        TEXT NOT NULL UNIQUE,
  spec        TEXT NOT NULL CHECK (json_valid(spec)),
  mode        TEXT NOT NULL DEFAULT 'search' CHECK (mode IN ('search', 'scan', 'recorded')),
  code_id     TEXT NOT NULL,
  created_at  REAL NOT NULL,
  finished_at REAL,
  status      TEXT NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'done', 'stopped')),
  repeatable  INTEGER CHECK (repeatable IN (0, 1)),
  shard       TEXT  -- NULL: all of the sweep
) STRICT;

CREATE TABLE cell (  -- what an axis describes is NULL where it is not known: of a training that is not ours
  cell_id         INTEGER PRIMARY KEY,
  sweep_id        INTEGER NOT NULL REFERENCES sweep ON DELETE CASCADE,
  position        INTEGER NOT NULL,
  label           TEXT NOT NULL,
  settings        TEXT NOT NULL CHECK (json_valid(settings)),
  depth           INTEGER,
  width           INTEGER,
  n_params        INTEGER NOT NULL,
  data            TEXT,
  samples         INTEGER,
  data_id         TEXT NOT NULL,
  target          TEXT,
  standardize     TEXT,
  model           TEXT,
  activation      TEXT,
  bias            INTEGER CHECK (bias IN (0, 1)),
  parametrization TEXT,
  input_lr        REAL,
  loss            TEXT,
  optimizer       TEXT,
  batch           INTEGER,
  max_steps       INTEGER,
  steps_per_epoch INTEGER NOT NULL,
  dtype           TEXT,
  ln_eta_star_mean REAL,  -- over uncensored nets, kept by the writer: SQLite builds without ln() and sqrt() exist
  ln_eta_star_sd   REAL,
  rev             INTEGER NOT NULL DEFAULT 0,
  edge            REAL NOT NULL DEFAULT 2.0,
  accuracy_on     TEXT NOT NULL DEFAULT 'train',
  fork_step       INTEGER CHECK (fork_step >= 0),  -- NULL: no forks, trainings start at initialisation
  map_value       REAL,  -- of rows of a map: the value of its other axis
  UNIQUE (sweep_id, settings),
  UNIQUE (sweep_id, position)
) STRICT;

CREATE TABLE net (
  net_id                           INTEGER PRIMARY KEY,
  cell_id                          INTEGER NOT NULL REFERENCES cell ON DELETE CASCADE,
  seed                             INTEGER NOT NULL,
  status                           TEXT NOT NULL DEFAULT 'queued' CHECK (status IN ('queued', 'open', 'done', 'failed')),
  operator                         TEXT NOT NULL,
  loss_convention                  TEXT NOT NULL,
  sharpness_samples                TEXT NOT NULL,
  sharpness_schedule               TEXT NOT NULL,
  lambda0                          REAL,
  lambda0_residual                 REAL,
  lambda0_preconditioned           REAL,
  lambda0_preconditioned_residual  REAL,
  lambda0_gauss_newton             REAL,
  lambda0_gauss_newton_residual    REAL,
  lambda0_hessian                  REAL,
  lambda0_hessian_residual         REAL,
  lambda0_converged                INTEGER CHECK (lambda0_converged IN (0, 1)),
  start_eta                        REAL,
  eta_star                         REAL,
  first_failure                    REAL,
  eta_area                         REAL,
  zone_octaves                     REAL,
  reversals                        INTEGER,
  censored                         TEXT CHECK (censored IN ('none', 'at_min', 'at_max')),
  reason                           TEXT,
  rev                              INTEGER NOT NULL DEFAULT 0,
  eta_rule                         INTEGER NOT NULL DEFAULT 1 CHECK (eta_rule >= 1),
  eta_last                         REAL,
  eta_star_se                      REAL,
  window_low                       REAL,
  window_high                      REAL,
  successes                        INTEGER,
  base_eta                         REAL,  -- this and the next four: of forks
  base_lambda0                     REAL,
  base_loss                        REAL,
  fork_loss                        REAL,
  eta_catapult                     REAL,
  UNIQUE (cell_id, seed)
) STRICT;
CREATE INDEX net_rev ON net(rev);

CREATE TABLE trial (
  trial_id            INTEGER PRIMARY KEY,
  trial_key           TEXT NOT NULL CHECK (length(trial_key) = 64),
  net_id              INTEGER NOT NULL REFERENCES net ON DELETE CASCADE,
  eta                 REAL NOT NULL CHECK (eta > 0 AND eta < 1e300),
  eta_lambda0         REAL,
  round               INTEGER NOT NULL CHECK (round >= 0),
  max_steps           INTEGER NOT NULL CHECK (max_steps >= 0),
  status              TEXT NOT NULL DEFAULT 'queued'
    CHECK (status IN ('queued', 'running', 'done', 'failed')),
  verdict             TEXT CHECK (verdict IN ('reached', 'finished', 'not-reached', 'stalled', 'diverged', 'dead', 'failed')),
  phase               TEXT CHECK (phase IN ('lazy', 'stable', 'controlled', 'catapult', 'edge', 'divergent', 'catastrophic',
                                            'collapsed', 'unfinished')),
  reached_epoch       INTEGER,
  attempt             INTEGER NOT NULL DEFAULT 0,
  n_steps             INTEGER NOT NULL DEFAULT 0,
  last_step           INTEGER,
  last_loss           REAL,
  last_accuracy       REAL,
  last_sharpness      REAL,
  last_sharpness_step INTEGER,
  min_loss            REAL,
  max_loss            REAL,
  max_loss_step       INTEGER,
  max_sharpness       REAL,
  loss_initial        REAL,
  loss_final          REAL,
  best_accuracy       REAL,
  final_accuracy      REAL,
  peak_ratio          REAL,
  peak_step           INTEGER,
  final_sharpness     REAL,
  logit_rms_initial   REAL,
  logit_rms_peak      REAL,
  bad_step            INTEGER,
  bad_kind            TEXT CHECK (bad_kind IN ('nan', '+inf', '-inf', 'threshold')),
  error               TEXT,
  rev                 INTEGER NOT NULL DEFAULT 0,
  given_up_epoch      INTEGER,
  phase_rule          INTEGER CHECK (phase_rule >= 1),
  phase_basis         TEXT CHECK (phase_basis IN ('loss', 'loss+sharpness')),
  phase_reason        TEXT,
  peak_smoothed       REAL,
  rise                REAL,
  logit_growth        REAL,
  hidden_growth       REAL,
  ratio_first         REAL,
  ratio_before_peak   REAL,
  ratio_low           REAL,
  ratio_hover         REAL,
  ratio_last          REAL,
  drift               REAL,
  loss_constant       REAL,
  majority            REAL,
  UNIQUE (net_id, eta)
) STRICT;
CREATE INDEX trial_rev  ON trial(rev);
CREATE INDEX trial_key  ON trial(trial_key);
CREATE INDEX trial_live ON trial(status) WHERE status IN ('queued', 'running');

CREATE TABLE attempt (
  trial_id     INTEGER NOT NULL REFERENCES trial ON DELETE CASCADE,
  attempt      INTEGER NOT NULL CHECK (attempt >= 1),
  driver_id    TEXT NOT NULL,
  host         TEXT NOT NULL,
  device       TEXT NOT NULL,
  env          TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(env)),
  started_at   REAL NOT NULL,
  heartbeat_at REAL NOT NULL,
  ended_at     REAL,
  next_seq     INTEGER NOT NULL DEFAULT 0,
  outcome      TEXT CHECK (outcome IN ('done', 'failed', 'lost', 'cancelled')),
  detail       TEXT,
  bars         TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(bars)),
  PRIMARY KEY (trial_id, attempt)
) STRICT, WITHOUT ROWID;

CREATE TABLE step (
  trial_id           INTEGER NOT NULL REFERENCES trial ON DELETE CASCADE,
  step               INTEGER NOT NULL CHECK (step >= 0),
  loss               REAL,
  accuracy           REAL,
  sharpness          REAL,
  sharpness_residual REAL,
  products           INTEGER,
  flags              INTEGER NOT NULL DEFAULT 0,
  eta                REAL,  -- NULL: that of the trial
  -- bits of flags.py, explained in column_doc; sharpness NULL with none of its own: not measured at this step
  PRIMARY KEY (trial_id, step)
) STRICT, WITHOUT ROWID;

CREATE TABLE series (  -- what table measure holds values of: a measure, or one of its parts
  series_id INTEGER PRIMARY KEY,
  measure   TEXT NOT NULL,
  part      TEXT NOT NULL DEFAULT '',  -- '': the measure has no parts
  UNIQUE (measure, part)
) STRICT;

CREATE TABLE measure (  -- all that is measured beside loss, accuracy and sharpness
  trial_id  INTEGER NOT NULL REFERENCES trial ON DELETE CASCADE,
  step      INTEGER NOT NULL CHECK (step >= 0),
  series_id INTEGER NOT NULL REFERENCES series,
  value     REAL,  -- NULL: not finite, or status says why there is none
  edge      REAL,  -- NULL: there is none, or it is that of the sharpness
  edge_high REAL,
  low       REAL,
  high      REAL,
  residual  REAL,
  products  INTEGER,
  forwards  INTEGER,
  status    TEXT,  -- NULL: the measure has none
  note      TEXT,
  seconds   REAL,
  PRIMARY KEY (trial_id, step, series_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
  event_id INTEGER PRIMARY KEY,
  at       REAL NOT NULL,
  level    TEXT NOT NULL CHECK (level IN ('info', 'warning', 'error')),
  sweep_id INTEGER REFERENCES sweep ON DELETE CASCADE,
  trial_id INTEGER REFERENCES trial ON DELETE CASCADE,
  host     TEXT,
  text     TEXT NOT NULL
) STRICT;
CREATE INDEX event_sweep ON event(sweep_id, event_id);

CREATE TABLE fit (
  sweep_id   INTEGER NOT NULL REFERENCES sweep ON DELETE CASCADE,
  fit        TEXT NOT NULL,
  term       TEXT NOT NULL,
  y          TEXT NOT NULL,
  exponent   REAL NOT NULL,
  low        REAL,
  high       REAL,
  intercept  REAL,
  r2         REAL,
  cells      INTEGER NOT NULL,
  decades    REAL NOT NULL,
  where_expr TEXT NOT NULL DEFAULT '',
  excluded   TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(excluded)),
  f_equal    REAL,
  p_equal    REAL,
  method     TEXT NOT NULL,
  warnings   TEXT NOT NULL DEFAULT '',
  inputs     TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(inputs)),
  PRIMARY KEY (sweep_id, fit, term)
) STRICT, WITHOUT ROWID;

CREATE TABLE annotation (  -- what people write about sweeps
  annotation_id INTEGER PRIMARY KEY,
  sweep_id      INTEGER NOT NULL REFERENCES sweep ON DELETE CASCADE,
  kind          TEXT NOT NULL CHECK (kind IN ('note', 'tag')),
  at            REAL NOT NULL,
  text          TEXT NOT NULL
) STRICT;

CREATE TABLE column_doc (
  tbl  TEXT NOT NULL,
  col  TEXT NOT NULL,
  unit TEXT NOT NULL,
  text TEXT NOT NULL,
  PRIMARY KEY (tbl, col)
) STRICT, WITHOUT ROWID;

CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
