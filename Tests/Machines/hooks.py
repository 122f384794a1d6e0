"""What Schemathesis is told besides the document: ids that exist, and to call nobody but this machine."""

import os
import random

import schemathesis

KNOWN = dict(pair.split("=") for pair in os.environ["OUTBOXD_KNOWN"].split(","))
DICE = random.Random(os.environ["OUTBOXD_SEED"])


@schemathesis.hook
def before_call(context, case, kwargs):
    # An answer that follows the log does not end.
    if str((case.query or {}).get("follow")).lower() == "true":
        case.query["follow"] = "false"
    if isinstance(case.body, dict) and str(case.body.get("url")).lower().startswith("http"):
        case.body["url"] = "http://127.0.0.1:9/"
    # What exists is not removed: later calls are to meet it.
    if not case.meta.generation.mode.is_positive or case.operation.method.upper() == "DELETE":
        return
    for name in case.path_parameters or {}:
        known = KNOWN.get(case.operation.path.split("/")[2] if name == "id" else name)
        if known and DICE.random() < 0.7:
            case.path_parameters[name] = known
