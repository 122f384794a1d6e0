"""Redis and beanstalkd, both made to sync before they answer."""

import os
import shutil

from processes import Program, wait_until


def _fresh(bench, name):
    folder = bench.path(name)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    return folder


def redis(bench, env=None):
    """The program and its socket; no rewriting of the log, no snapshots."""
    folder = _fresh(bench, "redis")
    path = f"{folder}/s"
    program = Program(
        ["redis-server", "--port", "0", "--unixsocket", path, "--dir", folder, "--save", "", "--appendonly", "yes",
         "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0"],
        bench.path("redis.log"), env=env)
    wait_until(lambda: os.path.exists(path), "redis-server")
    return program, path


def beanstalkd(bench, env=None):
    folder = _fresh(bench, "beanstalkd")
    path = f"{folder}/s"
    program = Program(["beanstalkd", "-b", folder, "-f", "0", "-l", f"unix:{path}"], bench.path("beanstalkd.log"), env)
    wait_until(lambda: os.path.exists(path), "beanstalkd")
    return program, path
