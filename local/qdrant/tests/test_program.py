"""The program around the server: its arguments, its start, its end."""

import os
import socket
import subprocess
import sys
import tempfile
import time
import unittest

from qdrant_client import models

from harness import PROGRAM, Connection, Server, needs_own_server, run_program


@needs_own_server
class Arguments(unittest.TestCase):
    def test_wrong_arguments_exit_2(self):
        wrong = (
            [],
            ["--data"],
            ["--data", "x", "--listen", "6334"],
            ["--data", "x", "--listen", "127.0.0.1:port"],
            ["--data", "x", "--listen", "127.0.0.1:70000"],
            ["--data", "x", "--flush-seconds", "0"],
            ["--data", "x", "--unknown"],
        )
        for arguments in wrong:
            with self.subTest(arguments):
                self.assertEqual(run_program(*arguments).returncode, 2)

    def test_help_tells_what_it_is_for(self):
        shown = run_program("--help")
        self.assertEqual(shown.returncode, 0)
        self.assertIn("for development and tests on one machine", shown.stdout)

    def test_missing_requirements_are_one_line(self):
        bare = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        with tempfile.TemporaryDirectory() as folder:
            # -S and no PYTHONPATH: a Python with nothing installed.
            command = [sys.executable, "-S", str(PROGRAM), "--data", folder]
            failed = subprocess.run(command, env=bare, capture_output=True, text=True, timeout=20)
        self.assertEqual(failed.returncode, 1)
        self.assertEqual(len(failed.stderr.splitlines()), 1, failed.stderr)
        self.assertIn("requirements.txt", failed.stderr)


@needs_own_server
class StartAndEnd(unittest.TestCase):
    def assert_one_line(self, failed, *parts):
        self.assertEqual(failed.returncode, 1, failed.stderr)
        self.assertEqual(len(failed.stderr.splitlines()), 1, failed.stderr)
        for part in parts:
            self.assertIn(str(part), failed.stderr)

    def test_a_port_in_use_is_one_line(self):
        with tempfile.TemporaryDirectory() as folder, socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            failed = run_program("--data", folder, "--listen", f"127.0.0.1:{port}")
        self.assert_one_line(failed, port, "in use")

    def test_a_folder_in_use_is_one_line(self):
        server = Server().start()
        self.addCleanup(server.close)
        failed = run_program("--data", server.data, "--listen", "127.0.0.1:0")
        self.assert_one_line(failed, server.data, "in use", server.pid)

    def test_a_folder_that_cannot_be_is_one_line(self):
        with tempfile.NamedTemporaryFile() as file:
            failed = run_program("--data", file.name, "--listen", "127.0.0.1:0")
        self.assert_one_line(failed, file.name)

    def test_asked_to_end_it_ends_and_keeps_everything(self):
        server = Server()
        self.addCleanup(server.close)
        for start in range(2):
            connection = Connection("127.0.0.1", server.start().port)
            self.addCleanup(connection.close)
            if start == 0:
                connection.client.create_collection("kept", vectors_config={})
            point = models.PointStruct(id=start, vector={}, payload={"start": start})
            self.assertEqual(connection.client.count("kept").count, start)
            # Without wait: a promise that is kept at the latest when the program ends.
            connection.client.upsert("kept", [point], wait=False)
            self.assertEqual(server.stop(), 0)

    def test_start_is_quick_and_idleness_free(self):
        started = time.monotonic()
        server = Server().start()
        self.addCleanup(server.close)
        self.assertLess(time.monotonic() - started, 10)  # 0.6 s where nothing else runs
        before = cpu_seconds(server.pid)
        time.sleep(1)  # the time over which nothing may happen
        self.assertLess(cpu_seconds(server.pid) - before, 0.2)


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    unittest.main()
