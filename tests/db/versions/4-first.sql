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
  bars         TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(bars)),
  PRIMARY KEY (trial_id, attempt)
) STRICT, WITHOUT ROWID;
INSERT INTO "attempt" VALUES(1,1,'vm:6643:1795943454','vm','cpu','{"device": "cpu", "name": "AVX2", "numpy": "2.4.6", "steps and sharpness": "compiled by numba 0.68.1", "threads": "1", "torch": "2.13.0+cpu"}',1.79594347921826267243e+09,1.7959434797166786194e+09,1.7959434797166786194e+09,3,'done',NULL,'[]');
INSERT INTO "attempt" VALUES(2,1,'vm:6643:1795943454','vm','cpu','{"device": "cpu", "name": "AVX2", "numpy": "2.4.6", "steps and sharpness": "compiled by numba 0.68.1", "threads": "1", "torch": "2.13.0+cpu"}',1.79594347972942590709e+09,1.79594347984598803522e+09,1.79594347984598803522e+09,2,'done',NULL,'[]');
INSERT INTO "attempt" VALUES(3,1,'vm:6643:1795943454','vm','cpu','{"device": "cpu", "name": "AVX2", "numpy": "2.4.6", "steps and sharpness": "compiled by numba 0.68.1", "threads": "1", "torch": "2.13.0+cpu"}',1.79594347986633682255e+09,1.7959434799837563038e+09,1.7959434799837563038e+09,2,'done',NULL,'[]');
INSERT INTO "attempt" VALUES(4,1,'vm:6643:1795943454','vm','cpu','{"device": "cpu", "name": "AVX2", "numpy": "2.4.6", "steps and sharpness": "compiled by numba 0.68.1", "threads": "1", "torch": "2.13.0+cpu"}',1.79594348000189733501e+09,1.79594348011587810515e+09,1.79594348011587810515e+09,2,'done',NULL,'[]');
INSERT INTO "attempt" VALUES(5,1,'vm:6643:1795943454','vm','cpu','{"device": "cpu", "name": "AVX2", "numpy": "2.4.6", "steps and sharpness": "compiled by numba 0.68.1", "threads": "1", "torch": "2.13.0+cpu"}',1.79594348011780905721e+09,1.79594348023293352129e+09,1.79594348023293352129e+09,2,'done',NULL,'[]');
INSERT INTO "attempt" VALUES(6,1,'vm:6643:1795943454','vm','cpu','{"device": "cpu", "name": "AVX2", "numpy": "2.4.6", "steps and sharpness": "compiled by numba 0.68.1", "threads": "1", "torch": "2.13.0+cpu"}',1.79594348023751544957e+09,1.79594348035454869265e+09,1.79594348035454869265e+09,2,'done',NULL,'[]');
INSERT INTO "attempt" VALUES(7,1,'vm:6643:1795943454','vm','cpu','{"device": "cpu", "name": "AVX2", "numpy": "2.4.6", "steps and sharpness": "compiled by numba 0.68.1", "threads": "1", "torch": "2.13.0+cpu"}',1.79594348037372827531e+09,1.79594348050111126896e+09,1.79594348050111126896e+09,2,'done',NULL,'[]');
INSERT INTO "attempt" VALUES(8,1,'vm:6643:1795943454','vm','cpu','{"device": "cpu", "name": "AVX2", "numpy": "2.4.6", "steps and sharpness": "compiled by numba 0.68.1", "threads": "1", "torch": "2.13.0+cpu"}',1.79594348050325250624e+09,1.79594348064624428741e+09,1.79594348064624428741e+09,2,'done',NULL,'[]');
INSERT INTO "attempt" VALUES(9,1,'vm:6643:1795943454','vm','cpu','{"device": "cpu", "name": "AVX2", "numpy": "2.4.6", "steps and sharpness": "compiled by numba 0.68.1", "threads": "1", "torch": "2.13.0+cpu"}',1.79594348065408897403e+09,1.79594348086599040034e+09,1.79594348086599040034e+09,2,'done',NULL,'[]');
INSERT INTO "attempt" VALUES(10,1,'vm:6643:1795943454','vm','cpu','{"device": "cpu", "name": "AVX2", "numpy": "2.4.6", "steps and sharpness": "compiled by numba 0.68.1", "threads": "1", "torch": "2.13.0+cpu"}',1.79594348086792445179e+09,1.79594348101689553261e+09,1.79594348101689553261e+09,2,'done',NULL,'[]');
INSERT INTO "attempt" VALUES(11,1,'vm:6643:1795943454','vm','cpu','{"device": "cpu", "name": "AVX2", "numpy": "2.4.6", "steps and sharpness": "compiled by numba 0.68.1", "threads": "1", "torch": "2.13.0+cpu"}',1.79594348101368188859e+09,1.79594348118224453924e+09,1.79594348118224453924e+09,2,'done',NULL,'[]');
INSERT INTO "attempt" VALUES(12,1,'vm:6643:1795943454','vm','cpu','{"device": "cpu", "name": "AVX2", "numpy": "2.4.6", "steps and sharpness": "compiled by numba 0.68.1", "threads": "1", "torch": "2.13.0+cpu"}',1.79594348101840281485e+09,1.7959434811258873939e+09,1.7959434811258873939e+09,2,'done',NULL,'[]');
INSERT INTO "attempt" VALUES(13,1,'vm:6643:1795943454','vm','cpu','{"device": "cpu", "name": "AVX2", "numpy": "2.4.6", "steps and sharpness": "compiled by numba 0.68.1", "threads": "1", "torch": "2.13.0+cpu"}',1.79594348113815021512e+09,1.7959434812775263786e+09,1.7959434812775263786e+09,2,'done',NULL,'[]');
INSERT INTO "attempt" VALUES(14,1,'vm:6643:1795943454','vm','cpu','{"device": "cpu", "name": "AVX2", "numpy": "2.4.6", "steps and sharpness": "compiled by numba 0.68.1", "threads": "1", "torch": "2.13.0+cpu"}',1.79594348127956795688e+09,1.79594348140894865986e+09,1.79594348140894865986e+09,2,'done',NULL,'[]');
INSERT INTO "attempt" VALUES(15,1,'vm:6643:1795943454','vm','cpu','{"device": "cpu", "name": "AVX2", "numpy": "2.4.6", "steps and sharpness": "compiled by numba 0.68.1", "threads": "1", "torch": "2.13.0+cpu"}',1.7959434811941626072e+09,1.79594348137306904795e+09,1.79594348137306904795e+09,2,'done',NULL,'[]');
INSERT INTO "attempt" VALUES(16,1,'vm:6643:1795943454','vm','cpu','{"device": "cpu", "name": "AVX2", "numpy": "2.4.6", "steps and sharpness": "compiled by numba 0.68.1", "threads": "1", "torch": "2.13.0+cpu"}',1.79594348024294495581e+09,1.79594348099371266366e+09,1.79594348099371266366e+09,3,'done',NULL,'[]');
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
INSERT INTO "cell" VALUES(1,1,0,'1x8 var=1 out=0.5 momentum=0.5','{"accuracy_on":"train","activation":"relu","base_width":64,"batch":64,"bias":false,"data":"digits","data_id":"dbb0a35147d10363eb356b1a92b9ffac25d73b6d3ba790079fb0d64f9f3753d9","depth":1,"dtype":"float32","hidden_lr":1.0,"init_variance":1.0,"input_lr":1.0,"loss":"ce","max_steps":4,"model":"mlp","momentum":0.5,"n_params":592,"optimizer":"momentum","output_lr":0.5,"parametrization":"sp","samples":128,"standardize":"global","steps_per_epoch":2,"target":"classes","width":8}',1,8,592,'digits',128,'dbb0a35147d10363eb356b1a92b9ffac25d73b6d3ba790079fb0d64f9f3753d9','classes','global','mlp','relu',0,'sp',1.0,'ce','momentum',64,4,2,'float32',NULL,NULL,36,3.0,'train');
INSERT INTO "cell" VALUES(2,1,1,'1x16 var=1 out=0.5 momentum=0.5','{"accuracy_on":"train","activation":"relu","base_width":64,"batch":64,"bias":false,"data":"digits","data_id":"dbb0a35147d10363eb356b1a92b9ffac25d73b6d3ba790079fb0d64f9f3753d9","depth":1,"dtype":"float32","hidden_lr":1.0,"init_variance":1.0,"input_lr":1.0,"loss":"ce","max_steps":4,"model":"mlp","momentum":0.5,"n_params":1184,"optimizer":"momentum","output_lr":0.5,"parametrization":"sp","samples":128,"standardize":"global","steps_per_epoch":2,"target":"classes","width":16}',1,16,1184,'digits',128,'dbb0a35147d10363eb356b1a92b9ffac25d73b6d3ba790079fb0d64f9f3753d9','classes','global','mlp','relu',0,'sp',1.0,'ce','momentum',64,4,2,'float32',NULL,NULL,67,3.0,'train');
INSERT INTO "cell" VALUES(3,1,2,'1x8 var=1 out=0.5 momentum=0.9','{"accuracy_on":"train","activation":"relu","base_width":64,"batch":64,"bias":false,"data":"digits","data_id":"dbb0a35147d10363eb356b1a92b9ffac25d73b6d3ba790079fb0d64f9f3753d9","depth":1,"dtype":"float32","hidden_lr":1.0,"init_variance":1.0,"input_lr":1.0,"loss":"ce","max_steps":4,"model":"mlp","momentum":0.9,"n_params":592,"optimizer":"momentum","output_lr":0.5,"parametrization":"sp","samples":128,"standardize":"global","steps_per_epoch":2,"target":"classes","width":8}',1,8,592,'digits',128,'dbb0a35147d10363eb356b1a92b9ffac25d73b6d3ba790079fb0d64f9f3753d9','classes','global','mlp','relu',0,'sp',1.0,'ce','momentum',64,4,2,'float32',NULL,NULL,39,3.8,'train');
INSERT INTO "cell" VALUES(4,1,3,'1x16 var=1 out=0.5 momentum=0.9','{"accuracy_on":"train","activation":"relu","base_width":64,"batch":64,"bias":false,"data":"digits","data_id":"dbb0a35147d10363eb356b1a92b9ffac25d73b6d3ba790079fb0d64f9f3753d9","depth":1,"dtype":"float32","hidden_lr":1.0,"init_variance":1.0,"input_lr":1.0,"loss":"ce","max_steps":4,"model":"mlp","momentum":0.9,"n_params":1184,"optimizer":"momentum","output_lr":0.5,"parametrization":"sp","samples":128,"standardize":"global","steps_per_epoch":2,"target":"classes","width":16}',1,16,1184,'digits',128,'dbb0a35147d10363eb356b1a92b9ffac25d73b6d3ba790079fb0d64f9f3753d9','classes','global','mlp','relu',0,'sp',1.0,'ce','momentum',64,4,2,'float32',NULL,NULL,42,3.8,'train');
INSERT INTO "cell" VALUES(5,1,4,'1x8 var=1 out=1 momentum=0.5','{"accuracy_on":"train","activation":"relu","base_width":64,"batch":64,"bias":false,"data":"digits","data_id":"dbb0a35147d10363eb356b1a92b9ffac25d73b6d3ba790079fb0d64f9f3753d9","depth":1,"dtype":"float32","hidden_lr":1.0,"init_variance":1.0,"input_lr":1.0,"loss":"ce","max_steps":4,"model":"mlp","momentum":0.5,"n_params":592,"optimizer":"momentum","output_lr":1.0,"parametrization":"sp","samples":128,"standardize":"global","steps_per_epoch":2,"target":"classes","width":8}',1,8,592,'digits',128,'dbb0a35147d10363eb356b1a92b9ffac25d73b6d3ba790079fb0d64f9f3753d9','classes','global','mlp','relu',0,'sp',1.0,'ce','momentum',64,4,2,'float32',NULL,NULL,45,3.0,'train');
INSERT INTO "cell" VALUES(6,1,5,'1x16 var=1 out=1 momentum=0.5','{"accuracy_on":"train","activation":"relu","base_width":64,"batch":64,"bias":false,"data":"digits","data_id":"dbb0a35147d10363eb356b1a92b9ffac25d73b6d3ba790079fb0d64f9f3753d9","depth":1,"dtype":"float32","hidden_lr":1.0,"init_variance":1.0,"input_lr":1.0,"loss":"ce","max_steps":4,"model":"mlp","momentum":0.5,"n_params":1184,"optimizer":"momentum","output_lr":1.0,"parametrization":"sp","samples":128,"standardize":"global","steps_per_epoch":2,"target":"classes","width":16}',1,16,1184,'digits',128,'dbb0a35147d10363eb356b1a92b9ffac25d73b6d3ba790079fb0d64f9f3753d9','classes','global','mlp','relu',0,'sp',1.0,'ce','momentum',64,4,2,'float32',NULL,NULL,48,3.0,'train');
INSERT INTO "cell" VALUES(7,1,6,'1x8 var=1 out=1 momentum=0.9','{"accuracy_on":"train","activation":"relu","base_width":64,"batch":64,"bias":false,"data":"digits","data_id":"dbb0a35147d10363eb356b1a92b9ffac25d73b6d3ba790079fb0d64f9f3753d9","depth":1,"dtype":"float32","hidden_lr":1.0,"init_variance":1.0,"input_lr":1.0,"loss":"ce","max_steps":4,"model":"mlp","momentum":0.9,"n_params":592,"optimizer":"momentum","output_lr":1.0,"parametrization":"sp","samples":128,"standardize":"global","steps_per_epoch":2,"target":"classes","width":8}',1,8,592,'digits',128,'dbb0a35147d10363eb356b1a92b9ffac25d73b6d3ba790079fb0d64f9f3753d9','classes','global','mlp','relu',0,'sp',1.0,'ce','momentum',64,4,2,'float32',NULL,NULL,54,3.8,'train');
INSERT INTO "cell" VALUES(8,1,7,'1x16 var=1 out=1 momentum=0.9','{"accuracy_on":"train","activation":"relu","base_width":64,"batch":64,"bias":false,"data":"digits","data_id":"dbb0a35147d10363eb356b1a92b9ffac25d73b6d3ba790079fb0d64f9f3753d9","depth":1,"dtype":"float32","hidden_lr":1.0,"init_variance":1.0,"input_lr":1.0,"loss":"ce","max_steps":4,"model":"mlp","momentum":0.9,"n_params":1184,"optimizer":"momentum","output_lr":1.0,"parametrization":"sp","samples":128,"standardize":"global","steps_per_epoch":2,"target":"classes","width":16}',1,16,1184,'digits',128,'dbb0a35147d10363eb356b1a92b9ffac25d73b6d3ba790079fb0d64f9f3753d9','classes','global','mlp','relu',0,'sp',1.0,'ce','momentum',64,4,2,'float32',NULL,NULL,57,3.8,'train');
INSERT INTO "cell" VALUES(9,1,8,'1x8 var=2 out=0.5 momentum=0.5','{"accuracy_on":"train","activation":"relu","base_width":64,"batch":64,"bias":false,"data":"digits","data_id":"dbb0a35147d10363eb356b1a92b9ffac25d73b6d3ba790079fb0d64f9f3753d9","depth":1,"dtype":"float32","hidden_lr":1.0,"init_variance":2.0,"input_lr":1.0,"loss":"ce","max_steps":4,"model":"mlp","momentum":0.5,"n_params":592,"optimizer":"momentum","output_lr":0.5,"parametrization":"sp","samples":128,"standardize":"global","steps_per_epoch":2,"target":"classes","width":8}',1,8,592,'digits',128,'dbb0a35147d10363eb356b1a92b9ffac25d73b6d3ba790079fb0d64f9f3753d9','classes','global','mlp','relu',0,'sp',1.0,'ce','momentum',64,4,2,'float32',NULL,NULL,60,3.0,'train');
INSERT INTO "cell" VALUES(10,1,9,'1x16 var=2 out=0.5 momentum=0.5','{"accuracy_on":"train","activation":"relu","base_width":64,"batch":64,"bias":false,"data":"digits","data_id":"dbb0a35147d10363eb356b1a92b9ffac25d73b6d3ba790079fb0d64f9f3753d9","depth":1,"dtype":"float32","hidden_lr":1.0,"init_variance":2.0,"input_lr":1.0,"loss":"ce","max_steps":4,"model":"mlp","momentum":0.5,"n_params":1184,"optimizer":"momentum","output_lr":0.5,"parametrization":"sp","samples":128,"standardize":"global","steps_per_epoch":2,"target":"classes","width":16}',1,16,1184,'digits',128,'dbb0a35147d10363eb356b1a92b9ffac25d73b6d3ba790079fb0d64f9f3753d9','classes','global','mlp','relu',0,'sp',1.0,'ce','momentum',64,4,2,'float32',NULL,NULL,64,3.0,'train');
INSERT INTO "cell" VALUES(11,1,10,'1x8 var=2 out=0.5 momentum=0.9','{"accuracy_on":"train","activation":"relu","base_width":64,"batch":64,"bias":false,"data":"digits","data_id":"dbb0a35147d10363eb356b1a92b9ffac25d73b6d3ba790079fb0d64f9f3753d9","depth":1,"dtype":"float32","hidden_lr":1.0,"init_variance":2.0,"input_lr":1.0,"loss":"ce","max_steps":4,"model":"mlp","momentum":0.9,"n_params":592,"optimizer":"momentum","output_lr":0.5,"parametrization":"sp","samples":128,"standardize":"global","steps_per_epoch":2,"target":"classes","width":8}',1,8,592,'digits',128,'dbb0a35147d10363eb356b1a92b9ffac25d73b6d3ba790079fb0d64f9f3753d9','classes','global','mlp','relu',0,'sp',1.0,'ce','momentum',64,4,2,'float32',NULL,NULL,70,3.8,'train');
INSERT INTO "cell" VALUES(12,1,11,'1x16 var=2 out=0.5 momentum=0.9','{"accuracy_on":"train","activation":"relu","base_width":64,"batch":64,"bias":false,"data":"digits","data_id":"dbb0a35147d10363eb356b1a92b9ffac25d73b6d3ba790079fb0d64f9f3753d9","depth":1,"dtype":"float32","hidden_lr":1.0,"init_variance":2.0,"input_lr":1.0,"loss":"ce","max_steps":4,"model":"mlp","momentum":0.9,"n_params":1184,"optimizer":"momentum","output_lr":0.5,"parametrization":"sp","samples":128,"standardize":"global","steps_per_epoch":2,"target":"classes","width":16}',1,16,1184,'digits',128,'dbb0a35147d10363eb356b1a92b9ffac25d73b6d3ba790079fb0d64f9f3753d9','classes','global','mlp','relu',0,'sp',1.0,'ce','momentum',64,4,2,'float32',NULL,NULL,76,3.8,'train');
INSERT INTO "cell" VALUES(13,1,12,'1x8 var=2 out=1 momentum=0.5','{"accuracy_on":"train","activation":"relu","base_width":64,"batch":64,"bias":false,"data":"digits","data_id":"dbb0a35147d10363eb356b1a92b9ffac25d73b6d3ba790079fb0d64f9f3753d9","depth":1,"dtype":"float32","hidden_lr":1.0,"init_variance":2.0,"input_lr":1.0,"loss":"ce","max_steps":4,"model":"mlp","momentum":0.5,"n_params":592,"optimizer":"momentum","output_lr":1.0,"parametrization":"sp","samples":128,"standardize":"global","steps_per_epoch":2,"target":"classes","width":8}',1,8,592,'digits',128,'dbb0a35147d10363eb356b1a92b9ffac25d73b6d3ba790079fb0d64f9f3753d9','classes','global','mlp','relu',0,'sp',1.0,'ce','momentum',64,4,2,'float32',NULL,NULL,73,3.0,'train');
INSERT INTO "cell" VALUES(14,1,13,'1x16 var=2 out=1 momentum=0.5','{"accuracy_on":"train","activation":"relu","base_width":64,"batch":64,"bias":false,"data":"digits","data_id":"dbb0a35147d10363eb356b1a92b9ffac25d73b6d3ba790079fb0d64f9f3753d9","depth":1,"dtype":"float32","hidden_lr":1.0,"init_variance":2.0,"input_lr":1.0,"loss":"ce","max_steps":4,"model":"mlp","momentum":0.5,"n_params":1184,"optimizer":"momentum","output_lr":1.0,"parametrization":"sp","samples":128,"standardize":"global","steps_per_epoch":2,"target":"classes","width":16}',1,16,1184,'digits',128,'dbb0a35147d10363eb356b1a92b9ffac25d73b6d3ba790079fb0d64f9f3753d9','classes','global','mlp','relu',0,'sp',1.0,'ce','momentum',64,4,2,'float32',NULL,NULL,79,3.0,'train');
INSERT INTO "cell" VALUES(15,1,14,'1x8 var=2 out=1 momentum=0.9','{"accuracy_on":"train","activation":"relu","base_width":64,"batch":64,"bias":false,"data":"digits","data_id":"dbb0a35147d10363eb356b1a92b9ffac25d73b6d3ba790079fb0d64f9f3753d9","depth":1,"dtype":"float32","hidden_lr":1.0,"init_variance":2.0,"input_lr":1.0,"loss":"ce","max_steps":4,"model":"mlp","momentum":0.9,"n_params":592,"optimizer":"momentum","output_lr":1.0,"parametrization":"sp","samples":128,"standardize":"global","steps_per_epoch":2,"target":"classes","width":8}',1,8,592,'digits',128,'dbb0a35147d10363eb356b1a92b9ffac25d73b6d3ba790079fb0d64f9f3753d9','classes','global','mlp','relu',0,'sp',1.0,'ce','momentum',64,4,2,'float32',NULL,NULL,84,3.8,'train');
INSERT INTO "cell" VALUES(16,1,15,'1x16 var=2 out=1 momentum=0.9','{"accuracy_on":"train","activation":"relu","base_width":64,"batch":64,"bias":false,"data":"digits","data_id":"dbb0a35147d10363eb356b1a92b9ffac25d73b6d3ba790079fb0d64f9f3753d9","depth":1,"dtype":"float32","hidden_lr":1.0,"init_variance":2.0,"input_lr":1.0,"loss":"ce","max_steps":4,"model":"mlp","momentum":0.9,"n_params":1184,"optimizer":"momentum","output_lr":1.0,"parametrization":"sp","samples":128,"standardize":"global","steps_per_epoch":2,"target":"classes","width":16}',1,16,1184,'digits',128,'dbb0a35147d10363eb356b1a92b9ffac25d73b6d3ba790079fb0d64f9f3753d9','classes','global','mlp','relu',0,'sp',1.0,'ce','momentum',64,4,2,'float32',NULL,NULL,82,3.8,'train');
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
INSERT INTO "eigenvalue" VALUES(1,0,'gauss-newton',1,1.2391625019999465973e+00,3.96935930334414533837e-10);
INSERT INTO "eigenvalue" VALUES(1,0,'gauss-newton',2,1.0449863370558760689e+00,3.59471895965119737654e-04);
INSERT INTO "eigenvalue" VALUES(1,2,'gauss-newton',1,1.27663197737942279985e+00,1.29362413714558605938e-05);
INSERT INTO "eigenvalue" VALUES(1,2,'gauss-newton',2,1.08086116293355227746e+00,2.38069494657485412891e-03);
INSERT INTO "eigenvalue" VALUES(1,4,'gauss-newton',1,1.30819947284313342628e+00,1.24497005018581901637e-04);
INSERT INTO "eigenvalue" VALUES(1,4,'gauss-newton',2,1.01219629158135182578e+00,3.69584102672359561536e-03);
INSERT INTO "eigenvalue" VALUES(2,0,'gauss-newton',1,1.2391625019999465973e+00,3.96935930334414533837e-10);
INSERT INTO "eigenvalue" VALUES(2,0,'gauss-newton',2,1.0449863370558760689e+00,3.59471895965119737654e-04);
INSERT INTO "eigenvalue" VALUES(2,2,'gauss-newton',1,1.29342775522669173327e+00,2.47203269782203078827e-06);
INSERT INTO "eigenvalue" VALUES(2,2,'gauss-newton',2,1.08572264244436533786e+00,2.29782573953607374001e-03);
INSERT INTO "eigenvalue" VALUES(2,4,'gauss-newton',1,1.13046019742223124993e+00,7.41249162262174376893e-05);
INSERT INTO "eigenvalue" VALUES(2,4,'gauss-newton',2,9.29353240417158943387e-01,1.19237637599897065669e-03);
INSERT INTO "eigenvalue" VALUES(3,0,'gauss-newton',1,1.05039678033889294361e+00,4.64155344681668695187e-05);
INSERT INTO "eigenvalue" VALUES(3,0,'gauss-newton',2,9.5160335491757463977e-01,3.27014661385716142501e-04);
INSERT INTO "eigenvalue" VALUES(3,2,'gauss-newton',1,1.01728096449624816344e+00,1.71244954888933795505e-04);
INSERT INTO "eigenvalue" VALUES(3,2,'gauss-newton',2,0.875569807668098,1.90376614778037678982e-03);
INSERT INTO "eigenvalue" VALUES(3,4,'gauss-newton',1,9.40537666428572616261e-01,1.75748313280982812242e-05);
INSERT INTO "eigenvalue" VALUES(3,4,'gauss-newton',2,0.830017473754528,7.65992578052742236274e-04);
INSERT INTO "eigenvalue" VALUES(4,0,'gauss-newton',1,1.2446480524384502253e+00,4.06063938267551042182e-07);
INSERT INTO "eigenvalue" VALUES(4,0,'gauss-newton',2,1.04973932736388642084e+00,8.31259180338490550991e-04);
INSERT INTO "eigenvalue" VALUES(4,2,'gauss-newton',1,1.27582128409007800051e+00,3.261064798979342452e-06);
INSERT INTO "eigenvalue" VALUES(4,2,'gauss-newton',2,1.09187565065519942564e+00,1.25568528998916146416e-03);
INSERT INTO "eigenvalue" VALUES(4,4,'gauss-newton',1,1.29821170402262286991e+00,1.67728697478476468027e-04);
INSERT INTO "eigenvalue" VALUES(4,4,'gauss-newton',2,1.03331406145387716399e+00,0.00328059143453704);
INSERT INTO "eigenvalue" VALUES(5,0,'gauss-newton',1,1.08301103038267743094e+00,2.29857321427087045928e-04);
INSERT INTO "eigenvalue" VALUES(5,0,'gauss-newton',2,1.06923914369031036741e+00,2.21886847723413977275e-04);
INSERT INTO "eigenvalue" VALUES(5,2,'gauss-newton',1,1.04742377046511725424e+00,4.53827345579397228381e-05);
INSERT INTO "eigenvalue" VALUES(5,2,'gauss-newton',2,9.0757572296026312042e-01,1.49391796798334841253e-03);
INSERT INTO "eigenvalue" VALUES(5,4,'gauss-newton',1,1.05315229975832069797e+00,5.5517850568532385873e-05);
INSERT INTO "eigenvalue" VALUES(5,4,'gauss-newton',2,9.20810262214242780665e-01,1.07143667249336204186e-03);
INSERT INTO "eigenvalue" VALUES(6,0,'gauss-newton',1,1.2446480524384502253e+00,4.06063938267551042182e-07);
INSERT INTO "eigenvalue" VALUES(6,0,'gauss-newton',2,1.04973932736388642084e+00,8.31259180338490550991e-04);
INSERT INTO "eigenvalue" VALUES(6,2,'gauss-newton',1,1.29047587418036946438e+00,2.36456679288903520675e-07);
INSERT INTO "eigenvalue" VALUES(6,2,'gauss-newton',2,1.09366949121301,2.78266086255702553911e-03);
INSERT INTO "eigenvalue" VALUES(6,4,'gauss-newton',1,1.13400092845710553923e+00,3.64919498123839153801e-05);
INSERT INTO "eigenvalue" VALUES(6,4,'gauss-newton',2,9.58819336392883747599e-01,4.60156148432506496848e-04);
INSERT INTO "eigenvalue" VALUES(7,0,'gauss-newton',1,1.08301103038267743094e+00,2.29857321427087045928e-04);
INSERT INTO "eigenvalue" VALUES(7,0,'gauss-newton',2,1.06923914369031036741e+00,2.21886847723413977275e-04);
INSERT INTO "eigenvalue" VALUES(7,2,'gauss-newton',1,1.06053651333320897443e+00,4.97799858177974492885e-05);
INSERT INTO "eigenvalue" VALUES(7,2,'gauss-newton',2,9.06091148140251712028e-01,1.68938816152314295188e-03);
INSERT INTO "eigenvalue" VALUES(7,4,'gauss-newton',1,1.14509834778889163509e+00,7.71987653702717519822e-04);
INSERT INTO "eigenvalue" VALUES(7,4,'gauss-newton',2,9.52255995037710856188e-01,2.49675580703675407262e-03);
INSERT INTO "eigenvalue" VALUES(8,0,'gauss-newton',1,1.85535370377059360968e+00,2.70958955697811650076e-04);
INSERT INTO "eigenvalue" VALUES(8,0,'gauss-newton',2,1.79563951264837151633e+00,6.90059561308502744311e-04);
INSERT INTO "eigenvalue" VALUES(8,2,'gauss-newton',1,1.92200950820671678798e+00,8.58908618456834921893e-04);
INSERT INTO "eigenvalue" VALUES(8,2,'gauss-newton',2,1.77949907307054311367e+00,6.01566438236999525245e-04);
INSERT INTO "eigenvalue" VALUES(8,4,'gauss-newton',1,1.77169667000253250321e+00,2.28643703035915600314e-07);
INSERT INTO "eigenvalue" VALUES(8,4,'gauss-newton',2,1.45098284124450960241e+00,7.20032572123840714645e-04);
INSERT INTO "eigenvalue" VALUES(9,0,'gauss-newton',1,1.77919879261318292229e+00,6.68866047597581e-05);
INSERT INTO "eigenvalue" VALUES(9,0,'gauss-newton',2,1.69703815965823556766e+00,4.06052597243270526478e-04);
INSERT INTO "eigenvalue" VALUES(9,2,'gauss-newton',1,1.78875189345872098733e+00,2.49159058446908106233e-06);
INSERT INTO "eigenvalue" VALUES(9,2,'gauss-newton',2,1.56413164294448958635e+00,1.17275997520813256118e-03);
INSERT INTO "eigenvalue" VALUES(9,4,'gauss-newton',1,1.61607769001396728292e+00,8.14204692491613e-07);
INSERT INTO "eigenvalue" VALUES(9,4,'gauss-newton',2,1.39605521228650397702e+00,4.55695754366389172654e-04);
INSERT INTO "eigenvalue" VALUES(10,0,'gauss-newton',1,1.85535370377059360968e+00,2.70958955697811650076e-04);
INSERT INTO "eigenvalue" VALUES(10,0,'gauss-newton',2,1.79563951264837151633e+00,6.90059561308502744311e-04);
INSERT INTO "eigenvalue" VALUES(10,2,'gauss-newton',1,2.05552055722012205762e+00,1.946042988032779602e-04);
INSERT INTO "eigenvalue" VALUES(10,2,'gauss-newton',2,1.82351658753589074279e+00,1.28047827314880960196e-03);
INSERT INTO "eigenvalue" VALUES(10,4,'gauss-newton',1,1.47315835004917072836e+00,1.74651840560256148672e-07);
INSERT INTO "eigenvalue" VALUES(10,4,'gauss-newton',2,1.30997857029114039839e+00,1.16705470532486323652e-03);
INSERT INTO "eigenvalue" VALUES(11,0,'gauss-newton',1,1.77919879261318292229e+00,6.68866047597581e-05);
INSERT INTO "eigenvalue" VALUES(11,0,'gauss-newton',2,1.69703815965823556766e+00,4.06052597243270526478e-04);
INSERT INTO "eigenvalue" VALUES(11,2,'gauss-newton',1,1.79009256566969088275e+00,5.35144261953173322986e-06);
INSERT INTO "eigenvalue" VALUES(11,2,'gauss-newton',2,1.55407884678871832662e+00,1.75569235933173157376e-03);
INSERT INTO "eigenvalue" VALUES(11,4,'gauss-newton',1,1.51424751751451092118e+00,1.05825707818094084911e-05);
INSERT INTO "eigenvalue" VALUES(11,4,'gauss-newton',2,1.36850508618376798253e+00,8.10117608559159617376e-04);
INSERT INTO "eigenvalue" VALUES(12,0,'gauss-newton',1,1.88241403417821162591e+00,8.11867089212219423741e-05);
INSERT INTO "eigenvalue" VALUES(12,0,'gauss-newton',2,1.84059068757726929099e+00,4.15865686778248925398e-04);
INSERT INTO "eigenvalue" VALUES(12,2,'gauss-newton',1,1.90949193394071414786e+00,4.07445127176281481854e-04);
INSERT INTO "eigenvalue" VALUES(12,2,'gauss-newton',2,1.79201492711446230821e+00,1.41952821084856905219e-03);
INSERT INTO "eigenvalue" VALUES(12,4,'gauss-newton',1,1.75503049244873,3.85463869306721203982e-06);
INSERT INTO "eigenvalue" VALUES(12,4,'gauss-newton',2,1.47355100615291578769e+00,6.9746201449726356273e-04);
INSERT INTO "eigenvalue" VALUES(13,0,'gauss-newton',1,2.14699044065690847205e+00,3.69340428167493540351e-08);
INSERT INTO "eigenvalue" VALUES(13,0,'gauss-newton',2,1.81453890572678022685e+00,4.40792128460792910406e-04);
INSERT INTO "eigenvalue" VALUES(13,2,'gauss-newton',1,1.89276413513332175675e+00,2.9175542545315628273e-06);
INSERT INTO "eigenvalue" VALUES(13,2,'gauss-newton',2,1.70462980965032118163e+00,4.3632969733773915074e-04);
INSERT INTO "eigenvalue" VALUES(13,4,'gauss-newton',1,1.95205057270844073435e+00,2.3156355426849425552e-08);
INSERT INTO "eigenvalue" VALUES(13,4,'gauss-newton',2,1.52019050401667499272e+00,8.92587238752416841335e-04);
INSERT INTO "eigenvalue" VALUES(14,0,'gauss-newton',1,1.88241403417821162591e+00,8.11867089212219423741e-05);
INSERT INTO "eigenvalue" VALUES(14,0,'gauss-newton',2,1.84059068757726929099e+00,4.15865686778248925398e-04);
INSERT INTO "eigenvalue" VALUES(14,2,'gauss-newton',1,2.04432713297354684556e+00,2.64515919669736033949e-04);
INSERT INTO "eigenvalue" VALUES(14,2,'gauss-newton',2,1.82766419102864752233e+00,1.06922090114508700278e-03);
INSERT INTO "eigenvalue" VALUES(14,4,'gauss-newton',1,1.44584199927218737258e+00,1.10288297112297903671e-06);
INSERT INTO "eigenvalue" VALUES(14,4,'gauss-newton',2,1.30611695460379206856e+00,8.40437193024561480375e-04);
INSERT INTO "eigenvalue" VALUES(15,0,'gauss-newton',1,2.14699044065690847205e+00,3.69340428167493540351e-08);
INSERT INTO "eigenvalue" VALUES(15,0,'gauss-newton',2,1.81453890572678022685e+00,4.40792128460792910406e-04);
INSERT INTO "eigenvalue" VALUES(15,2,'gauss-newton',1,1.90405240066152781075e+00,1.17335349834680699107e-07);
INSERT INTO "eigenvalue" VALUES(15,2,'gauss-newton',2,1.69184782235603248246e+00,1.08267028347852059186e-03);
INSERT INTO "eigenvalue" VALUES(15,4,'gauss-newton',1,1.8947467890082634323e+00,1.73191697842820698082e-06);
INSERT INTO "eigenvalue" VALUES(15,4,'gauss-newton',2,1.48610468398130746159e+00,2.79396429584971529511e-03);
INSERT INTO "eigenvalue" VALUES(16,0,'gauss-newton',1,1.05039678033889294361e+00,4.64155344681668695187e-05);
INSERT INTO "eigenvalue" VALUES(16,0,'gauss-newton',2,9.5160335491757463977e-01,3.27014661385716142501e-04);
INSERT INTO "eigenvalue" VALUES(16,2,'gauss-newton',1,1.01443255931619402687e+00,2.46543555432202619349e-04);
INSERT INTO "eigenvalue" VALUES(16,2,'gauss-newton',2,8.77860502018053545647e-01,2.2039544453969612224e-03);
INSERT INTO "eigenvalue" VALUES(16,4,'gauss-newton',1,0.955493566548774,7.21247170601079217594e-05);
INSERT INTO "eigenvalue" VALUES(16,4,'gauss-newton',2,8.37275578242574480825e-01,1.04929817625580351289e-03);
CREATE TABLE event (
  event_id INTEGER PRIMARY KEY,
  at       REAL NOT NULL,
  level    TEXT NOT NULL CHECK (level IN ('info', 'warning', 'error')),
  sweep_id INTEGER REFERENCES sweep ON DELETE CASCADE,
  trial_id INTEGER REFERENCES trial ON DELETE CASCADE,
  host     TEXT,
  text     TEXT NOT NULL
) STRICT;
INSERT INTO "event" VALUES(1,1.79594347146835350988e+09,'info',1,NULL,'vm','started ''five axes'': 16 nets in 16 cells');
INSERT INTO "event" VALUES(2,1.7959434814288752079e+09,'info',1,NULL,'vm','finished ''five axes''');
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
INSERT INTO "fit" VALUES(1,'lambda0 ~ depth*width','depth*width','lambda0',-5.47739850185491750772e-03,-4.7308479838578904042e-01,4.62130001382079214078e-01,4.37092221517205892222e-01,4.5082347533309530263e-05,16,3.01029995663981198017e-01,'','[]',NULL,NULL,'OLS on per-cell means, t(14)','under one decade','[["1x8 var=1 out=0.5 momentum=0.5", 7.999999999999998, 0.21885076285134827], ["1x8 var=1 out=0.5 momentum=0.9", 7.999999999999998, 0.21885076285134827], ["1x8 var=1 out=1 momentum=0.5", 7.999999999999998, 0.21885076285134827], ["1x8 var=1 out=1 momentum=0.9", 7.999999999999998, 0.21885076285134827], ["1x8 var=2 out=0.5 momentum=0.5", 7.999999999999998, 0.6325538202128795], ["1x8 var=2 out=0.5 momentum=0.9", 7.999999999999998, 0.6325538202128795], ["1x8 var=2 out=1 momentum=0.5", 7.999999999999998, 0.6325538202128795], ["1x8 var=2 out=1 momentum=0.9", 7.999999999999998, 0.6325538202128795], ["1x16 var=1 out=0.5 momentum=0.5", 15.999999999999998, 0.0797451529925428], ["1x16 var=1 out=0.5 momentum=0.9", 15.999999999999998, 0.0797451529925428], ["1x16 var=1 out=1 momentum=0.5", 15.999999999999998, 0.0797451529925428], ["1x16 var=1 out=1 momentum=0.9", 15.999999999999998, 0.0797451529925428], ["1x16 var=2 out=0.5 momentum=0.5", 15.999999999999998, 0.764066143414957], ["1x16 var=2 out=0.5 momentum=0.9", 15.999999999999998, 0.764066143414957], ["1x16 var=2 out=1 momentum=0.5", 15.999999999999998, 0.764066143414957], ["1x16 var=2 out=1 momentum=0.9", 15.999999999999998, 0.764066143414957]]');
CREATE TABLE layer (
  trial_id        INTEGER NOT NULL REFERENCES trial ON DELETE CASCADE,
  step            INTEGER NOT NULL CHECK (step >= 0),
  layer           INTEGER NOT NULL CHECK (layer >= 1),
  activation_rms  REAL,  -- NULL: not finite
  effective_rms   REAL,
  propagating_rms REAL,
  PRIMARY KEY (trial_id, step, layer)
) STRICT, WITHOUT ROWID;
INSERT INTO "layer" VALUES(1,0,1,6.44989378836914761805e-01,0.0,0.0);
INSERT INTO "layer" VALUES(1,0,2,6.94348867861995233674e-01,0.0,0.0);
INSERT INTO "layer" VALUES(1,1,1,6.30697618572193641206e-01,1.01137093044473796998e-01,0.0);
INSERT INTO "layer" VALUES(1,1,2,6.71975648277878256919e-01,5.00268125080994240094e-03,1.05818372825394885206e-01);
INSERT INTO "layer" VALUES(1,2,1,6.31855953437391315574e-01,2.33743202770411745428e-01,0.0);
INSERT INTO "layer" VALUES(1,2,2,6.72570685962768144428e-01,1.0781099202583724686e-02,2.31324417288867933972e-01);
INSERT INTO "layer" VALUES(1,3,1,6.49479002475418454309e-01,3.82185147790777890453e-01,0.0);
INSERT INTO "layer" VALUES(1,3,2,7.02644604467265287972e-01,1.92561509341439493492e-02,3.51294471146209541512e-01);
INSERT INTO "layer" VALUES(1,4,1,6.81157987642292517271e-01,4.92437505362336491732e-01,0.0);
INSERT INTO "layer" VALUES(1,4,2,7.51884512239492153184e-01,2.60779811433935193587e-02,4.35578739702716044579e-01);
INSERT INTO "layer" VALUES(2,0,1,6.44989378836914761805e-01,0.0,0.0);
INSERT INTO "layer" VALUES(2,0,2,6.94348867861995233674e-01,0.0,0.0);
INSERT INTO "layer" VALUES(2,1,1,6.30697618572193641206e-01,1.01137093044473796998e-01,0.0);
INSERT INTO "layer" VALUES(2,1,2,6.71975648277878256919e-01,5.00268125080994240094e-03,1.05818372825394885206e-01);
INSERT INTO "layer" VALUES(2,2,1,6.34085992486604577145e-01,2.73258497808666123152e-01,0.0);
INSERT INTO "layer" VALUES(2,2,2,6.77190391065669250458e-01,1.26801710418067183072e-02,2.65762436579297933736e-01);
INSERT INTO "layer" VALUES(2,3,1,6.77297933245185501682e-01,5.05679843485854485507e-01,0.0);
INSERT INTO "layer" VALUES(2,3,2,0.747643526627718,2.56068927225926688817e-02,4.43066564001400542416e-01);
INSERT INTO "layer" VALUES(2,4,1,7.65733552710789244777e-01,7.46240717901169081649e-01,0.0);
INSERT INTO "layer" VALUES(2,4,2,8.75388073904317498552e-01,4.16608599508630148e-02,0.614907884710423);
INSERT INTO "layer" VALUES(3,0,1,6.89239249838214274035e-01,0.0,0.0);
INSERT INTO "layer" VALUES(3,0,2,7.08440429117739522979e-01,0.0,0.0);
INSERT INTO "layer" VALUES(3,1,1,6.8224821578865635363e-01,6.44093241426750839906e-02,0.0);
INSERT INTO "layer" VALUES(3,1,2,6.96358921675781505911e-01,1.34687680162195316801e-02,6.37852678123119465336e-02);
INSERT INTO "layer" VALUES(3,2,1,6.7914809677517629094e-01,1.84090220068075849368e-01,0.0);
INSERT INTO "layer" VALUES(3,2,2,6.94296236439088332303e-01,3.6076873726601614567e-02,1.81350900747599436124e-01);
INSERT INTO "layer" VALUES(3,3,1,6.96512144946351496876e-01,3.51519437761147690579e-01,0.0);
INSERT INTO "layer" VALUES(3,3,2,7.32230877494845611153e-01,7.01265278790906693151e-02,3.36950635235561291036e-01);
INSERT INTO "layer" VALUES(3,4,1,0.744747075683694,5.40047469295025894808e-01,0.0);
INSERT INTO "layer" VALUES(3,4,2,8.16572202066784380569e-01,1.1234295126843553414e-01,5.06830579122524382817e-01);
INSERT INTO "layer" VALUES(4,0,1,6.44989378836914761805e-01,0.0,0.0);
INSERT INTO "layer" VALUES(4,0,2,6.94348867861995233674e-01,0.0,0.0);
INSERT INTO "layer" VALUES(4,1,1,6.30697618572193641206e-01,1.01137093044473796998e-01,0.0);
INSERT INTO "layer" VALUES(4,1,2,6.69517787207069892119e-01,1.00053492165782745987e-02,1.05818372825394885206e-01);
INSERT INTO "layer" VALUES(4,2,1,6.32193926272152206813e-01,2.33520233642481311875e-01,0.0);
INSERT INTO "layer" VALUES(4,2,2,6.68316413206845760797e-01,2.15355620016327020671e-02,2.31151061081318054402e-01);
INSERT INTO "layer" VALUES(4,3,1,6.50770795442451310819e-01,3.81438780665930843305e-01,0.0);
INSERT INTO "layer" VALUES(4,3,2,6.97102643205874783483e-01,3.84671888558886232445e-02,3.50925912208530532687e-01);
INSERT INTO "layer" VALUES(4,4,1,6.83792754194297747183e-01,4.91360438476121375028e-01,0.0);
INSERT INTO "layer" VALUES(4,4,2,7.47258201809246180857e-01,5.21690729160271607356e-02,4.35146934107353666743e-01);
INSERT INTO "layer" VALUES(5,0,1,6.89239249838214274035e-01,0.0,0.0);
INSERT INTO "layer" VALUES(5,0,2,7.08440429117739522979e-01,0.0,0.0);
INSERT INTO "layer" VALUES(5,1,1,6.8224821578865635363e-01,6.44093241426750839906e-02,0.0);
INSERT INTO "layer" VALUES(5,1,2,6.89857718712099110547e-01,2.69375255711230450483e-02,6.37852678123119465336e-02);
INSERT INTO "layer" VALUES(5,2,1,6.79402583963238937414e-01,1.59022614661890077103e-01,0.0);
INSERT INTO "layer" VALUES(5,2,2,6.81598250788146509115e-01,6.15037646452767164384e-02,1.58590125339977044971e-01);
INSERT INTO "layer" VALUES(5,3,1,6.86902049187024466014e-01,2.6498001311247920686e-01,0.0);
INSERT INTO "layer" VALUES(5,3,2,6.95100368799569934274e-01,1.04679536332981465429e-01,2.60074502834197918144e-01);
INSERT INTO "layer" VALUES(5,4,1,7.04301395667456531235e-01,3.59508773964039352044e-01,0.0);
INSERT INTO "layer" VALUES(5,4,2,0.728325913870588,1.4277757321614259478e-01,3.48719603372191377932e-01);
INSERT INTO "layer" VALUES(6,0,1,6.44989378836914761805e-01,0.0,0.0);
INSERT INTO "layer" VALUES(6,0,2,6.94348867861995233674e-01,0.0,0.0);
INSERT INTO "layer" VALUES(6,1,1,6.30697618572193641206e-01,1.01137093044473796998e-01,0.0);
INSERT INTO "layer" VALUES(6,1,2,6.69517787207069892119e-01,1.00053492165782745987e-02,1.05818372825394885206e-01);
INSERT INTO "layer" VALUES(6,2,1,6.34415646932112387013e-01,2.73038769681772874875e-01,0.0);
INSERT INTO "layer" VALUES(6,2,2,6.7215004946257939089e-01,2.5335799924188620591e-02,2.6559328959721817398e-01);
INSERT INTO "layer" VALUES(6,3,1,6.7899571098252309298e-01,5.04806844425041867374e-01,0.0);
INSERT INTO "layer" VALUES(6,3,2,7.40506035720704391955e-01,5.124974464097491883e-02,4.42508125036746247094e-01);
INSERT INTO "layer" VALUES(6,4,1,7.69352649672026656091e-01,7.44722405009253796137e-01,0.0);
INSERT INTO "layer" VALUES(6,4,2,8.68109806323524191284e-01,0.0836418441992169,0.61430221626093);
INSERT INTO "layer" VALUES(7,0,1,6.89239249838214274035e-01,0.0,0.0);
INSERT INTO "layer" VALUES(7,0,2,7.08440429117739522979e-01,0.0,0.0);
INSERT INTO "layer" VALUES(7,1,1,6.8224821578865635363e-01,6.44093241426750839906e-02,0.0);
INSERT INTO "layer" VALUES(7,1,2,6.89857718712099110547e-01,2.69375255711230450483e-02,6.37852678123119465336e-02);
INSERT INTO "layer" VALUES(7,2,1,6.79692358179775912851e-01,1.83726525943982949007e-01,0.0);
INSERT INTO "layer" VALUES(7,2,2,6.81418176081323379023e-01,7.17988066652420625635e-02,1.81108654959661941052e-01);
INSERT INTO "layer" VALUES(7,3,1,6.98795368813699857568e-01,3.49854955167823722383e-01,0.0);
INSERT INTO "layer" VALUES(7,3,2,7.17915719184217815396e-01,1.38671201397886939554e-01,3.36258615116218129159e-01);
INSERT INTO "layer" VALUES(7,4,1,7.49489998187080286307e-01,5.3608248050430629128e-01,0.0);
INSERT INTO "layer" VALUES(7,4,2,0.810774004220929,2.20764442301995489348e-01,5.05785094262148682275e-01);
INSERT INTO "layer" VALUES(8,0,1,9.12152737755211662218e-01,0.0,0.0);
INSERT INTO "layer" VALUES(8,0,2,1.38869776789345755751e+00,0.0,0.0);
INSERT INTO "layer" VALUES(8,1,1,8.78341239173579313437e-01,1.56155719656592140154e-01,0.0);
INSERT INTO "layer" VALUES(8,1,2,1.31349057343322450641e+00,1.28147458609184309447e-02,2.29841290398054620691e-01);
INSERT INTO "layer" VALUES(8,2,1,8.61393129615017794087e-01,3.59616122132792093157e-01,0.0);
INSERT INTO "layer" VALUES(8,2,2,1.27730390172804963988e+00,0.0269745700505598,4.95568319240590526852e-01);
INSERT INTO "layer" VALUES(8,3,1,8.69495325624155879218e-01,5.75729835009055390671e-01,0.0);
INSERT INTO "layer" VALUES(8,3,2,1.3054109816814041256e+00,4.51999135939477325596e-02,7.2952880018473553747e-01);
INSERT INTO "layer" VALUES(8,4,1,8.93273552921387548053e-01,7.20604270757444154149e-01,0.0);
INSERT INTO "layer" VALUES(8,4,2,1.35998934978236363235e+00,5.86933123436149672969e-02,8.71211361766113356885e-01);
INSERT INTO "layer" VALUES(9,0,1,0.974731492134277,0.0,0.0);
INSERT INTO "layer" VALUES(9,0,2,1.41688081205241411808e+00,0.0,0.0);
INSERT INTO "layer" VALUES(9,1,1,9.56859368454339387355e-01,9.65150069824934758733e-02,0.0);
INSERT INTO "layer" VALUES(9,1,2,1.36379437909391065808e+00,3.70345226382754535987e-02,1.33343791524198312936e-01);
INSERT INTO "layer" VALUES(9,2,1,9.41704315432550176367e-01,2.35462825262902464285e-01,0.0);
INSERT INTO "layer" VALUES(9,2,2,1.32370877622973104337e+00,8.34106073246869833548e-02,3.23549580007762072053e-01);
INSERT INTO "layer" VALUES(9,3,1,9.388793455356075901e-01,3.86255446876838104408e-01,0.0);
INSERT INTO "layer" VALUES(9,3,2,1.31915380882755672864e+00,1.36961190284860701016e-01,5.17175528862621414205e-01);
INSERT INTO "layer" VALUES(9,4,1,9.47857427228232518601e-01,5.10623515806797878546e-01,0.0);
INSERT INTO "layer" VALUES(9,4,2,1.34159620012743863171e+00,1.82165307173515284011e-01,6.70586669263208090541e-01);
INSERT INTO "layer" VALUES(10,0,1,9.12152737755211662218e-01,0.0,0.0);
INSERT INTO "layer" VALUES(10,0,2,1.38869776789345755751e+00,0.0,0.0);
INSERT INTO "layer" VALUES(10,1,1,8.78341239173579313437e-01,1.56155719656592140154e-01,0.0);
INSERT INTO "layer" VALUES(10,1,2,1.31349057343322450641e+00,1.28147458609184309447e-02,2.29841290398054620691e-01);
INSERT INTO "layer" VALUES(10,2,1,8.60949576122561066604e-01,4.20694955408729087675e-01,0.0);
INSERT INTO "layer" VALUES(10,2,2,1.27979218080178269723e+00,3.15398227139746453739e-02,5.6860994566501921188e-01);
INSERT INTO "layer" VALUES(10,3,1,8.9951062811852333656e-01,7.58299035173061297676e-01,0.0);
INSERT INTO "layer" VALUES(10,3,2,1.37538922393363,5.93994137082374390468e-02,9.09262922121538252895e-01);
INSERT INTO "layer" VALUES(10,4,1,9.92901822801207201152e-01,1.08642185013159697781e+00,0.0);
INSERT INTO "layer" VALUES(10,4,2,1.56786584033868958698e+00,9.1492475035058584698e-02,1.20394165589169754859e+00);
INSERT INTO "layer" VALUES(11,0,1,0.974731492134277,0.0,0.0);
INSERT INTO "layer" VALUES(11,0,2,1.41688081205241411808e+00,0.0,0.0);
INSERT INTO "layer" VALUES(11,1,1,9.56859368454339387355e-01,9.65150069824934758733e-02,0.0);
INSERT INTO "layer" VALUES(11,1,2,1.36379437909391065808e+00,3.70345226382754535987e-02,1.33343791524198312936e-01);
INSERT INTO "layer" VALUES(11,2,1,9.39247967605765565757e-01,2.72460859873617122772e-01,0.0);
INSERT INTO "layer" VALUES(11,2,2,1.31661047230584093981e+00,9.71829978334851213306e-02,3.69339914576004568758e-01);
INSERT INTO "layer" VALUES(11,3,1,9.46604404979363822647e-01,5.11537655383758060878e-01,0.0);
INSERT INTO "layer" VALUES(11,3,2,1.33978054793756773399e+00,1.80568623314411924596e-01,6.66677999730427628399e-01);
INSERT INTO "layer" VALUES(11,4,1,9.92422798646776849196e-01,7.66931412731338468802e-01,0.0);
INSERT INTO "layer" VALUES(11,4,2,1.44689511187669173075e+00,2.76980285760475786194e-01,9.66110997603548460332e-01);
INSERT INTO "layer" VALUES(12,0,1,9.12152737755211662218e-01,0.0,0.0);
INSERT INTO "layer" VALUES(12,0,2,1.38869776789345755751e+00,0.0,0.0);
INSERT INTO "layer" VALUES(12,1,1,8.78341239173579313437e-01,1.56155719656592140154e-01,0.0);
INSERT INTO "layer" VALUES(12,1,2,1.30588740618147913785e+00,2.56294885286507748145e-02,2.29841290398054620691e-01);
INSERT INTO "layer" VALUES(12,2,1,8.61992576410265942676e-01,3.58781334975702803635e-01,0.0);
INSERT INTO "layer" VALUES(12,2,2,1.26334551341112111266e+00,5.38015919786291041404e-02,4.94606062070256924378e-01);
INSERT INTO "layer" VALUES(12,3,1,8.71233943329602800176e-01,5.72760291448118907808e-01,0.0);
INSERT INTO "layer" VALUES(12,3,2,1.28539146187526287512e+00,8.99601330666233295341e-02,7.26667776960578604139e-01);
INSERT INTO "layer" VALUES(12,4,1,0.896785567204761,0.716110587296737,0.0);
INSERT INTO "layer" VALUES(12,4,2,1.33842554864394669422e+00,1.16732717517410281016e-01,8.66824310927161278961e-01);
INSERT INTO "layer" VALUES(13,0,1,0.974731492134277,0.0,0.0);
INSERT INTO "layer" VALUES(13,0,2,1.41688081205241411808e+00,0.0,0.0);
INSERT INTO "layer" VALUES(13,1,1,9.56859368454339387355e-01,9.65150069824934758733e-02,0.0);
INSERT INTO "layer" VALUES(13,1,2,1.34476907997597328048e+00,7.40690770161197692411e-02,1.33343791524198312936e-01);
INSERT INTO "layer" VALUES(13,2,1,9.42893954967816250167e-01,2.34185590664244130953e-01,0.0);
INSERT INTO "layer" VALUES(13,2,2,1.29081251362769089396e+00,1.64483644226107811325e-01,3.22123897232537481638e-01);
INSERT INTO "layer" VALUES(13,3,1,9.42754019470257720314e-01,3.81507835488318458594e-01,0.0);
INSERT INTO "layer" VALUES(13,3,2,1.27986093569512360268e+00,2.65318276508191619456e-01,5.12734622792184180362e-01);
INSERT INTO "layer" VALUES(13,4,1,9.54920150610287676862e-01,5.01016131128053765486e-01,0.0);
INSERT INTO "layer" VALUES(13,4,2,1.30772163527918339198e+00,0.347530888939844,0.662757425443733);
INSERT INTO "layer" VALUES(14,0,1,9.12152737755211662218e-01,0.0,0.0);
INSERT INTO "layer" VALUES(14,0,2,1.38869776789345755751e+00,0.0,0.0);
INSERT INTO "layer" VALUES(14,1,1,8.78341239173579313437e-01,1.56155719656592140154e-01,0.0);
INSERT INTO "layer" VALUES(14,1,2,1.30588740618147913785e+00,2.56294885286507748145e-02,2.29841290398054620691e-01);
INSERT INTO "layer" VALUES(14,2,1,8.61520550575276433669e-01,4.19878701683038091374e-01,0.0);
INSERT INTO "layer" VALUES(14,2,2,1.26348966959662778464e+00,6.29412302517298877235e-02,5.67655561837344557751e-01);
INSERT INTO "layer" VALUES(14,3,1,9.0119505274511424453e-01,7.55846650224520799632e-01,0.0);
INSERT INTO "layer" VALUES(14,3,2,1.34930427560658161567e+00,1.18375955295314347348e-01,9.06615508785151291704e-01);
INSERT INTO "layer" VALUES(14,4,1,9.96257886890422605929e-01,1.08146273421510641377e+00,0.0);
INSERT INTO "layer" VALUES(14,4,2,1.5340402984771188688e+00,1.82300048202370390537e-01,1.19862791554103598201e+00);
INSERT INTO "layer" VALUES(15,0,1,0.974731492134277,0.0,0.0);
INSERT INTO "layer" VALUES(15,0,2,1.41688081205241411808e+00,0.0,0.0);
INSERT INTO "layer" VALUES(15,1,1,9.56859368454339387355e-01,9.65150069824934758733e-02,0.0);
INSERT INTO "layer" VALUES(15,1,2,1.34476907997597328048e+00,7.40690770161197692411e-02,1.33343791524198312936e-01);
INSERT INTO "layer" VALUES(15,2,1,9.40412554832510738656e-01,2.71193716655397154546e-01,0.0);
INSERT INTO "layer" VALUES(15,2,2,1.2796881089466536352e+00,1.92073590650163522619e-01,3.67907260487218390476e-01);
INSERT INTO "layer" VALUES(15,3,1,9.50695099248870079122e-01,0.504771643608024,0.0);
INSERT INTO "layer" VALUES(15,3,2,1.29853806389888459804e+00,3.5091830305663551659e-01,6.60323029678975714773e-01);
INSERT INTO "layer" VALUES(15,4,1,9.99387269839964065276e-01,7.51956354691701078785e-01,0.0);
INSERT INTO "layer" VALUES(15,4,2,1.42166606692942609768e+00,5.29639576751674057142e-01,9.54748359490310671837e-01);
INSERT INTO "layer" VALUES(16,0,1,6.89239249838214274035e-01,0.0,0.0);
INSERT INTO "layer" VALUES(16,0,2,7.08440429117739522979e-01,0.0,0.0);
INSERT INTO "layer" VALUES(16,1,1,6.8224821578865635363e-01,6.44093241426750839906e-02,0.0);
INSERT INTO "layer" VALUES(16,1,2,6.96358921675781505911e-01,1.34687680162195316801e-02,6.37852678123119465336e-02);
INSERT INTO "layer" VALUES(16,2,1,6.78850683601934123956e-01,1.59392319541290738982e-01,0.0);
INSERT INTO "layer" VALUES(16,2,2,0.692963640103285,3.09335351149567089334e-02,1.58842182228029871193e-01);
INSERT INTO "layer" VALUES(16,3,1,6.84841491189950746232e-01,2.66396872245412308366e-01,0.0);
INSERT INTO "layer" VALUES(16,3,2,7.086757916336101637e-01,5.30248045711767812537e-02,0.260832090703869);
INSERT INTO "layer" VALUES(16,4,1,7.00223483834360393984e-01,3.62436697831371779088e-01,0.0);
INSERT INTO "layer" VALUES(16,4,2,7.38408611838073491995e-01,7.28014315293107894255e-02,3.49991962169946824179e-01);
CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "meta" VALUES('created_at','2026-11-29T09:10:54Z');
INSERT INTO "meta" VALUES('schema_version','4');
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
  UNIQUE (cell_id, seed)
) STRICT;
INSERT INTO "net" VALUES(1,1,0,'done','gauss-newton','mean over samples','all','every 2 steps',1.24464551547882718018e+00,9.16423518423914776863e-04,1.23916131542367224938e+00,6.52228238609494281527e-04,1.24464551547882718018e+00,9.16423518423914776863e-04,1.48838017255093491009e+00,7.65550464063834926881e-04,1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,36,1,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "net" VALUES(2,2,0,'done','gauss-newton','mean over samples','all','every 2 steps',1.08301103038267743094e+00,2.29857321427087045928e-04,1.05039517506762103415e+00,7.88150462676710360926e-04,1.08301103038267743094e+00,2.29857321427087045928e-04,1.34816634141790614442e+00,6.43468763597632403654e-04,1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,67,1,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "net" VALUES(3,3,0,'done','gauss-newton','mean over samples','all','every 2 steps',1.24464551547882718018e+00,9.16423518423914776863e-04,1.23916131542367224938e+00,6.52228238609494281527e-04,1.24464551547882718018e+00,9.16423518423914776863e-04,1.48838017255093491009e+00,7.65550464063834926881e-04,1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,39,1,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "net" VALUES(4,4,0,'done','gauss-newton','mean over samples','all','every 2 steps',1.08301103038267743094e+00,2.29857321427087045928e-04,1.05039517506762103415e+00,7.88150462676710360926e-04,1.08301103038267743094e+00,2.29857321427087045928e-04,1.34816634141790614442e+00,6.43468763597632403654e-04,1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,42,1,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "net" VALUES(5,5,0,'done','gauss-newton','mean over samples','all','every 2 steps',1.24464551547882718018e+00,9.16423518423914776863e-04,1.24464551547882718018e+00,9.16423518423914776863e-04,1.24464551547882718018e+00,9.16423518423914776863e-04,1.48838017255093491009e+00,7.65550464063834926881e-04,1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,45,1,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "net" VALUES(6,6,0,'done','gauss-newton','mean over samples','all','every 2 steps',1.08301103038267743094e+00,2.29857321427087045928e-04,1.08301103038267743094e+00,2.29857321427087045928e-04,1.08301103038267743094e+00,2.29857321427087045928e-04,1.34816634141790614442e+00,6.43468763597632403654e-04,1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,48,1,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "net" VALUES(7,7,0,'done','gauss-newton','mean over samples','all','every 2 steps',1.24464551547882718018e+00,9.16423518423914776863e-04,1.24464551547882718018e+00,9.16423518423914776863e-04,1.24464551547882718018e+00,9.16423518423914776863e-04,1.48838017255093491009e+00,7.65550464063834926881e-04,1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,54,1,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "net" VALUES(8,8,0,'done','gauss-newton','mean over samples','all','every 2 steps',1.08301103038267743094e+00,2.29857321427087045928e-04,1.08301103038267743094e+00,2.29857321427087045928e-04,1.08301103038267743094e+00,2.29857321427087045928e-04,1.34816634141790614442e+00,6.43468763597632403654e-04,1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,57,1,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "net" VALUES(9,9,0,'done','gauss-newton','mean over samples','all','every 2 steps',1.88241178721508495286e+00,8.14208259774628533358e-04,1.85535197741774871005e+00,7.47917142658905591615e-04,1.88241178721508495286e+00,8.14208259774628533358e-04,2.06629520426359647444e+00,8.5973032885245379616e-04,1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,60,1,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "net" VALUES(10,10,0,'done','gauss-newton','mean over samples','all','every 2 steps',2.14698845887183775715e+00,5.47808164179814163774e-04,1.77919819823000535663e+00,4.31446652729670432954e-04,2.14698845887183775715e+00,5.47808164179814163774e-04,2.3748088697631066779e+00,9.69263909972711162378e-04,1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,64,1,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "net" VALUES(11,11,0,'done','gauss-newton','mean over samples','all','every 2 steps',1.88241178721508495286e+00,8.14208259774628533358e-04,1.85535197741774871005e+00,7.47917142658905591615e-04,1.88241178721508495286e+00,8.14208259774628533358e-04,2.06629520426359647444e+00,8.5973032885245379616e-04,1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,70,1,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "net" VALUES(12,12,0,'done','gauss-newton','mean over samples','all','every 2 steps',2.14698845887183775715e+00,5.47808164179814163774e-04,1.77919819823000535663e+00,4.31446652729670432954e-04,2.14698845887183775715e+00,5.47808164179814163774e-04,2.3748088697631066779e+00,9.69263909972711162378e-04,1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,76,1,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "net" VALUES(13,13,0,'done','gauss-newton','mean over samples','all','every 2 steps',1.88241178721508495286e+00,8.14208259774628533358e-04,1.88241178721508495286e+00,8.14208259774628533358e-04,1.88241178721508495286e+00,8.14208259774628533358e-04,2.06629520426359647444e+00,8.5973032885245379616e-04,1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,73,1,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "net" VALUES(14,14,0,'done','gauss-newton','mean over samples','all','every 2 steps',2.14698845887183775715e+00,5.47808164179814163774e-04,2.14698845887183775715e+00,5.47808164179814163774e-04,2.14698845887183775715e+00,5.47808164179814163774e-04,2.3748088697631066779e+00,9.69263909972711162378e-04,1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,79,1,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "net" VALUES(15,15,0,'done','gauss-newton','mean over samples','all','every 2 steps',1.88241178721508495286e+00,8.14208259774628533358e-04,1.88241178721508495286e+00,8.14208259774628533358e-04,1.88241178721508495286e+00,8.14208259774628533358e-04,2.06629520426359647444e+00,8.5973032885245379616e-04,1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,84,1,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "net" VALUES(16,16,0,'done','gauss-newton','mean over samples','all','every 2 steps',2.14698845887183775715e+00,5.47808164179814163774e-04,2.14698845887183775715e+00,5.47808164179814163774e-04,2.14698845887183775715e+00,5.47808164179814163774e-04,2.3748088697631066779e+00,9.69263909972711162378e-04,1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,82,1,NULL,NULL,NULL,NULL,NULL);
ANALYZE "sqlite_master";
INSERT INTO "sqlite_stat1" VALUES('cell','sqlite_autoindex_cell_2','16 16 1');
INSERT INTO "sqlite_stat1" VALUES('cell','sqlite_autoindex_cell_1','16 16 1');
INSERT INTO "sqlite_stat1" VALUES('net','net_rev','16 1');
INSERT INTO "sqlite_stat1" VALUES('net','sqlite_autoindex_net_1','16 1 1');
INSERT INTO "sqlite_stat1" VALUES('fit','fit','1 1 1 1');
INSERT INTO "sqlite_stat1" VALUES('attempt','attempt','16 1 1');
INSERT INTO "sqlite_stat1" VALUES('trial','trial_key','16 1');
INSERT INTO "sqlite_stat1" VALUES('trial','trial_rev','16 1');
INSERT INTO "sqlite_stat1" VALUES('trial','sqlite_autoindex_trial_1','16 1 1');
INSERT INTO "sqlite_stat1" VALUES('step','step','80 5 1');
INSERT INTO "sqlite_stat1" VALUES('eigenvalue','eigenvalue','96 6 2 2 1');
INSERT INTO "sqlite_stat1" VALUES('layer','layer','160 10 2 1');
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
INSERT INTO "step" VALUES(1,0,2.45216438583802576189e+00,0.1328125,1.2391625019999465973e+00,3.96935930334414533837e-10,23,0);
INSERT INTO "step" VALUES(1,1,2.29760484827744759783e+00,NULL,NULL,NULL,NULL,0);
INSERT INTO "step" VALUES(1,2,2.15921493933246422258e+00,0.2578125,1.27663197737942279985e+00,1.29362413714558605938e-05,12,128);
INSERT INTO "step" VALUES(1,3,1.97678706375636981107e+00,NULL,NULL,NULL,NULL,0);
INSERT INTO "step" VALUES(1,4,1.92654689714048266147e+00,0.3515625,1.30819947284313342628e+00,1.24497005018581901637e-04,8,128);
INSERT INTO "step" VALUES(2,0,2.45216438583802576189e+00,0.1328125,1.2391625019999465973e+00,3.96935930334414533837e-10,23,0);
INSERT INTO "step" VALUES(2,1,2.29760484827744759783e+00,NULL,NULL,NULL,NULL,0);
INSERT INTO "step" VALUES(2,2,2.12212823684598239637e+00,0.265625,1.29342775522669173327e+00,2.47203269782203078827e-06,13,128);
INSERT INTO "step" VALUES(2,3,1.90389857942754159303e+00,NULL,NULL,NULL,NULL,0);
INSERT INTO "step" VALUES(2,4,1.7897474299783684426e+00,0.421875,1.13046019742223124993e+00,7.41249162262174376893e-05,9,128);
INSERT INTO "step" VALUES(3,0,2.5790145078583690541e+00,0.09375,1.05039678033889294361e+00,4.64155344681668695187e-05,15,0);
INSERT INTO "step" VALUES(3,1,2.41168979160007124207e+00,NULL,NULL,NULL,NULL,0);
INSERT INTO "step" VALUES(3,2,2.23077249682529,0.1953125,1.01728096449624816344e+00,1.71244954888933795505e-04,9,128);
INSERT INTO "step" VALUES(3,3,1.92817748513873,NULL,NULL,NULL,NULL,0);
INSERT INTO "step" VALUES(3,4,1.75377651848591775696e+00,0.4296875,9.40537666428572616261e-01,1.75748313280982812242e-05,12,128);
INSERT INTO "step" VALUES(4,0,2.45216438583802576189e+00,0.1328125,1.2446480524384502253e+00,4.06063938267551042182e-07,18,0);
INSERT INTO "step" VALUES(4,1,2.29340231883799638978e+00,NULL,NULL,NULL,NULL,0);
INSERT INTO "step" VALUES(4,2,2.14798117728328818998e+00,0.265625,1.27582128409007800051e+00,3.261064798979342452e-06,13,128);
INSERT INTO "step" VALUES(4,3,1.96335611964099188142e+00,NULL,NULL,NULL,NULL,0);
INSERT INTO "step" VALUES(4,4,1.90028415251439652955e+00,0.359375,1.29821170402262286991e+00,1.67728697478476468027e-04,8,128);
INSERT INTO "step" VALUES(5,0,2.5790145078583690541e+00,0.09375,1.08301103038267743094e+00,2.29857321427087045928e-04,16,0);
INSERT INTO "step" VALUES(5,1,2.39727305998474937709e+00,NULL,NULL,NULL,NULL,0);
INSERT INTO "step" VALUES(5,2,2.23303782902319358782e+00,0.1875,1.04742377046511725424e+00,4.53827345579397228381e-05,12,128);
INSERT INTO "step" VALUES(5,3,1.98749001390100965558e+00,NULL,NULL,NULL,NULL,0);
INSERT INTO "step" VALUES(5,4,1.89297323838733611012e+00,0.359375,1.05315229975832069797e+00,5.5517850568532385873e-05,11,128);
INSERT INTO "step" VALUES(6,0,2.45216438583802576189e+00,0.1328125,1.2446480524384502253e+00,4.06063938267551042182e-07,18,0);
INSERT INTO "step" VALUES(6,1,2.29340231883799638978e+00,NULL,NULL,NULL,NULL,0);
INSERT INTO "step" VALUES(6,2,2.1092599840833248237e+00,0.2734375,1.29047587418036946438e+00,2.36456679288903520675e-07,15,128);
INSERT INTO "step" VALUES(6,3,1.88689767720814760565e+00,NULL,NULL,NULL,NULL,0);
INSERT INTO "step" VALUES(6,4,1.7511096335513915978e+00,0.453125,1.13400092845710553923e+00,3.64919498123839153801e-05,10,128);
INSERT INTO "step" VALUES(7,0,2.5790145078583690541e+00,0.09375,1.08301103038267743094e+00,2.29857321427087045928e-04,16,0);
INSERT INTO "step" VALUES(7,1,2.39727305998474937709e+00,NULL,NULL,NULL,NULL,0);
INSERT INTO "step" VALUES(7,2,2.18947257268229,0.21875,1.06053651333320897443e+00,4.97799858177974492885e-05,11,128);
INSERT INTO "step" VALUES(7,3,1.8737217050249372896e+00,NULL,NULL,NULL,NULL,0);
INSERT INTO "step" VALUES(7,4,1.66413967490752101596e+00,0.515625,1.14509834778889163509e+00,7.71987653702717519822e-04,8,128);
INSERT INTO "step" VALUES(8,0,2.94046885871354790609e+00,0.1328125,1.85535370377059360968e+00,2.70958955697811650076e-04,17,0);
INSERT INTO "step" VALUES(8,1,2.57000183585938124508e+00,NULL,NULL,NULL,NULL,0);
INSERT INTO "step" VALUES(8,2,2.27555345780380147147e+00,0.265625,1.92200950820671678798e+00,8.58908618456834921893e-04,15,128);
INSERT INTO "step" VALUES(8,3,1.95635278437849935428e+00,NULL,NULL,NULL,NULL,0);
INSERT INTO "step" VALUES(8,4,1.87193926282421929663e+00,0.3671875,1.77169667000253250321e+00,2.28643703035915600314e-07,15,128);
INSERT INTO "step" VALUES(9,0,3.23284865503581064771e+00,0.09375,1.77919879261318292229e+00,6.68866047597581e-05,17,0);
INSERT INTO "step" VALUES(9,1,2.80797617211241856693e+00,NULL,NULL,NULL,NULL,0);
INSERT INTO "step" VALUES(9,2,2.50612969917347516712e+00,0.1640625,1.78875189345872098733e+00,2.49159058446908106233e-06,15,128);
INSERT INTO "step" VALUES(9,3,2.03020487223191103964e+00,NULL,NULL,NULL,NULL,0);
INSERT INTO "step" VALUES(9,4,1.92717569863467574897e+00,0.3359375,1.61607769001396728292e+00,8.14204692491613e-07,15,128);
INSERT INTO "step" VALUES(10,0,2.94046885871354790609e+00,0.1328125,1.85535370377059360968e+00,2.70958955697811650076e-04,17,0);
INSERT INTO "step" VALUES(10,1,2.57000183585938124508e+00,NULL,NULL,NULL,NULL,0);
INSERT INTO "step" VALUES(10,2,2.20016629516176553948e+00,0.2890625,2.05552055722012205762e+00,1.946042988032779602e-04,12,128);
INSERT INTO "step" VALUES(10,3,1.8440718070678561169e+00,NULL,NULL,NULL,NULL,0);
INSERT INTO "step" VALUES(10,4,1.69641606428415281371e+00,0.4375,1.47315835004917072836e+00,1.74651840560256148672e-07,18,128);
INSERT INTO "step" VALUES(11,0,3.23284865503581064771e+00,0.09375,1.77919879261318292229e+00,6.68866047597581e-05,17,0);
INSERT INTO "step" VALUES(11,1,2.80797617211241856693e+00,NULL,NULL,NULL,NULL,0);
INSERT INTO "step" VALUES(11,2,2.42242996504803764779e+00,0.1875,1.79009256566969088275e+00,5.35144261953173322986e-06,14,128);
INSERT INTO "step" VALUES(11,3,1.83775887870506915433e+00,NULL,NULL,NULL,NULL,0);
INSERT INTO "step" VALUES(11,4,1.58084883687320898459e+00,0.484375,1.51424751751451092118e+00,1.05825707818094084911e-05,15,128);
INSERT INTO "step" VALUES(12,0,2.94046885871354790609e+00,0.1328125,1.88241403417821162591e+00,8.11867089212219423741e-05,18,0);
INSERT INTO "step" VALUES(12,1,2.55716731534416163995e+00,NULL,NULL,NULL,NULL,0);
INSERT INTO "step" VALUES(12,2,2.24680607352687200517e+00,0.2734375,1.90949193394071414786e+00,4.07445127176281481854e-04,13,128);
INSERT INTO "step" VALUES(12,3,1.92669514325619961603e+00,NULL,NULL,NULL,NULL,0);
INSERT INTO "step" VALUES(12,4,1.82042781059577363222e+00,0.3671875,1.75503049244873,3.85463869306721203982e-06,13,128);
INSERT INTO "step" VALUES(13,0,3.23284865503581064771e+00,0.09375,2.14699044065690847205e+00,3.69340428167493540351e-08,19,0);
INSERT INTO "step" VALUES(13,1,2.76125452024082296276e+00,NULL,NULL,NULL,NULL,0);
INSERT INTO "step" VALUES(13,2,2.40617150773465571234e+00,0.1875,1.89276413513332175675e+00,2.9175542545315628273e-06,17,128);
INSERT INTO "step" VALUES(13,3,1.92259885467080882115e+00,NULL,NULL,NULL,NULL,0);
INSERT INTO "step" VALUES(13,4,1.78051094246022190148e+00,0.3984375,1.95205057270844073435e+00,2.3156355426849425552e-08,16,128);
INSERT INTO "step" VALUES(14,0,2.94046885871354790609e+00,0.1328125,1.88241403417821162591e+00,8.11867089212219423741e-05,18,0);
INSERT INTO "step" VALUES(14,1,2.55716731534416163995e+00,NULL,NULL,NULL,NULL,0);
INSERT INTO "step" VALUES(14,2,2.16769941848819147622e+00,0.296875,2.04432713297354684556e+00,2.64515919669736033949e-04,14,128);
INSERT INTO "step" VALUES(14,3,1.8082898569286256496e+00,NULL,NULL,NULL,NULL,0);
INSERT INTO "step" VALUES(14,4,1.62609905682343214294e+00,0.46875,1.44584199927218737258e+00,1.10288297112297903671e-06,17,128);
INSERT INTO "step" VALUES(15,0,3.23284865503581064771e+00,0.09375,2.14699044065690847205e+00,3.69340428167493540351e-08,19,0);
INSERT INTO "step" VALUES(15,1,2.76125452024082296276e+00,NULL,NULL,NULL,NULL,0);
INSERT INTO "step" VALUES(15,2,2.31064356053737451901e+00,0.21875,1.90405240066152781075e+00,1.17335349834680699107e-07,19,128);
INSERT INTO "step" VALUES(15,3,1.71836036069759834354e+00,NULL,NULL,NULL,NULL,0);
INSERT INTO "step" VALUES(15,4,1.42468310142191612044e+00,0.578125,1.8947467890082634323e+00,1.73191697842820698082e-06,13,128);
INSERT INTO "step" VALUES(16,0,2.5790145078583690541e+00,0.09375,1.05039678033889294361e+00,4.64155344681668695187e-05,15,0);
INSERT INTO "step" VALUES(16,1,2.41168979160007124207e+00,NULL,NULL,NULL,NULL,0);
INSERT INTO "step" VALUES(16,2,2.26919499166541260848e+00,0.171875,1.01443255931619402687e+00,2.46543555432202619349e-04,9,128);
INSERT INTO "step" VALUES(16,3,2.03160606909468643976e+00,NULL,NULL,NULL,NULL,0);
INSERT INTO "step" VALUES(16,4,1.96251875499767569621e+00,0.3125,0.955493566548774,7.21247170601079217594e-05,10,128);
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
INSERT INTO "sweep" VALUES(1,'4375705b5ba83c2ba211ab146e317de34439fddaed097b833deef41a7d568e7c','five axes','{"data":{"name":["digits"],"samples":[128],"standardize":["global"],"target":["classes"]},"fit":[],"model":{"activation":["relu"],"base_width":[64],"bias":[false],"depth":[1],"init_variance":[1.0,2.0],"kind":["mlp"],"layer_lr":{"hidden":[1.0],"input":[1.0],"output":[0.5,1.0]},"parametrization":["sp"],"width":[8,16]},"record":{"every":1,"layers":true},"scan":{"eta":[0.1]},"sharpness":{"every":2,"exact":false,"operator":["gauss-newton"],"rest_every":0,"samples":"all","tolerance":0.001,"top":2},"sweep":{"name":"five axes","seeds":[0]},"training":{"batch":[64],"beta1":[0.9],"beta2":[0.999],"dtype":["float32"],"epochs":[2],"eps":[1e-08],"loss":["ce"],"momentum":[0.5,0.9],"optimizer":["momentum"]}}','scan','0.1.0+d636a5d53413',1.79594347141171932222e+09,1.79594348145535349847e+09,'done');
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
INSERT INTO "trial" VALUES(1,'093b3cf720de7b093db1a021b0288ca617511467e4b8146fad086cff9f681cd7',1,0.1,1.23916131542367233264e-01,0,4,'done','finished','stable',NULL,1,5,4,1.92654689714048266147e+00,0.3515625,1.30819947284313342628e+00,4,1.92654689714048266147e+00,2.45216438583802576189e+00,0,1.30819947284313342628e+00,2.4270316300609864335e+00,1.92654689714048266147e+00,0.3515625,0.3515625,1.01035534743995403239e+00,0,1.30819947284313342628e+00,7.69890141021880580751e-01,7.69890141021880580751e-01,NULL,NULL,NULL,35,NULL,2,'loss+sharpness','row 12: the smoothed loss peaked at 1.01·L₀ (limit 1.5), the loss rose to 1.01 × its minimum; nothing else fired',1.01035534743995403239e+00,1.01035534743995403239e+00,1.0,1.0,4.1305416733331552781e-02,4.1305416733331552781e-02,4.1305416733331552781e-02,0.0,4.36066490947711118963e-02,NULL,2.27558178127240218202e+00,0.125);
INSERT INTO "trial" VALUES(2,'7700b4e61276995ce312dfec9d6023e04624e0e649d7c2ca89f125294a64e81d',3,0.1,1.23916131542367233264e-01,0,4,'done','finished','stable',NULL,1,5,4,1.7897474299783684426e+00,0.421875,1.13046019742223124993e+00,4,1.7897474299783684426e+00,2.45216438583802576189e+00,0,1.29342775522669173327e+00,2.4270316300609864335e+00,1.7897474299783684426e+00,0.421875,0.421875,1.01035534743995403239e+00,0,1.13046019742223124993e+00,7.69890141021880580751e-01,7.69890141021880580751e-01,NULL,NULL,NULL,38,NULL,2,'loss+sharpness','row 12: the smoothed loss peaked at 1.01·L₀ (limit 1.5), the loss rose to 1.01 × its minimum; nothing else fired',1.01035534743995403239e+00,1.01035534743995403239e+00,1.0,1.0,3.26095395263143877917e-02,3.26095395263143877917e-02,3.26095395263143877917e-02,0.0,2.97489525637429294557e-02,NULL,2.27558178127240218202e+00,0.125);
INSERT INTO "trial" VALUES(3,'654cff72165311d36c6f6576ee3fa5c4651432643fbfa7fe3294b455c786888f',4,0.1,1.05039517506762103415e-01,0,4,'done','finished','stable',NULL,1,5,4,1.75377651848591775696e+00,0.4296875,9.40537666428572616261e-01,4,1.75377651848591775696e+00,2.5790145078583690541e+00,0,1.05039678033889294361e+00,2.54447763690902029054e+00,1.75377651848591775696e+00,0.4296875,0.4296875,1.01357326566693806135e+00,0,9.40537666428572616261e-01,0.765499983383723,0.765499983383723,NULL,NULL,NULL,41,NULL,2,'loss+sharpness','row 12: the smoothed loss peaked at 1.014·L₀ (limit 1.5), the loss rose to 1.014 × its minimum; nothing else fired',1.01357326566693806135e+00,1.01357326566693806135e+00,1.0,1.0,2.76420205352340304927e-02,2.76420205352340304927e-02,2.76420205352340304927e-02,0.0,2.47509912218045434462e-02,NULL,2.27558178127240218202e+00,0.125);
INSERT INTO "trial" VALUES(4,'20339701d747356ec556c803a23ae2f386b323445442f1eaa76914276be8402d',5,0.1,1.24464551547882718018e-01,0,4,'done','finished','stable',NULL,1,5,4,1.90028415251439652955e+00,0.359375,1.29821170402262286991e+00,4,1.90028415251439652955e+00,2.45216438583802576189e+00,0,1.29821170402262286991e+00,2.4270316300609864335e+00,1.90028415251439652955e+00,0.359375,0.359375,1.01035534743995403239e+00,0,1.29821170402262286991e+00,7.69890141021880580751e-01,7.69890141021880580751e-01,NULL,NULL,NULL,44,NULL,2,'loss+sharpness','row 12: the smoothed loss peaked at 1.01·L₀ (limit 1.5), the loss rose to 1.01 × its minimum; nothing else fired',1.01035534743995403239e+00,1.01035534743995403239e+00,1.0,1.0,4.14882684146150107484e-02,4.14882684146150107484e-02,4.14882684146150107484e-02,0.0,4.32737234674207618678e-02,NULL,2.27558178127240218202e+00,0.125);
INSERT INTO "trial" VALUES(5,'44cdfaed3e19e3680de44c70d62fe34a1b8b254ed2e82de79d7bf9591970d067',6,0.1,1.0830110303826774587e-01,0,4,'done','finished','stable',NULL,1,5,4,1.89297323838733611012e+00,0.359375,1.05315229975832069797e+00,4,1.89297323838733611012e+00,2.5790145078583690541e+00,0,1.08301103038267743094e+00,2.54447763690902029054e+00,1.89297323838733611012e+00,0.359375,0.359375,1.01357326566693806135e+00,0,1.05315229975832069797e+00,0.765499983383723,0.765499983383723,NULL,NULL,NULL,47,NULL,2,'loss+sharpness','row 12: the smoothed loss peaked at 1.014·L₀ (limit 1.5), the loss rose to 1.014 × its minimum; nothing else fired',1.01357326566693806135e+00,1.01357326566693806135e+00,1.0,1.0,3.61003676794225819568e-02,3.61003676794225819568e-02,3.61003676794225819568e-02,0.0,3.5105076658610692708e-02,NULL,2.27558178127240218202e+00,0.125);
INSERT INTO "trial" VALUES(6,'f938344df8d7cd79c853aeeb92373247a14c435d704565b674c9469846e052c9',7,0.1,1.24464551547882718018e-01,0,4,'done','finished','stable',NULL,1,5,4,1.7511096335513915978e+00,0.453125,1.13400092845710553923e+00,4,1.7511096335513915978e+00,2.45216438583802576189e+00,0,1.29047587418036946438e+00,2.4270316300609864335e+00,1.7511096335513915978e+00,0.453125,0.453125,1.01035534743995403239e+00,0,1.13400092845710553923e+00,7.69890141021880580751e-01,7.69890141021880580751e-01,NULL,NULL,NULL,53,NULL,2,'loss+sharpness','row 12: the smoothed loss peaked at 1.01·L₀ (limit 1.5), the loss rose to 1.01 × its minimum; nothing else fired',1.01035534743995403239e+00,1.01035534743995403239e+00,1.0,1.0,3.27538961168013231795e-02,3.27538961168013231795e-02,3.27538961168013231795e-02,0.0,2.98421296962396234708e-02,NULL,2.27558178127240218202e+00,0.125);
INSERT INTO "trial" VALUES(7,'7524a47e6e4dc86d1a7e7acabb6ab5e5a1c25a1b680aa8672a9f589a4e73db96',8,0.1,1.0830110303826774587e-01,0,4,'done','finished','stable',NULL,1,5,4,1.66413967490752101596e+00,0.515625,1.14509834778889163509e+00,4,1.66413967490752101596e+00,2.5790145078583690541e+00,0,1.14509834778889163509e+00,2.54447763690902029054e+00,1.66413967490752101596e+00,0.515625,0.515625,1.01357326566693806135e+00,0,1.14509834778889163509e+00,0.765499983383723,0.765499983383723,NULL,NULL,NULL,56,NULL,2,'loss+sharpness','row 12: the smoothed loss peaked at 1.014·L₀ (limit 1.5), the loss rose to 1.014 × its minimum; nothing else fired',1.01357326566693806135e+00,1.01357326566693806135e+00,1.0,1.0,2.85002902732283541764e-02,2.85002902732283541764e-02,2.85002902732283541764e-02,0.0,3.01341670470760963906e-02,NULL,2.27558178127240218202e+00,0.125);
INSERT INTO "trial" VALUES(8,'6233d5dc9878a42955f4682716650aa71eca9f46c2af57c0a3ebb45f38920a3d',9,0.1,1.85535197741774876556e-01,0,4,'done','finished','stable',NULL,1,5,4,1.87193926282421929663e+00,0.3671875,1.77169667000253250321e+00,4,1.87193926282421929663e+00,2.94046885871354790609e+00,0,1.92200950820671678798e+00,2.87975016436553543641e+00,1.87193926282421929663e+00,0.3671875,0.3671875,1.02108470904849824023e+00,0,1.77169667000253250321e+00,1.53978029654076586929e+00,1.53978029654076586929e+00,NULL,NULL,NULL,59,NULL,2,'loss+sharpness','row 12: the smoothed loss peaked at 1.021·L₀ (limit 1.5), the loss rose to 1.021 × its minimum; nothing else fired',1.02108470904849824023e+00,1.02108470904849824023e+00,1.0,1.0,6.18451234590197893026e-02,6.18451234590197893026e-02,6.18451234590197893026e-02,0.0,5.90565556667510885291e-02,NULL,2.27558178127240218202e+00,0.125);
INSERT INTO "trial" VALUES(9,'430974b2f699fab28bda62174a7d474a0b5c70accb300c4df24cb90a7809ae1c',10,0.1,1.77919819823000535663e-01,0,4,'done','finished','stable',NULL,1,5,4,1.92717569863467574897e+00,0.3359375,1.61607769001396728292e+00,4,1.92717569863467574897e+00,3.23284865503581064771e+00,0,1.78875189345872098733e+00,3.13824302277726641108e+00,1.92717569863467574897e+00,0.3359375,0.3359375,1.03014605037656403752e+00,0,1.61607769001396728292e+00,1.53099994133821049047e+00,1.53099994133821049047e+00,NULL,NULL,NULL,63,NULL,2,'loss+sharpness','row 12: the smoothed loss peaked at 1.03·L₀ (limit 1.5), the loss rose to 1.03 × its minimum; nothing else fired',1.03014605037656403752e+00,1.03014605037656403752e+00,1.0,1.0,5.93066264204394344439e-02,5.93066264204394344439e-02,5.93066264204394344439e-02,0.0,5.38692563337989094307e-02,NULL,2.27558178127240218202e+00,0.125);
INSERT INTO "trial" VALUES(10,'1775fffbef310c3061be4dd430ed068c56fb5c2c7890bf22d1d6c435d595a0db',11,0.1,1.85535197741774876556e-01,0,4,'done','finished','stable',NULL,1,5,4,1.69641606428415281371e+00,0.4375,1.47315835004917072836e+00,4,1.69641606428415281371e+00,2.94046885871354790609e+00,0,2.05552055722012205762e+00,2.87975016436553543641e+00,1.69641606428415281371e+00,0.4375,0.4375,1.02108470904849824023e+00,0,1.47315835004917072836e+00,1.53978029654076586929e+00,1.53978029654076586929e+00,NULL,NULL,NULL,69,NULL,2,'loss+sharpness','row 12: the smoothed loss peaked at 1.021·L₀ (limit 1.5), the loss rose to 1.021 × its minimum; nothing else fired',1.02108470904849824023e+00,1.02108470904849824023e+00,1.0,1.0,4.88250974676472035418e-02,4.88250974676472035418e-02,4.88250974676472035418e-02,0.0,3.8767325001293970188e-02,NULL,2.27558178127240218202e+00,0.125);
INSERT INTO "trial" VALUES(11,'05853970d87e237c5a8837702d7f0b641f4ac2582846f456f0f05b1ec2f12d4a',12,0.1,1.77919819823000535663e-01,0,4,'done','finished','stable',NULL,1,5,4,1.58084883687320898459e+00,0.484375,1.51424751751451092118e+00,4,1.58084883687320898459e+00,3.23284865503581064771e+00,0,1.79009256566969088275e+00,3.13824302277726641108e+00,1.58084883687320898459e+00,0.484375,0.484375,1.03014605037656403752e+00,0,1.51424751751451092118e+00,1.53099994133821049047e+00,1.53099994133821049047e+00,NULL,NULL,NULL,75,NULL,2,'loss+sharpness','row 12: the smoothed loss peaked at 1.03·L₀ (limit 1.5), the loss rose to 1.03 × its minimum; nothing else fired',1.03014605037656403752e+00,1.03014605037656403752e+00,1.0,1.0,4.68210208582416631539e-02,4.68210208582416631539e-02,4.68210208582416631539e-02,0.0,3.98486188819608122546e-02,NULL,2.27558178127240218202e+00,0.125);
INSERT INTO "trial" VALUES(12,'b48d3e625b01ff044e04291132ba8582d3c09e65ffe27850b3586fd459a3692e',13,0.1,1.88241178721508500837e-01,0,4,'done','finished','stable',NULL,1,5,4,1.82042781059577363222e+00,0.3671875,1.75503049244873,4,1.82042781059577363222e+00,2.94046885871354790609e+00,0,1.90949193394071414786e+00,2.87975016436553543641e+00,1.82042781059577363222e+00,0.3671875,0.3671875,1.02108470904849824023e+00,0,1.75503049244873,1.53978029654076586929e+00,1.53978029654076586929e+00,NULL,NULL,NULL,72,NULL,2,'loss+sharpness','row 12: the smoothed loss peaked at 1.021·L₀ (limit 1.5), the loss rose to 1.021 × its minimum; nothing else fired',1.02108470904849824023e+00,1.02108470904849824023e+00,1.0,1.0,6.27471344726070606734e-02,6.27471344726070606734e-02,6.27471344726070606734e-02,0.0,5.85010164149576752934e-02,NULL,2.27558178127240218202e+00,0.125);
INSERT INTO "trial" VALUES(13,'011e9c581a3eb19564144fedbaa27bf49873235afc1f1a0bb58f5623ce23c7bd',14,0.1,2.1469884588718379792e-01,0,4,'done','finished','stable',NULL,1,5,4,1.78051094246022190148e+00,0.3984375,1.95205057270844073435e+00,4,1.78051094246022190148e+00,3.23284865503581064771e+00,0,2.14699044065690847205e+00,3.13824302277726641108e+00,1.78051094246022190148e+00,0.3984375,0.3984375,1.03014605037656403752e+00,0,1.95205057270844073435e+00,1.53099994133821049047e+00,1.53099994133821049047e+00,NULL,NULL,NULL,78,NULL,2,'loss+sharpness','row 12: the smoothed loss peaked at 1.03·L₀ (limit 1.5), the loss rose to 1.03 × its minimum; nothing else fired',1.03014605037656403752e+00,1.03014605037656403752e+00,1.0,1.0,7.15663480218969444424e-02,7.15663480218969444424e-02,7.15663480218969444424e-02,0.0,0.0650683524236147,NULL,2.27558178127240218202e+00,0.125);
INSERT INTO "trial" VALUES(14,'be38fd2b8e03cccf06149ee7d4c55a8bc197d3476f4c48e9f0423b7d61c7d360',15,0.1,1.88241178721508500837e-01,0,4,'done','finished','stable',NULL,1,5,4,1.62609905682343214294e+00,0.46875,1.44584199927218737258e+00,4,1.62609905682343214294e+00,2.94046885871354790609e+00,0,2.04432713297354684556e+00,2.87975016436553543641e+00,1.62609905682343214294e+00,0.46875,0.46875,1.02108470904849824023e+00,0,1.44584199927218737258e+00,1.53978029654076586929e+00,1.53978029654076586929e+00,NULL,NULL,NULL,83,NULL,2,'loss+sharpness','row 12: the smoothed loss peaked at 1.021·L₀ (limit 1.5), the loss rose to 1.021 × its minimum; nothing else fired',1.02108470904849824023e+00,1.02108470904849824023e+00,1.0,1.0,4.95372114257424181471e-02,4.95372114257424181471e-02,4.95372114257424181471e-02,0.0,3.80484736650575638972e-02,NULL,2.27558178127240218202e+00,0.125);
INSERT INTO "trial" VALUES(15,'d349b26685bd67fe6bc33320e57073a122958cadd2f969354f2392aaead0ea14',16,0.1,2.1469884588718379792e-01,0,4,'done','finished','stable',NULL,1,5,4,1.42468310142191612044e+00,0.578125,1.8947467890082634323e+00,4,1.42468310142191612044e+00,3.23284865503581064771e+00,0,2.14699044065690847205e+00,3.13824302277726641108e+00,1.42468310142191612044e+00,0.578125,0.578125,1.03014605037656403752e+00,0,1.8947467890082634323e+00,1.53099994133821049047e+00,1.53099994133821049047e+00,NULL,NULL,NULL,81,NULL,2,'loss+sharpness','row 12: the smoothed loss peaked at 1.03·L₀ (limit 1.5), the loss rose to 1.03 × its minimum; nothing else fired',1.03014605037656403752e+00,1.03014605037656403752e+00,1.0,1.0,0.0564997484383397,0.0564997484383397,0.0564997484383397,0.0,4.98617576054806235785e-02,NULL,2.27558178127240218202e+00,0.125);
INSERT INTO "trial" VALUES(16,'73449eacfbfa8aa3cbe82a41eb536cc3bc693855102a66b0673137610aafe07f',2,0.1,1.05039517506762103415e-01,0,4,'done','finished','stable',NULL,1,5,4,1.96251875499767569621e+00,0.3125,0.955493566548774,4,1.96251875499767569621e+00,2.5790145078583690541e+00,0,1.05039678033889294361e+00,2.54447763690902029054e+00,1.96251875499767569621e+00,0.3125,0.3125,1.01357326566693806135e+00,0,0.955493566548774,0.765499983383723,0.765499983383723,NULL,NULL,NULL,66,NULL,2,'loss+sharpness','row 12: the smoothed loss peaked at 1.014·L₀ (limit 1.5), the loss rose to 1.014 × its minimum; nothing else fired',1.01357326566693806135e+00,1.01357326566693806135e+00,1.0,1.0,3.50132260112964374676e-02,3.50132260112964374676e-02,3.50132260112964374676e-02,0.0,0.0318497855516258,NULL,2.27558178127240218202e+00,0.125);
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
       n.loss_convention, n.status, n.reason, n.net_id,
       (SELECT count(*) FROM trial t WHERE t.net_id = n.net_id AND t.given_up_epoch IS NOT NULL) AS given_up,
       n.eta_rule, CASE n.eta_rule WHEN 1 THEN n.eta_star ELSE n.eta_last END AS eta_last, n.eta_star_se,
       n.window_low, n.window_high, n.successes, axes.*
FROM net n JOIN cell c USING (cell_id) JOIN sweep s USING (sweep_id) JOIN axes USING (cell_id)
WHERE s.mode = 'search';
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
       t.trial_id, c.edge, t.given_up_epoch, t.phase_rule, t.phase_basis, t.phase_reason, t.peak_smoothed, t.rise,
       t.logit_growth, t.hidden_growth, t.ratio_first, t.ratio_before_peak, t.ratio_low, t.ratio_hover, t.ratio_last,
       t.drift, t.loss_constant, t.majority, axes.*
FROM trial t JOIN net n USING (net_id) JOIN cell c USING (cell_id) JOIN sweep s USING (sweep_id)
     JOIN axes USING (cell_id)
WHERE t.status IN ('done', 'failed');
CREATE VIEW onsets AS  -- one row per net with trials done: at which eta x lambda0 they change their kind
WITH t AS (  -- a smoothed loss above limit x its start has risen; heavy ball's first step alone gives (1 + 2 beta)^2
  SELECT t.*, t.eta_lambda0 AS c, n.lambda0_preconditioned AS lambda0, n.sharpness_samples, c.edge,
         coalesce(t.phase_rule, 1) AS rule,
         CASE WHEN c.batch >= c.samples THEN 1.000001 ELSE 1.5 END AS limit_,
         CASE c.optimizer WHEN 'momentum' THEN (c.edge - 1) * (c.edge - 1) ELSE 1 END AS transient
  FROM trial t JOIN net n USING (net_id) JOIN cell c USING (cell_id) WHERE t.status = 'done'
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
CREATE VIEW exponents AS  -- one row per fitted term
SELECT s.name AS sweep, f.fit, f.y, f.term, f.exponent, f.low, f.high, f.r2, f.cells, f.decades, f.where_expr,
       f.excluded, f.method, f.intercept, f.f_equal, f.p_equal, f.warnings
FROM fit f JOIN sweep s USING (sweep_id);
COMMIT;
