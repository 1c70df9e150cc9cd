"""nginx on a loopback port of its own, serving one directory of images."""

import os
import socket
import subprocess
import time
from contextlib import contextmanager

CONFIGURATION = """\
{user}
worker_processes auto;
daemon off;
pid {home}/nginx.pid;
error_log {home}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000;
    types {{ image/jpeg jpg; }}
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;
    server {{
        listen 127.0.0.1:{port};
        root {root};
    }}
}}
"""


@contextmanager
def serve(nginx, root, home):
    """Serves `root` while the block runs; gives the URL of its top."""
    home.mkdir(parents=True, exist_ok=True)
    port = free_port()
    # As root, nginx would give its workers to a user who may not be let into this directory.
    user = "user root;" if os.geteuid() == 0 else ""
    configuration = home / "nginx.conf"
    configuration.write_text(CONFIGURATION.format(user=user, home=home, port=port, root=root))
    process = subprocess.Popen([nginx, "-p", home, "-c", configuration, "-e", home / "error.log"])
    try:
        wait_until_open(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_open(port, process):
    for _ in range(200):
        if process.poll() is not None:
            raise RuntimeError(f"nginx ended with {process.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError("nginx did not open its port")
