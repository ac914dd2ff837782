BEGIN TRANSACTION;
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
  PRIMARY KEY (trial_id, attempt)
) STRICT, WITHOUT ROWID;
INSERT INTO "attempt" VALUES(1,1,'old','host','fake','{"device": "fake"}',1.79536156810051321982e+09,1.79536156810475468637e+09,1.79536156810475468637e+09,2,'done',NULL);
INSERT INTO "attempt" VALUES(2,1,'old','host','fake','{"device": "fake"}',1.79536156810051321982e+09,1.79536156810601830484e+09,1.79536156810601830484e+09,2,'done',NULL);
INSERT INTO "attempt" VALUES(3,1,'old','host','fake','{"device": "fake"}',1.79536156810684180253e+09,1.7953615681075055599e+09,1.7953615681075055599e+09,2,'done',NULL);
INSERT INTO "attempt" VALUES(4,1,'old','host','fake','{"device": "fake"}',1.79536156810684180253e+09,1.7953615681081981659e+09,1.7953615681081981659e+09,2,'done',NULL);
INSERT INTO "attempt" VALUES(5,1,'old','host','fake','{"device": "fake"}',1.79536156810894107814e+09,1.79536156811031675333e+09,1.79536156811031675333e+09,2,'done',NULL);
INSERT INTO "attempt" VALUES(6,1,'old','host','fake','{"device": "fake"}',1.79536156810894107814e+09,1.7953615681109690666e+09,1.7953615681109690666e+09,2,'done',NULL);
INSERT INTO "attempt" VALUES(7,1,'old','host','fake','{"device": "fake"}',1.79536156811173391346e+09,1.79536156811612749098e+09,1.79536156811612749098e+09,2,'done',NULL);
INSERT INTO "attempt" VALUES(8,1,'old','host','fake','{"device": "fake"}',1.79536156811173391346e+09,1.79536156811693215374e+09,1.79536156811693215374e+09,2,'done',NULL);
INSERT INTO "attempt" VALUES(9,1,'old','host','fake','{"device": "fake"}',1.79536156811772727964e+09,1795361568.11837,1795361568.11837,2,'done',NULL);
INSERT INTO "attempt" VALUES(10,1,'old','host','fake','{"device": "fake"}',1.79536156811772727964e+09,1.79536156811896777151e+09,1.79536156811896777151e+09,2,'done',NULL);
INSERT INTO "attempt" VALUES(11,1,'old','host','fake','{"device": "fake"}',1.7953615681197054386e+09,1.7953615681203377247e+09,1.7953615681203377247e+09,2,'done',NULL);
INSERT INTO "attempt" VALUES(12,1,'old','host','fake','{"device": "fake"}',1.7953615681197054386e+09,1.7953615681210341454e+09,1.7953615681210341454e+09,2,'done',NULL);
INSERT INTO "attempt" VALUES(13,1,'old','host','fake','{"device": "fake"}',1.79536156812173914904e+09,1.79536156812234735493e+09,1.79536156812234735493e+09,2,'done',NULL);
INSERT INTO "attempt" VALUES(14,1,'old','host','fake','{"device": "fake"}',1.79536156812173914904e+09,1.79536156812297821041e+09,1.79536156812297821041e+09,2,'done',NULL);
CREATE TABLE cell (
  cell_id         INTEGER PRIMARY KEY,
  sweep_id        INTEGER NOT NULL REFERENCES sweep ON DELETE CASCADE,
  position        INTEGER NOT NULL,
  label           TEXT NOT NULL,
  settings        TEXT NOT NULL CHECK (json_valid(settings)),
  depth           INTEGER NOT NULL,
  width           INTEGER NOT NULL,
  n_params        INTEGER NOT NULL,
  data            TEXT NOT NULL,
  samples         INTEGER NOT NULL,
  data_id         TEXT NOT NULL,
  target          TEXT NOT NULL,
  standardize     TEXT NOT NULL,
  model           TEXT NOT NULL,
  activation      TEXT NOT NULL,
  bias            INTEGER NOT NULL CHECK (bias IN (0, 1)),
  parametrization TEXT NOT NULL,
  input_lr        REAL NOT NULL,
  loss            TEXT NOT NULL,
  optimizer       TEXT NOT NULL,
  batch           INTEGER NOT NULL,
  max_steps       INTEGER NOT NULL,
  steps_per_epoch INTEGER NOT NULL,
  dtype           TEXT NOT NULL,
  ln_eta_star_mean REAL,  -- over uncensored nets, kept by the writer: SQLite builds without ln() and sqrt() exist
  ln_eta_star_sd   REAL,
  rev             INTEGER NOT NULL DEFAULT 0,
  UNIQUE (sweep_id, settings),
  UNIQUE (sweep_id, position)
) STRICT;
INSERT INTO "cell" VALUES(1,1,0,'1x8','{"activation":"relu","batch":32,"bias":false,"data":"digits","data_id":"6ad1b7fc592b1b8254e951fc82466fcae656b7a8e32d110e0d7705cad6d1bf9a","depth":1,"dtype":"float32","hidden_lr":1.0,"input_lr":1.0,"loss":"ce","max_steps":6,"model":"mlp","n_params":592,"optimizer":"sgd","output_lr":1.0,"parametrization":"sp","samples":64,"standardize":"global","steps_per_epoch":2,"target":"classes","width":8}',1,8,592,'digits',64,'6ad1b7fc592b1b8254e951fc82466fcae656b7a8e32d110e0d7705cad6d1bf9a','classes','global','mlp','relu',0,'sp',1.0,'ce','sgd',32,6,2,'float32',NULL,NULL,1);
INSERT INTO "cell" VALUES(2,1,1,'1x16','{"activation":"relu","batch":32,"bias":false,"data":"digits","data_id":"6ad1b7fc592b1b8254e951fc82466fcae656b7a8e32d110e0d7705cad6d1bf9a","depth":1,"dtype":"float32","hidden_lr":1.0,"input_lr":1.0,"loss":"ce","max_steps":6,"model":"mlp","n_params":1184,"optimizer":"sgd","output_lr":1.0,"parametrization":"sp","samples":64,"standardize":"global","steps_per_epoch":2,"target":"classes","width":16}',1,16,1184,'digits',64,'6ad1b7fc592b1b8254e951fc82466fcae656b7a8e32d110e0d7705cad6d1bf9a','classes','global','mlp','relu',0,'sp',1.0,'ce','sgd',32,6,2,'float32',NULL,NULL,1);
CREATE TABLE column_doc (
  tbl  TEXT NOT NULL,
  col  TEXT NOT NULL,
  unit TEXT NOT NULL,
  text TEXT NOT NULL,
  PRIMARY KEY (tbl, col)
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
INSERT INTO "event" VALUES(1,1.79536156809790468221e+09,'info',1,NULL,'host','started ''from long ago'': 4 nets in 2 cells');
INSERT INTO "event" VALUES(2,1.79536156812357878685e+09,'info',1,NULL,'host','stopped ''from long ago''; the same command resumes it');
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
INSERT INTO "fit" VALUES(1,'lambda0 ~ depth*width','depth*width','lambda0',9.99999999999999666933e-01,NULL,NULL,-3.46573590279972520988e+00,1.0,2,3.01029995663981198017e-01,'','[]',NULL,NULL,'OLS on per-cell means','under one decade; fewer than four cells: no interval','[["1x8", 7.999999999999998, -1.3862943611198906], ["1x16", 15.999999999999998, -0.6931471805599453]]');
CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "meta" VALUES('created_at','2026-11-22T15:32:46Z');
INSERT INTO "meta" VALUES('schema_version','1');
CREATE TABLE net (
  net_id                           INTEGER PRIMARY KEY,
  cell_id                          INTEGER NOT NULL REFERENCES cell ON DELETE CASCADE,
  seed                             INTEGER NOT NULL,
  status                           TEXT NOT NULL DEFAULT 'queued' CHECK (status IN ('queued', 'open', 'done', 'failed')),
  operator                         TEXT NOT NULL,
  loss_convention                  TEXT NOT NULL,
  sharpness_samples                TEXT NOT NULL,
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
  UNIQUE (cell_id, seed)
) STRICT;
INSERT INTO "net" VALUES(1,1,0,'open','gauss-newton','mean over samples','all',0.25,1.0e-06,0.25,1.0e-06,0.25,1.0e-06,0.255,1.0e-06,1,32.0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,4);
INSERT INTO "net" VALUES(2,1,1,'open','gauss-newton','mean over samples','all',0.25,1.0e-06,0.25,1.0e-06,0.25,1.0e-06,0.255,1.0e-06,1,32.0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,6);
INSERT INTO "net" VALUES(3,2,0,'open','gauss-newton','mean over samples','all',0.5,1.0e-06,0.5,1.0e-06,0.5,1.0e-06,0.51,1.0e-06,1,16.0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,8);
INSERT INTO "net" VALUES(4,2,1,'open','gauss-newton','mean over samples','all',0.5,1.0e-06,0.5,1.0e-06,0.5,1.0e-06,0.51,1.0e-06,1,16.0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,10);
ANALYZE "sqlite_master";
INSERT INTO "sqlite_stat1" VALUES('cell','sqlite_autoindex_cell_2','2 2 1');
INSERT INTO "sqlite_stat1" VALUES('cell','sqlite_autoindex_cell_1','2 2 1');
INSERT INTO "sqlite_stat1" VALUES('net','net_rev','4 1');
INSERT INTO "sqlite_stat1" VALUES('net','sqlite_autoindex_net_1','4 2 1');
INSERT INTO "sqlite_stat1" VALUES('trial','trial_key','14 1');
INSERT INTO "sqlite_stat1" VALUES('trial','trial_rev','14 1');
INSERT INTO "sqlite_stat1" VALUES('trial','sqlite_autoindex_trial_1','14 7 1');
INSERT INTO "sqlite_stat1" VALUES('step','step','38 3 1');
INSERT INTO "sqlite_stat1" VALUES('attempt','attempt','14 1 1');
INSERT INTO "sqlite_stat1" VALUES('fit','fit','1 1 1 1');
CREATE TABLE step (
  trial_id           INTEGER NOT NULL REFERENCES trial ON DELETE CASCADE,
  step               INTEGER NOT NULL CHECK (step >= 0),
  loss               REAL,
  accuracy           REAL,
  sharpness          REAL,
  sharpness_residual REAL,
  products           INTEGER,
  flags              INTEGER NOT NULL DEFAULT 0,
  -- 1 loss NaN, 2 loss +Inf, 4 loss -Inf, 8 sharpness NaN, 16 sharpness +-Inf, 32 sharpness not converged,
  -- 64 accuracy non-finite, 128 loss of all training samples (not of this step's batch)
  -- sharpness NULL with bits 8 and 16 clear: not measured at this step
  PRIMARY KEY (trial_id, step)
) STRICT, WITHOUT ROWID;
INSERT INTO "step" VALUES(1,0,2.3,NULL,0.25,1.0e-06,3,0);
INSERT INTO "step" VALUES(2,0,2.3,NULL,0.25,1.0e-06,3,0);
INSERT INTO "step" VALUES(3,0,2.3,NULL,0.25,1.0e-06,3,0);
INSERT INTO "step" VALUES(4,0,2.3,NULL,0.25,1.0e-06,3,0);
INSERT INTO "step" VALUES(5,0,2.3,NULL,0.25,1.0e-06,3,0);
INSERT INTO "step" VALUES(6,0,2.3,NULL,0.25,1.0e-06,3,0);
INSERT INTO "step" VALUES(7,0,2.3,NULL,0.25,1.0e-06,3,0);
INSERT INTO "step" VALUES(8,0,2.3,NULL,0.25,1.0e-06,3,0);
INSERT INTO "step" VALUES(9,0,2.3,NULL,0.25,1.0e-06,3,0);
INSERT INTO "step" VALUES(10,0,2.3,NULL,0.25,1.0e-06,3,0);
INSERT INTO "step" VALUES(11,0,2.3,NULL,0.25,1.0e-06,3,0);
INSERT INTO "step" VALUES(11,1,2.28852870214316927999e+00,NULL,0.25,1.0e-06,3,0);
INSERT INTO "step" VALUES(11,2,2.27711461762308609024e+00,NULL,0.25,1.0e-06,3,0);
INSERT INTO "step" VALUES(11,3,2.26575746108704390024e+00,NULL,0.25,1.0e-06,3,0);
INSERT INTO "step" VALUES(11,4,2.25445694860553702554e+00,NULL,0.25,1.0e-06,3,0);
INSERT INTO "step" VALUES(11,5,2.2432127976651647927e+00,NULL,0.25,1.0e-06,3,0);
INSERT INTO "step" VALUES(11,6,2.23202472716156874454e+00,NULL,0.25,1.0e-06,3,0);
INSERT INTO "step" VALUES(12,0,2.3,NULL,0.25,1.0e-06,3,0);
INSERT INTO "step" VALUES(12,1,2.28852870214316927999e+00,NULL,0.25,1.0e-06,3,0);
INSERT INTO "step" VALUES(12,2,2.27711461762308609024e+00,NULL,0.25,1.0e-06,3,0);
INSERT INTO "step" VALUES(12,3,2.26575746108704390024e+00,NULL,0.25,1.0e-06,3,0);
INSERT INTO "step" VALUES(12,4,2.25445694860553702554e+00,NULL,0.25,1.0e-06,3,0);
INSERT INTO "step" VALUES(12,5,2.2432127976651647927e+00,NULL,0.25,1.0e-06,3,0);
INSERT INTO "step" VALUES(12,6,2.23202472716156874454e+00,NULL,0.25,1.0e-06,3,0);
INSERT INTO "step" VALUES(13,0,2.3,NULL,0.25,1.0e-06,3,0);
INSERT INTO "step" VALUES(13,1,2.28379390874315424397e+00,NULL,0.25,1.0e-06,3,0);
INSERT INTO "step" VALUES(13,2,2.26770200765753759952e+00,NULL,0.25,1.0e-06,3,0);
INSERT INTO "step" VALUES(13,3,2.2517234921447419893e+00,NULL,0.25,1.0e-06,3,0);
INSERT INTO "step" VALUES(13,4,2.23585756327566365087e+00,NULL,0.25,1.0e-06,3,0);
INSERT INTO "step" VALUES(13,5,2.22010342775055313779e+00,NULL,0.25,1.0e-06,3,0);
INSERT INTO "step" VALUES(13,6,2.20446029785935282419e+00,NULL,0.25,1.0e-06,3,0);
INSERT INTO "step" VALUES(14,0,2.3,NULL,0.25,1.0e-06,3,0);
INSERT INTO "step" VALUES(14,1,2.28379390874315424397e+00,NULL,0.25,1.0e-06,3,0);
INSERT INTO "step" VALUES(14,2,2.26770200765753759952e+00,NULL,0.25,1.0e-06,3,0);
INSERT INTO "step" VALUES(14,3,2.2517234921447419893e+00,NULL,0.25,1.0e-06,3,0);
INSERT INTO "step" VALUES(14,4,2.23585756327566365087e+00,NULL,0.25,1.0e-06,3,0);
INSERT INTO "step" VALUES(14,5,2.22010342775055313779e+00,NULL,0.25,1.0e-06,3,0);
INSERT INTO "step" VALUES(14,6,2.20446029785935282419e+00,NULL,0.25,1.0e-06,3,0);
CREATE TABLE sweep (
  sweep_id    INTEGER PRIMARY KEY,
  sweep_key   TEXT NOT NULL UNIQUE CHECK (length(sweep_key) = 64),
  name        TEXT NOT NULL UNIQUE,
  spec        TEXT NOT NULL CHECK (json_valid(spec)),
  mode        TEXT NOT NULL CHECK (mode IN ('search', 'scan')),
  code_id     TEXT NOT NULL,
  created_at  REAL NOT NULL,
  finished_at REAL,
  status      TEXT NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'done', 'stopped'))
) STRICT;
INSERT INTO "sweep" VALUES(1,'fc27443bc2d1f475880bfd47d8561dddcfcb39c1e6671c3d0143ce449524d27a','from long ago','{"data":{"name":["digits"],"samples":[64],"standardize":["global"],"target":["classes"]},"fit":[],"model":{"activation":["relu"],"bias":[false],"depth":[1],"kind":["mlp"],"layer_lr":{"hidden":[1.0],"input":[1.0],"output":[1.0]},"parametrization":["sp"],"width":[8,16]},"record":{"every":1,"layers":false},"search":{"eta_max":1000.0,"eta_min":1e-05,"method":"bisect","on":"train","success":"accuracy","threshold":0.5,"tolerance":0.5},"sharpness":{"every":0,"operator":"gauss-newton","samples":"all","tolerance":0.001},"sweep":{"name":"from long ago","seeds":[0,1]},"training":{"batch":[32],"dtype":["float32"],"epochs":[3],"loss":["ce"],"optimizer":["sgd"]}}','search','0.1.0+33ffc0e9247b',1.79536156808940982818e+09,NULL,'stopped');
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
  verdict             TEXT CHECK (verdict IN ('reached', 'finished', 'too-slow', 'stalled', 'diverged', 'dead', 'failed')),
  phase               TEXT CHECK (phase IN ('lazy', 'catapult', 'divergent', 'stable', 'controlled', 'catastrophic')),
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
  UNIQUE (net_id, eta)
) STRICT;
INSERT INTO "trial" VALUES(1,'83a73f505b146e695de7410989db1462782edd2e24d7486085bfb547ac491587',1,32.0,8.0,0,6,'done','diverged','catastrophic',NULL,1,1,0,2.3,NULL,0.25,0,2.3,2.3,0,0.25,2.3,2.3,0.1,0.1,1.0,0,0.25,1.0,1.0,0,'threshold',NULL,12);
INSERT INTO "trial" VALUES(2,'675cba4f9134b3d18f13458ec318efc15e48773297dd6bac013bd71822669993',2,32.0,8.0,0,6,'done','diverged','catastrophic',NULL,1,1,0,2.3,NULL,0.25,0,2.3,2.3,0,0.25,2.3,2.3,0.1,0.1,1.0,0,0.25,1.0,1.0,0,'threshold',NULL,13);
INSERT INTO "trial" VALUES(3,'c9994a1b564c9121dbd2b70de9cbfd373da8039b7d27fa1a74495d89acfa22f1',1,16.0,4.0,1,6,'done','diverged','catastrophic',NULL,1,1,0,2.3,NULL,0.25,0,2.3,2.3,0,0.25,2.3,2.3,0.1,0.1,1.0,0,0.25,1.0,1.0,0,'threshold',NULL,15);
INSERT INTO "trial" VALUES(4,'0545658635d16698740ad3f269d9b485d7d276ef44f3516ac569429e0388e8e6',2,16.0,4.0,1,6,'done','diverged','catastrophic',NULL,1,1,0,2.3,NULL,0.25,0,2.3,2.3,0,0.25,2.3,2.3,0.1,0.1,1.0,0,0.25,1.0,1.0,0,'threshold',NULL,16);
INSERT INTO "trial" VALUES(5,'3e108e9ff858bd5c085bb47976dc3ea4f166748760f22532fe4f19af2b2d4ff4',1,8.0,2.0,2,6,'done','diverged','catastrophic',NULL,1,1,0,2.3,NULL,0.25,0,2.3,2.3,0,0.25,2.3,2.3,0.1,0.1,1.0,0,0.25,1.0,1.0,0,'threshold',NULL,18);
INSERT INTO "trial" VALUES(6,'d25ca10d31a3184140e0eaeaf287b58a3b9ee7b8562cffec67af11cc7bc85a47',2,8.0,2.0,2,6,'done','diverged','catastrophic',NULL,1,1,0,2.3,NULL,0.25,0,2.3,2.3,0,0.25,2.3,2.3,0.1,0.1,1.0,0,0.25,1.0,1.0,0,'threshold',NULL,19);
INSERT INTO "trial" VALUES(7,'5b33406a5a0f6c1c1e783c7c512c75f8dbff312d29a63d445527f9bdc87bff1d',1,4.0,1.0,3,6,'done','diverged','catastrophic',NULL,1,1,0,2.3,NULL,0.25,0,2.3,2.3,0,0.25,2.3,2.3,0.1,0.1,1.0,0,0.25,1.0,1.0,0,'threshold',NULL,21);
INSERT INTO "trial" VALUES(8,'95b665ebf2b9b6f8ddf30fc8c63a2b3a4910e2498c1a8081535f4a86d532252f',2,4.0,1.0,3,6,'done','diverged','catastrophic',NULL,1,1,0,2.3,NULL,0.25,0,2.3,2.3,0,0.25,2.3,2.3,0.1,0.1,1.0,0,0.25,1.0,1.0,0,'threshold',NULL,22);
INSERT INTO "trial" VALUES(9,'329975b1f642d1d75bc1dd3538f3b96e6f8ab44775cd3cb63f2428704b295218',1,2.0,0.5,4,6,'done','diverged','catastrophic',NULL,1,1,0,2.3,NULL,0.25,0,2.3,2.3,0,0.25,2.3,2.3,0.1,0.1,1.0,0,0.25,1.0,1.0,0,'threshold',NULL,24);
INSERT INTO "trial" VALUES(10,'0d583ef977948a861b170bdc84f9898c98568511b2f07054faf74284d3b11589',2,2.0,0.5,4,6,'done','diverged','catastrophic',NULL,1,1,0,2.3,NULL,0.25,0,2.3,2.3,0,0.25,2.3,2.3,0.1,0.1,1.0,0,0.25,1.0,1.0,0,'threshold',NULL,25);
INSERT INTO "trial" VALUES(11,'ca40ab21b92b16e4e73d8eb5dfa60e02e4124e57555a14bca8a208329c4d80e7',1,1.0,0.25,5,6,'done','reached','stable',1,1,7,6,2.23202472716156874454e+00,NULL,0.25,6,2.23202472716156874454e+00,2.3,0,0.25,2.3,2.23202472716156874454e+00,0.95,0.95,1.0,0,0.25,1.0,1.0,NULL,NULL,NULL,27);
INSERT INTO "trial" VALUES(12,'068740e88bceb335e554ac66d7551eb7c2093760284ac502b5f5005b57a5c37b',2,1.0,0.25,5,6,'done','reached','stable',1,1,7,6,2.23202472716156874454e+00,NULL,0.25,6,2.23202472716156874454e+00,2.3,0,0.25,2.3,2.23202472716156874454e+00,0.95,0.95,1.0,0,0.25,1.0,1.0,NULL,NULL,NULL,28);
INSERT INTO "trial" VALUES(13,'8c9094369554698e7fb1779571f68be6eb3dd58c9347e8562f9345d9b79d740d',1,1.41421356237309514547e+00,3.53553390593273786368e-01,6,6,'done','reached','stable',1,1,7,6,2.20446029785935282419e+00,NULL,0.25,6,2.20446029785935282419e+00,2.3,0,0.25,2.3,2.20446029785935282419e+00,0.95,0.95,1.0,0,0.25,1.0,1.0,NULL,NULL,NULL,30);
INSERT INTO "trial" VALUES(14,'fb931027a262ad214afb9f1c78ec63057786aaebc14fc30d04bc83494119b313',2,1.41421356237309514547e+00,3.53553390593273786368e-01,6,6,'done','reached','stable',1,1,7,6,2.20446029785935282419e+00,NULL,0.25,6,2.20446029785935282419e+00,2.3,0,0.25,2.3,2.20446029785935282419e+00,0.95,0.95,1.0,0,0.25,1.0,1.0,NULL,NULL,NULL,31);
CREATE INDEX net_rev ON net(rev);
CREATE INDEX trial_rev  ON trial(rev);
CREATE INDEX trial_key  ON trial(trial_key);
CREATE INDEX trial_live ON trial(status) WHERE status IN ('queued', 'running');
CREATE INDEX event_sweep ON event(sweep_id, event_id);
CREATE VIEW axes AS  -- the settings of a cell that may be an axis of the grid; appended to every view below
SELECT cell_id, data, samples, target, standardize, model, activation, bias, parametrization, input_lr,
       loss AS training_loss, optimizer, batch, max_steps, dtype
FROM cell;
CREATE VIEW eta_star AS  -- one row per net: the maximal initial learning rate and how well it is known
SELECT s.name AS sweep, c.label AS cell, c.depth, c.width, n.seed,
       n.eta_star, n.first_failure, n.eta_area, n.zone_octaves, n.reversals,
       (SELECT count(*) FROM trial t WHERE t.net_id = n.net_id AND t.status = 'done') AS trials,
       n.censored, n.lambda0, n.lambda0_residual, n.operator,
       n.eta_star * n.lambda0_preconditioned AS eta_star_lambda0,
       n.lambda0_preconditioned, n.lambda0_gauss_newton, n.lambda0_hessian,
       n.loss_convention, n.status, n.reason, n.net_id, axes.*
FROM net n JOIN cell c USING (cell_id) JOIN sweep s USING (sweep_id) JOIN axes USING (cell_id)
WHERE s.mode = 'search';
CREATE VIEW boundaries AS  -- one row per trial of a search: where success ends
SELECT s.name AS sweep, c.label AS cell, c.depth, c.width, n.seed,
       t.eta, t.round, t.verdict, t.reached_epoch, t.best_accuracy, t.eta_lambda0, t.trial_id, axes.*
FROM trial t JOIN net n USING (net_id) JOIN cell c USING (cell_id) JOIN sweep s USING (sweep_id)
     JOIN axes USING (cell_id)
WHERE s.mode = 'search';
CREATE VIEW grid AS  -- one row per cell; ln eta* is averaged over uncensored nets only
WITH t AS (
  SELECT n.cell_id, count(*) AS trials, sum(t.status IN ('done', 'failed')) AS trials_done,
         sum(coalesce(t.verdict = 'diverged', 0)) AS diverged
  FROM trial t JOIN net n USING (net_id) GROUP BY n.cell_id
), m AS (
  SELECT cell_id, count(*) AS nets, sum(status IN ('done', 'failed')) AS nets_done, avg(lambda0) AS lambda0_mean
  FROM net GROUP BY cell_id
)
SELECT s.name AS sweep, c.label AS cell, c.depth, c.width, m.nets, m.nets_done,
       coalesce(t.trials, 0) AS trials, coalesce(t.trials_done, 0) AS trials_done, coalesce(t.diverged, 0) AS diverged,
       c.ln_eta_star_mean, c.ln_eta_star_sd, m.lambda0_mean, axes.*
FROM cell c JOIN sweep s USING (sweep_id) JOIN m USING (cell_id) LEFT JOIN t USING (cell_id)
     JOIN axes USING (cell_id);
CREATE VIEW curves AS  -- one row per stored step
SELECT s.name AS sweep, c.label AS cell, c.depth, c.width, n.seed, t.eta, t.eta_lambda0, t.trial_id,
       p.step, p.loss, p.accuracy, p.sharpness, p.sharpness_residual,
       p.sharpness * t.eta / 2 AS sharpness_ratio,
       CASE WHEN p.flags & 1 THEN 'nan' WHEN p.flags & 2 THEN '+inf' WHEN p.flags & 4 THEN '-inf' ELSE 'finite' END
         AS loss_state,
       p.flags & 32 > 0 AS sharpness_not_converged, p.products, axes.*
FROM step p JOIN trial t USING (trial_id) JOIN net n USING (net_id) JOIN cell c USING (cell_id)
     JOIN sweep s USING (sweep_id) JOIN axes USING (cell_id);
CREATE VIEW phases AS  -- one row per finished trial
SELECT s.name AS sweep, c.label AS cell, c.depth, c.width, n.seed, t.eta, t.eta_lambda0, t.verdict, t.phase,
       t.peak_ratio, t.peak_step, n.lambda0, t.final_sharpness, t.eta * t.final_sharpness AS eta_final_sharpness,
       t.final_accuracy, t.loss_initial, t.loss_final, t.logit_rms_initial, t.logit_rms_peak, t.bad_step, t.bad_kind,
       t.trial_id, axes.*
FROM trial t JOIN net n USING (net_id) JOIN cell c USING (cell_id) JOIN sweep s USING (sweep_id)
     JOIN axes USING (cell_id)
WHERE t.status IN ('done', 'failed');
CREATE VIEW exponents AS  -- one row per fitted term
SELECT s.name AS sweep, f.fit, f.y, f.term, f.exponent, f.low, f.high, f.r2, f.cells, f.decades, f.where_expr,
       f.excluded, f.method, f.intercept, f.f_equal, f.p_equal, f.warnings
FROM fit f JOIN sweep s USING (sweep_id);
COMMIT;
