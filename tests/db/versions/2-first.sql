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
INSERT INTO "attempt" VALUES(1,1,'old','host','fake','{"device": "fake"}',1.79538281497410368917e+09,1.79538281497495293614e+09,1.79538281497495293614e+09,2,'done',NULL);
INSERT INTO "attempt" VALUES(2,1,'old','host','fake','{"device": "fake"}',1.79538281497410368917e+09,1.79538281497570943829e+09,1.79538281497570943829e+09,2,'done',NULL);
INSERT INTO "attempt" VALUES(3,1,'old','host','fake','{"device": "fake"}',1.79538281497625255584e+09,1.79538281497998738287e+09,1.79538281497998738287e+09,2,'done',NULL);
INSERT INTO "attempt" VALUES(4,1,'old','host','fake','{"device": "fake"}',1.79538281497625255584e+09,1.79538281498050570489e+09,1.79538281498050570489e+09,2,'done',NULL);
INSERT INTO "attempt" VALUES(5,1,'old','host','fake','{"device": "fake"}',1.79538281498102855683e+09,1.7953828149815456867e+09,1.7953828149815456867e+09,2,'done',NULL);
INSERT INTO "attempt" VALUES(6,1,'old','host','fake','{"device": "fake"}',1.79538281498102855683e+09,1.7953828149819419384e+09,1.7953828149819419384e+09,2,'done',NULL);
INSERT INTO "attempt" VALUES(7,1,'old','host','fake','{"device": "fake"}',1.79538281498238754267e+09,1.79538281498289132125e+09,1.79538281498289132125e+09,2,'done',NULL);
INSERT INTO "attempt" VALUES(8,1,'old','host','fake','{"device": "fake"}',1.79538281498238754267e+09,1.79538281498784208292e+09,1.79538281498784208292e+09,2,'done',NULL);
INSERT INTO "attempt" VALUES(9,1,'old','host','fake','{"device": "fake"}',1.79538281498850250247e+09,1.79538281498906373981e+09,1.79538281498906373981e+09,2,'done',NULL);
INSERT INTO "attempt" VALUES(10,1,'old','host','fake','{"device": "fake"}',1.79538281498850250247e+09,1.79538281498947405821e+09,1.79538281498947405821e+09,2,'done',NULL);
INSERT INTO "attempt" VALUES(11,1,'old','host','fake','{"device": "fake"}',1.79538281498990440372e+09,1.79538281499039769177e+09,1.79538281499039769177e+09,2,'done',NULL);
INSERT INTO "attempt" VALUES(12,1,'old','host','fake','{"device": "fake"}',1.79538281498990440372e+09,1.7953828149908058644e+09,1.7953828149908058644e+09,2,'done',NULL);
INSERT INTO "attempt" VALUES(13,1,'old','host','fake','{"device": "fake"}',1.79538281499123549456e+09,1.79538281499168086052e+09,1.79538281499168086052e+09,2,'done',NULL);
INSERT INTO "attempt" VALUES(14,1,'old','host','fake','{"device": "fake"}',1.79538281499123549456e+09,1.79538281499584937098e+09,1.79538281499584937098e+09,2,'done',NULL);
INSERT INTO "attempt" VALUES(15,1,'old','host','fake','{"device": "fake"}',1.79538281499673819541e+09,1.79538281499730658537e+09,1.79538281499730658537e+09,2,'done',NULL);
INSERT INTO "attempt" VALUES(16,1,'old','host','fake','{"device": "fake"}',1.79538281499673819541e+09,1.79538281499730658537e+09,1.79538281499772810938e+09,1,'cancelled','stopped by the user');
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
  edge            REAL NOT NULL DEFAULT 2.0,
  accuracy_on     TEXT NOT NULL DEFAULT 'train',
  UNIQUE (sweep_id, settings),
  UNIQUE (sweep_id, position)
) STRICT;
INSERT INTO "cell" VALUES(1,1,0,'1x8','{"accuracy_on":"train","activation":"relu","base_width":64,"batch":32,"bias":false,"data":"digits","data_id":"6ad1b7fc592b1b8254e951fc82466fcae656b7a8e32d110e0d7705cad6d1bf9a","depth":1,"dtype":"float32","hidden_lr":1.0,"input_lr":1.0,"loss":"ce","max_steps":6,"model":"mlp","n_params":592,"optimizer":"sgd","output_lr":1.0,"parametrization":"sp","samples":64,"standardize":"global","steps_per_epoch":2,"target":"classes","width":8}',1,8,592,'digits',64,'6ad1b7fc592b1b8254e951fc82466fcae656b7a8e32d110e0d7705cad6d1bf9a','classes','global','mlp','relu',0,'sp',1.0,'ce','sgd',32,6,2,'float32',3.46573590279972698624e-01,0.0,33,2.0,'train');
INSERT INTO "cell" VALUES(2,1,1,'1x16','{"accuracy_on":"train","activation":"relu","base_width":64,"batch":32,"bias":false,"data":"digits","data_id":"6ad1b7fc592b1b8254e951fc82466fcae656b7a8e32d110e0d7705cad6d1bf9a","depth":1,"dtype":"float32","hidden_lr":1.0,"input_lr":1.0,"loss":"ce","max_steps":6,"model":"mlp","n_params":1184,"optimizer":"sgd","output_lr":1.0,"parametrization":"sp","samples":64,"standardize":"global","steps_per_epoch":2,"target":"classes","width":16}',1,16,1184,'digits',64,'6ad1b7fc592b1b8254e951fc82466fcae656b7a8e32d110e0d7705cad6d1bf9a','classes','global','mlp','relu',0,'sp',1.0,'ce','sgd',32,6,2,'float32',NULL,NULL,1,2.0,'train');
CREATE TABLE column_doc (
  tbl  TEXT NOT NULL,
  col  TEXT NOT NULL,
  unit TEXT NOT NULL,
  text TEXT NOT NULL,
  PRIMARY KEY (tbl, col)
) STRICT, WITHOUT ROWID;
CREATE TABLE eigenvalue (
  trial_id INTEGER NOT NULL REFERENCES trial ON DELETE CASCADE,
  step     INTEGER NOT NULL CHECK (step >= 0),
  operator TEXT NOT NULL,
  rank     INTEGER NOT NULL CHECK (rank >= 1),
  value    REAL,  -- NULL: not finite
  residual REAL,
  PRIMARY KEY (trial_id, step, operator, rank)
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
INSERT INTO "event" VALUES(1,1.79538281497223663326e+09,'info',1,NULL,'host','started ''from long ago'': 4 nets in 2 cells');
INSERT INTO "event" VALUES(2,1.79538281499197483067e+09,'info',1,NULL,'host','η* 1.414: 1x8 seed 0, first failure 2, 7 trainings');
INSERT INTO "event" VALUES(3,1.79538281499608492848e+09,'info',1,NULL,'host','η* 1.414: 1x8 seed 1, first failure 2, 7 trainings');
INSERT INTO "event" VALUES(4,1.79538281499805021284e+09,'info',1,NULL,'host','stopped ''from long ago''; the same command resumes it');
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
CREATE TABLE layer (
  trial_id        INTEGER NOT NULL REFERENCES trial ON DELETE CASCADE,
  step            INTEGER NOT NULL CHECK (step >= 0),
  layer           INTEGER NOT NULL CHECK (layer >= 1),
  activation_rms  REAL,  -- NULL: not finite
  effective_rms   REAL,
  propagating_rms REAL,
  PRIMARY KEY (trial_id, step, layer)
) STRICT, WITHOUT ROWID;
CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "meta" VALUES('created_at','2026-11-22T21:26:54Z');
INSERT INTO "meta" VALUES('schema_version','2');
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
  UNIQUE (cell_id, seed)
) STRICT;
INSERT INTO "net" VALUES(1,1,0,'done','gauss-newton','mean over samples','all','at initialisation',0.25,1.0e-06,0.25,1.0e-06,0.25,1.0e-06,0.255,1.0e-06,1,32.0,1.41421356237309514547e+00,2.0,1.68179283050742922611e+00,0.0,0,NULL,NULL,31);
INSERT INTO "net" VALUES(2,1,1,'done','gauss-newton','mean over samples','all','at initialisation',0.25,1.0e-06,0.25,1.0e-06,0.25,1.0e-06,0.255,1.0e-06,1,32.0,1.41421356237309514547e+00,2.0,1.68179283050742922611e+00,0.0,0,NULL,NULL,33);
INSERT INTO "net" VALUES(3,2,0,'open','gauss-newton','mean over samples','all','at initialisation',0.5,1.0e-06,0.5,1.0e-06,0.5,1.0e-06,0.51,1.0e-06,1,16.0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,8);
INSERT INTO "net" VALUES(4,2,1,'open','gauss-newton','mean over samples','all','at initialisation',0.5,1.0e-06,0.5,1.0e-06,0.5,1.0e-06,0.51,1.0e-06,1,16.0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,10);
ANALYZE "sqlite_master";
INSERT INTO "sqlite_stat1" VALUES('cell','sqlite_autoindex_cell_2','2 2 1');
INSERT INTO "sqlite_stat1" VALUES('cell','sqlite_autoindex_cell_1','2 2 1');
INSERT INTO "sqlite_stat1" VALUES('net','net_rev','4 1');
INSERT INTO "sqlite_stat1" VALUES('net','sqlite_autoindex_net_1','4 2 1');
INSERT INTO "sqlite_stat1" VALUES('fit','fit','1 1 1 1');
INSERT INTO "sqlite_stat1" VALUES('attempt','attempt','16 1 1');
INSERT INTO "sqlite_stat1" VALUES('trial','trial_live','1 1');
INSERT INTO "sqlite_stat1" VALUES('trial','trial_key','16 1');
INSERT INTO "sqlite_stat1" VALUES('trial','trial_rev','16 1');
INSERT INTO "sqlite_stat1" VALUES('trial','sqlite_autoindex_trial_1','16 4 1');
INSERT INTO "sqlite_stat1" VALUES('step','step','40 3 1');
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
INSERT INTO "step" VALUES(15,0,2.3,NULL,0.5,1.0e-06,3,0);
INSERT INTO "step" VALUES(16,0,2.3,NULL,0.5,1.0e-06,3,0);
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
INSERT INTO "sweep" VALUES(1,'fdecfd403101f3bff34f5894678706559e786251dc7d7bb11133c4aa1a1184ec','from long ago','{"data":{"name":["digits"],"samples":[64],"standardize":["global"],"target":["classes"]},"fit":[],"model":{"activation":["relu"],"base_width":[64],"bias":[false],"depth":[1],"kind":["mlp"],"layer_lr":{"hidden":[1.0],"input":[1.0],"output":[1.0]},"parametrization":["sp"],"width":[8,16]},"record":{"every":1,"layers":false},"search":{"eta_max":1000.0,"eta_min":1e-05,"method":"bisect","on":"train","start":"sharpness","success":"accuracy","threshold":0.5,"tolerance":0.5},"sharpness":{"every":0,"exact":false,"operator":["gauss-newton"],"rest_every":0,"samples":"all","tolerance":0.001,"top":1},"sweep":{"name":"from long ago","seeds":[0,1]},"training":{"batch":[32],"beta1":[0.9],"beta2":[0.999],"dtype":["float32"],"epochs":[3],"eps":[1e-08],"loss":["ce"],"momentum":[0.9],"optimizer":["sgd"]}}','search','0.1.0+c688fa3af732',1.79538281496635389322e+09,NULL,'stopped');
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
INSERT INTO "trial" VALUES(1,'a7388ba6f0d2e40a5b462bd95b45f4639c5b05e600ad4e914408c3d8ff8a8538',1,32.0,8.0,0,6,'done','diverged','catastrophic',NULL,1,1,0,2.3,NULL,0.25,0,2.3,2.3,0,0.25,2.3,2.3,0.1,0.1,1.0,0,0.25,1.0,1.0,0,'threshold',NULL,12);
INSERT INTO "trial" VALUES(2,'bd92822b8c325f165745bed50dca44bf2cdadade871c5c9aa713ebd0a9836328',2,32.0,8.0,0,6,'done','diverged','catastrophic',NULL,1,1,0,2.3,NULL,0.25,0,2.3,2.3,0,0.25,2.3,2.3,0.1,0.1,1.0,0,0.25,1.0,1.0,0,'threshold',NULL,13);
INSERT INTO "trial" VALUES(3,'b58aaadbf371714d0c05ab1c10eca7c903793c7c3ea90ef97bc4688398dfe55d',1,16.0,4.0,1,6,'done','diverged','catastrophic',NULL,1,1,0,2.3,NULL,0.25,0,2.3,2.3,0,0.25,2.3,2.3,0.1,0.1,1.0,0,0.25,1.0,1.0,0,'threshold',NULL,15);
INSERT INTO "trial" VALUES(4,'b1efb6082c4a4aff49110e27a8924de60ab178f6f8747f11f6dc56a14fe1d4e9',2,16.0,4.0,1,6,'done','diverged','catastrophic',NULL,1,1,0,2.3,NULL,0.25,0,2.3,2.3,0,0.25,2.3,2.3,0.1,0.1,1.0,0,0.25,1.0,1.0,0,'threshold',NULL,16);
INSERT INTO "trial" VALUES(5,'cea37020eb7ed317aef82611bcc5c09f418d8180879f58533c6d3e8b64f68a0c',1,8.0,2.0,2,6,'done','diverged','catastrophic',NULL,1,1,0,2.3,NULL,0.25,0,2.3,2.3,0,0.25,2.3,2.3,0.1,0.1,1.0,0,0.25,1.0,1.0,0,'threshold',NULL,18);
INSERT INTO "trial" VALUES(6,'53335daf7b987ba8418f728f7624c6b1a45a66ffedee495a2ef396f150be29bb',2,8.0,2.0,2,6,'done','diverged','catastrophic',NULL,1,1,0,2.3,NULL,0.25,0,2.3,2.3,0,0.25,2.3,2.3,0.1,0.1,1.0,0,0.25,1.0,1.0,0,'threshold',NULL,19);
INSERT INTO "trial" VALUES(7,'cfdf656a3ac3a2d2ff7705a588627f4ef05e8e4563200f207a09c572e5ddeadf',1,4.0,1.0,3,6,'done','diverged','catastrophic',NULL,1,1,0,2.3,NULL,0.25,0,2.3,2.3,0,0.25,2.3,2.3,0.1,0.1,1.0,0,0.25,1.0,1.0,0,'threshold',NULL,21);
INSERT INTO "trial" VALUES(8,'4e17a7f94be0657ff02dbb94421d9b2132679a3f41d2162382f8dac66ca90b51',2,4.0,1.0,3,6,'done','diverged','catastrophic',NULL,1,1,0,2.3,NULL,0.25,0,2.3,2.3,0,0.25,2.3,2.3,0.1,0.1,1.0,0,0.25,1.0,1.0,0,'threshold',NULL,22);
INSERT INTO "trial" VALUES(9,'6128ec72e3bbdcd61c3a606801cf2715f1767a04b594b86a26d1259813e28683',1,2.0,0.5,4,6,'done','diverged','catastrophic',NULL,1,1,0,2.3,NULL,0.25,0,2.3,2.3,0,0.25,2.3,2.3,0.1,0.1,1.0,0,0.25,1.0,1.0,0,'threshold',NULL,24);
INSERT INTO "trial" VALUES(10,'92937a752d91982dafc2611ac8f960e923d4fac74e206f43053f6f783e89c90a',2,2.0,0.5,4,6,'done','diverged','catastrophic',NULL,1,1,0,2.3,NULL,0.25,0,2.3,2.3,0,0.25,2.3,2.3,0.1,0.1,1.0,0,0.25,1.0,1.0,0,'threshold',NULL,25);
INSERT INTO "trial" VALUES(11,'0e389c56b5bccc347f650c3c1cc24331fe80adb0625b408749e26e53e071735a',1,1.0,0.25,5,6,'done','reached','stable',1,1,7,6,2.23202472716156874454e+00,NULL,0.25,6,2.23202472716156874454e+00,2.3,0,0.25,2.3,2.23202472716156874454e+00,0.95,0.95,1.0,0,0.25,1.0,1.0,NULL,NULL,NULL,27);
INSERT INTO "trial" VALUES(12,'e6a99a48897ddae5cfdb406965e4d0577afcb6ffb09c929c50e039f18fb6392d',2,1.0,0.25,5,6,'done','reached','stable',1,1,7,6,2.23202472716156874454e+00,NULL,0.25,6,2.23202472716156874454e+00,2.3,0,0.25,2.3,2.23202472716156874454e+00,0.95,0.95,1.0,0,0.25,1.0,1.0,NULL,NULL,NULL,28);
INSERT INTO "trial" VALUES(13,'27f29a09260fcd6aa84b9ef84feec4fd3ca5184fc747dd2e516e6b032a55a1fd',1,1.41421356237309514547e+00,3.53553390593273786368e-01,6,6,'done','reached','stable',1,1,7,6,2.20446029785935282419e+00,NULL,0.25,6,2.20446029785935282419e+00,2.3,0,0.25,2.3,2.20446029785935282419e+00,0.95,0.95,1.0,0,0.25,1.0,1.0,NULL,NULL,NULL,30);
INSERT INTO "trial" VALUES(14,'a19fb27116691b05ae3cd843be0bfe927e05aa58424f20ca55a4e689631535a9',2,1.41421356237309514547e+00,3.53553390593273786368e-01,6,6,'done','reached','stable',1,1,7,6,2.20446029785935282419e+00,NULL,0.25,6,2.20446029785935282419e+00,2.3,0,0.25,2.3,2.20446029785935282419e+00,0.95,0.95,1.0,0,0.25,1.0,1.0,NULL,NULL,NULL,32);
INSERT INTO "trial" VALUES(15,'83ac0504f1948a4ff8943ab0fa853b1ad32887e2d51d658b0a40346133b8008b',3,16.0,8.0,0,6,'done','diverged','catastrophic',NULL,1,1,0,2.3,NULL,0.5,0,2.3,2.3,0,0.5,2.3,2.3,0.1,0.1,1.0,0,0.5,1.0,1.0,0,'threshold',NULL,35);
INSERT INTO "trial" VALUES(16,'ae212c5782fa8b1333e2f6f76f8b72046d7eddcb09d7986716b001ade76109e4',4,16.0,8.0,0,6,'queued',NULL,NULL,NULL,1,1,0,2.3,NULL,0.5,0,2.3,2.3,0,0.5,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,36);
CREATE INDEX net_rev ON net(rev);
CREATE INDEX trial_rev  ON trial(rev);
CREATE INDEX trial_key  ON trial(trial_key);
CREATE INDEX trial_live ON trial(status) WHERE status IN ('queued', 'running');
CREATE INDEX event_sweep ON event(sweep_id, event_id);
CREATE VIEW axes AS  -- the settings of a cell that may be an axis of the grid; appended to every view below
SELECT cell_id, data, samples, target, standardize, model, activation, bias, parametrization, input_lr,
       loss AS training_loss, optimizer, batch, max_steps, dtype, accuracy_on
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
  SELECT cell_id, count(*) AS nets, sum(status IN ('done', 'failed')) AS nets_done, avg(lambda0) AS lambda0_mean,
         avg(lambda0_preconditioned) AS lambda0_preconditioned_mean
  FROM net GROUP BY cell_id
)
SELECT s.name AS sweep, c.label AS cell, c.depth, c.width, m.nets, m.nets_done,
       coalesce(t.trials, 0) AS trials, coalesce(t.trials_done, 0) AS trials_done, coalesce(t.diverged, 0) AS diverged,
       c.ln_eta_star_mean, c.ln_eta_star_sd, m.lambda0_mean, m.lambda0_preconditioned_mean, axes.*
FROM cell c JOIN sweep s USING (sweep_id) JOIN m USING (cell_id) LEFT JOIN t USING (cell_id)
     JOIN axes USING (cell_id);
CREATE VIEW curves AS  -- one row per stored step
SELECT s.name AS sweep, c.label AS cell, c.depth, c.width, n.seed, t.eta, t.eta_lambda0, t.trial_id,
       p.step, p.loss, p.accuracy, p.sharpness, p.sharpness_residual,
       CASE WHEN n.operator <> 'ntk' OR c.loss = 'mse' THEN p.sharpness * t.eta / c.edge END AS sharpness_ratio,
       CASE WHEN p.flags & 1 THEN 'nan' WHEN p.flags & 2 THEN '+inf' WHEN p.flags & 4 THEN '-inf' ELSE 'finite' END
         AS loss_state,
       p.flags & 32 > 0 AS sharpness_not_converged, p.products, c.edge, axes.*
FROM step p JOIN trial t USING (trial_id) JOIN net n USING (net_id) JOIN cell c USING (cell_id)
     JOIN sweep s USING (sweep_id) JOIN axes USING (cell_id);
CREATE VIEW spectra AS  -- one row per eigenvalue that is kept beside a step's sharpness
SELECT s.name AS sweep, c.label AS cell, c.depth, c.width, n.seed, t.eta, t.eta_lambda0, t.trial_id,
       e.step, e.operator, e.rank, e.value, e.residual,
       CASE WHEN e.operator <> 'ntk' OR c.loss = 'mse' THEN e.value * t.eta / c.edge END AS value_ratio, c.edge, axes.*
FROM eigenvalue e JOIN trial t USING (trial_id) JOIN net n USING (net_id) JOIN cell c USING (cell_id)
     JOIN sweep s USING (sweep_id) JOIN axes USING (cell_id);
CREATE VIEW layers AS  -- one row per weight layer at one of a trial's first steps
SELECT s.name AS sweep, c.label AS cell, c.depth, c.width, n.seed, t.eta, t.eta_lambda0, t.trial_id,
       l.step, l.layer, CASE l.layer WHEN c.depth + 1 THEN 'output' WHEN 1 THEN 'input' ELSE 'hidden' END AS role,
       l.activation_rms, l.effective_rms, l.propagating_rms, axes.*
FROM layer l JOIN trial t USING (trial_id) JOIN net n USING (net_id) JOIN cell c USING (cell_id)
     JOIN sweep s USING (sweep_id) JOIN axes USING (cell_id);
CREATE VIEW phases AS  -- one row per finished trial
SELECT s.name AS sweep, c.label AS cell, c.depth, c.width, n.seed, t.eta, t.eta_lambda0, t.verdict, t.phase,
       t.peak_ratio, t.peak_step, n.lambda0, t.final_sharpness, t.eta * t.final_sharpness AS eta_final_sharpness,
       t.final_accuracy, t.loss_initial, t.loss_final, t.logit_rms_initial, t.logit_rms_peak, t.bad_step, t.bad_kind,
       t.trial_id, c.edge, axes.*
FROM trial t JOIN net n USING (net_id) JOIN cell c USING (cell_id) JOIN sweep s USING (sweep_id)
     JOIN axes USING (cell_id)
WHERE t.status IN ('done', 'failed');
CREATE VIEW onsets AS  -- one row per net with trials done: at which eta x lambda0 they change their kind
WITH t AS (
  SELECT t.net_id, t.eta, t.eta_lambda0 AS c, t.final_accuracy,
         t.bad_step IS NOT NULL OR coalesce(t.peak_ratio, 0) > 1.000001 AS loss_rises,
         t.max_sharpness > 1.001 * n.lambda0_preconditioned AS sharpens,
         t.phase NOT IN ('divergent', 'catastrophic') AS survives
  FROM trial t JOIN net n USING (net_id) WHERE t.status = 'done'
), o AS (
  SELECT net_id, count(*) AS trials, min(CASE WHEN loss_rises THEN c END) AS c_loss,
         min(CASE WHEN sharpens THEN c END) AS c_sharp, max(CASE WHEN survives THEN c END) AS c_max,
         max(final_accuracy) AS accuracy_best
  FROM t GROUP BY net_id
), b AS (
  SELECT o.*, (SELECT min(t.eta) FROM t WHERE t.net_id = o.net_id AND t.final_accuracy = o.accuracy_best) AS eta_best
  FROM o
)
SELECT s.name AS sweep, c.label AS cell, c.depth, c.width, n.seed,
       b.c_loss, (SELECT max(t.c) FROM t WHERE t.net_id = n.net_id AND t.c < b.c_loss) AS c_loss_above,
       b.c_sharp, (SELECT max(t.c) FROM t WHERE t.net_id = n.net_id AND t.c < b.c_sharp) AS c_sharp_above,
       b.c_max, (SELECT min(t.c) FROM t WHERE t.net_id = n.net_id AND t.c > b.c_max) AS c_max_below,
       b.c_loss <= b.c_sharp AND b.c_sharp <= b.c_max AS ordered,
       b.accuracy_best, b.eta_best,
       (SELECT min(t.eta) FROM t WHERE t.net_id = n.net_id AND t.eta > b.eta_best AND coalesce(t.final_accuracy, 0) < 0.2)
         AS eta_unstable,
       b.trials, n.lambda0_preconditioned, n.net_id, axes.*
FROM b JOIN net n USING (net_id) JOIN cell c USING (cell_id) JOIN sweep s USING (sweep_id) JOIN axes USING (cell_id);
CREATE VIEW exponents AS  -- one row per fitted term
SELECT s.name AS sweep, f.fit, f.y, f.term, f.exponent, f.low, f.high, f.r2, f.cells, f.decades, f.where_expr,
       f.excluded, f.method, f.intercept, f.f_equal, f.p_equal, f.warnings
FROM fit f JOIN sweep s USING (sweep_id);
COMMIT;
