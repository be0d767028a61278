import os
import subprocess
import sys

from bench import procs

BURN = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass\n"


def test_counts_children_that_ended():
    # The child starts one that burns CPU, waits for it, and stays until its input closes.
    burn = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BURN!r}]); "
    program = burn + "print(1, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as child:
        child.stdout.readline()
        assert procs.cpu_seconds([child.pid]) >= 0.28
        assert child.pid in procs.tree([os.getpid()])
        assert procs.pss_kib([child.pid]) > 500
        child.stdin.close()
    assert procs.cpu_seconds([child.pid]) == 0


def test_tells_its_own_cpu_from_the_servers():
    meter = procs.Meter((os.getppid(),))
    meter.start()
    exec(BURN)
    meter.stop()
    assert 0.25 < meter.own < 1
    assert meter.server is not None


def test_has_no_figure_for_a_server_it_does_not_know():
    meter = procs.Meter(())
    meter.start()
    meter.stop()
    assert meter.server is None
    assert meter.foreign is None
