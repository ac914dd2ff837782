import sys
sys.path.insert(0, "/work/h/writer/tests/driver"); 
from test_driver_conversion import *
from mlrtui_trainer import lanes
lanes.REPORT_SECONDS = 0.0
